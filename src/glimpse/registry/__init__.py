"""The records over HTTP: the registry, which stands between API nodes and the database, and its client."""
