from hypothesis import settings

# Hooks, which pytest finds here: those of a folder's own are not known where other processes run its tests.
from tests.store_table import pytest_collection_modifyitems, pytest_terminal_summary  # noqa: F401

# Quick, and the same on a busy machine.
settings.register_profile("quick", max_examples=50, deadline=None)
settings.load_profile("quick")
