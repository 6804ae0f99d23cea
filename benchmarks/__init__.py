"""Glimpse side by side with upstream Glance: the same requests on the same machine, in turns.

`python -m benchmarks --help` (or `make bench`) tells the options; docs/performance.md holds the last table.
"""
