"""The tests. `unit` mirrors the source; the other folders are described in docs/architecture.md."""
