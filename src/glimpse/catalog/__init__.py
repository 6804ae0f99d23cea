"""The verbs on records. They decide; they know neither HTTP nor SQL."""
