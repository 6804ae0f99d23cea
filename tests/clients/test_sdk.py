"""openstacksdk, by HTTP basic authentication. Each case is a function of `programs/sdk.py`."""

from pathlib import Path

import pytest

from tests.clients.client import Clients, cases
from tests.server import Server

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("case", cases("sdk"))
def test_sdk(server: Server, clients: Clients, qcow2: Path, case: str) -> None:
    clients.program("sdk", case, f"{server.url}/v2", server.password, str(qcow2))
