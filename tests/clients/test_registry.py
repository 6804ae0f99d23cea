"""API nodes without a database, behind one `glance-registry`."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.client import Clients
from tests.clients.keystone import Keystone
from tests.clients.process import Options, behind, glance_api, merged
from tests.registry import SECRET, glance_registry
from tests.server import Server, free_port

pytestmark = pytest.mark.clients

RAW = {"disk_format": "raw", "container_format": "bare"}
WITH_SECRET: Options = {"glimpse": {"registry_secret": SECRET}}


def behind_registry(port: int) -> Options:
    return {"DEFAULT": {"data_api": "glance.db.registry.api", "registry_port": port}}


@contextlib.contextmanager
def node(folder: Path, name: str, port: int) -> Iterator[Server]:
    """A standalone node whose images lie where those of the others do."""
    extra = (
        f"data_api = glance.db.registry.api\nregistry_port = {port}\n"
        f"[glimpse]\nregistry_secret = {SECRET}\n"
        f"[glance_store]\nfilesystem_store_datadir = {folder / 'images'}\n"
    )
    server = Server(folder / name, extra)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def test_two_nodes_and_a_registry_that_goes_away(tmp_path: Path, clients: Clients, qcow2: Path) -> None:
    port = free_port()
    with contextlib.ExitStack() as stack:
        # The nodes start without it.
        one = stack.enter_context(node(tmp_path, "one", port))
        with one.client() as client:
            refused = client.get("/v2/images")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        with glance_registry(tmp_path / "registry", port, WITH_SECRET):
            two = stack.enter_context(node(tmp_path, "two", port))
            for case in ("create_from_file", "images_by_filters", "delete"):
                clients.program("sdk", case, f"{two.url}/v2", two.password, str(qcow2))
            with one.client() as client:
                made = client.post(
                    "/v2/images", json={"disk_format": "raw", "container_format": "bare"}
                ).json()
                headers = {"Content-Type": "application/octet-stream"}
                path = f"/v2/images/{made['id']}"
                assert client.put(f"{path}/file", content=b"data", headers=headers).status_code == 204
            with two.client() as client:
                assert client.get(f"{path}/file").content == b"data"
        with one.client() as first, two.client() as second:
            assert [each.get(path).status_code for each in (first, second)] == [503, 503]
            with glance_registry(tmp_path / "registry", port, WITH_SECRET):
                assert [each.get(path).status_code for each in (first, second)] == [200, 200]
                assert second.delete(path).status_code == 204
                assert first.get(path).status_code == 404
    assert not list(tmp_path.glob("*/glimpse.db"))


@pytest.mark.services
def test_accounts_in_keystone(keystone: Keystone, tmp_path: Path) -> None:
    port, flavor = free_port(), behind(keystone.url)
    with (
        glance_registry(tmp_path / "registry", port, flavor) as registry,
        glance_api(tmp_path / "node", free_port(), merged(flavor, behind_registry(port))) as running,
        running.client(keystone.token()) as client,
    ):
        assert client.get("/v2/images").status_code == 200
        for token, status in (("", 401), ("wrong", 401), (keystone.token("demo", "demo"), 403)):
            path = f"{registry.url}/v1/images.get/x"
            answer = httpx.post(path, headers={"X-Auth-Token": token}, trust_env=False, timeout=60)
            assert answer.status_code == status
