from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands.glance import GlanceApi


@pytest.fixture
def glance(tmp_path: Path) -> Iterator[GlanceApi]:
    """A `glance-api` that is not started yet, and is ended after the test."""
    made = GlanceApi(tmp_path)
    yield made
    made.stop()
