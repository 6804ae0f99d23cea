"""A server with a short lease, in a state folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import Server, running

# Its assertions are to be explained like those of a test module.
pytest.register_assert_rewrite("tests.faults.promises")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    from tests.faults.promises import QUICK_LEASE

    with running(tmp_path / "glimpse", QUICK_LEASE) as started:
        yield started


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client
