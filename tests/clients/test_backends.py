"""openstacksdk with every backend of `tests/backends` whose server runs: new modules join by themselves."""

import json
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from glimpse.stores.base import Store, StoreObjectMissing
from tests.clients.backends import FIRST, TESTED, Service, backend_names, service_with
from tests.clients.client import PROGRAMS, Clients
from tests.clients.keystone import service_address
from tests.server import Server, running

pytestmark = pytest.mark.clients

# What a store was told to remove is gone by then, if not at once.
GONE_SECONDS = 10


@pytest.fixture(scope="module", params=backend_names())
def service(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with service_with(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield started


def locations(clients: Clients, case: str, server: Server, disk: Path, *more: str) -> dict[str, str]:
    """The URLs of the image of a case of `programs/store.py`, by the stores' names."""
    words = ["python", str(PROGRAMS / "store.py"), case, f"{server.url}/v2", server.password, str(disk)]
    told: list[dict[str, Any]] = json.loads(clients.run([*words, *more], {}))
    return {location["metadata"]["store"]: location["url"] for location in told}


def assert_gone(store: Store, url: str) -> None:
    deadline = time.monotonic() + GONE_SECONDS
    while time.monotonic() < deadline:
        try:
            store.stat(url)
        except StoreObjectMissing:
            return
        time.sleep(0.1)
    raise AssertionError("the store still holds the data")


def assert_keeps_its_secrets(service: Service, text: str) -> None:
    assert not [secret for secret in service.secrets if secret in text]


def test_life_of_an_image(service: Service, clients: Clients, qcow2: Path) -> None:
    told = locations(clients, "life", service.server, qcow2)
    assert list(told) == [TESTED]
    url = told[TESTED]
    assert service.store.owns(url)
    assert "@" not in url.partition("://")[2].partition("/")[0]
    assert_keeps_its_secrets(service, url)
    assert_gone(service.store, url)
    assert_keeps_its_secrets(service, service.server.log())


def test_copies_in_all_stores_outlive_the_first(service: Service, clients: Clients, qcow2: Path) -> None:
    told = locations(clients, "copies_in_all_stores", service.server, qcow2, str(service.folder))
    assert set(told) == {FIRST, TESTED}
    assert_gone(service.store, told[TESTED])
    assert list(service.folder.iterdir()) == []


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that may read from this machine's web servers."""
    configuration = (
        "enabled_backends = files:file,web:http\nshow_multiple_locations = true\n"
        "[glance_store]\ndefault_backend = files\n"
        "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
    )
    with running(tmp_path_factory.mktemp("web") / "glimpse", configuration) as started:
        yield started


@pytest.mark.services
def test_web_location_is_read_and_stays(web: Server, clients: Clients, qcow2: Path) -> None:
    address, root = service_address("NGINX_URL"), service_address("NGINX_ROOT")
    if address is None or root is None:
        pytest.skip("nginx is not running; start it with: make services")
    served = Path(root, f"{time.time_ns()}.qcow2")
    shutil.copy(qcow2, served)
    try:
        url = f"{address}/{served.name}"
        assert locations(clients, "web_location", web, qcow2, url) == {"web": url}
        assert served.read_bytes() == qcow2.read_bytes()
    finally:
        served.unlink()


def test_web_takes_no_data(web: Server, clients: Clients, qcow2: Path) -> None:
    assert locations(clients, "web_takes_nothing", web, qcow2, "web") == {}
