"""python-glanceclient by the Image API v1, which its library still speaks.

It knows tokens only, so it speaks with a service that asks for no authentication. Each case is a function of
`programs/glance_v1.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.client import Clients, cases
from tests.server import Server, running

pytestmark = pytest.mark.clients

OPTIONS = """
[DEFAULT]
enable_v1_api = true
[import_filtering_opts]
disallowed_hosts = 169.254.169.254
[glimpse]
auth_strategy = noauth
"""


@pytest.fixture(scope="module")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that answers the API v1."""
    with running(tmp_path_factory.mktemp("old") / "glimpse", OPTIONS) as started:
        yield started


@pytest.mark.parametrize("case", cases("glance_v1"))
def test_library(old_server: Server, clients: Clients, qcow2: Path, case: str) -> None:
    clients.program("glance_v1", case, old_server.url, str(qcow2))
