"""Where bytes rest: one contract (`base`), one module for each backend."""
