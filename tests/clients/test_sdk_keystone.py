"""openstacksdk, by the catalog of Keystone. Each case is a function of `programs/sdk_keystone.py`."""

from pathlib import Path

import pytest

from tests.clients.client import Clients, cases
from tests.clients.keystone import Keystone
from tests.clients.process import Running

pytestmark = [pytest.mark.clients, pytest.mark.services]


@pytest.mark.parametrize("case", cases("sdk_keystone"))
def test_sdk(clients: Clients, keystone: Keystone, keystone_server: Running, qcow2: Path, case: str) -> None:
    clients.program("sdk_keystone", case, keystone.url, keystone.region, str(qcow2))
