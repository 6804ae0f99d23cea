"""API nodes without a database, behind one `glance-registry`."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from glimpse.config.registry import RegistryLink
from glimpse.domain.errors import Unavailable
from glimpse.registry.client import Registry, records_behind
from tests.clients.client import Clients
from tests.clients.keystone import Keystone
from tests.clients.process import CHECKOUT, START_SECONDS, Options, behind, glance_api, merged, write
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


def test_certificates(tmp_path: Path) -> None:
    certificate, key, port = tmp_path / "certificate.pem", tmp_path / "key.pem", free_port()
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files]
    subprocess.run(command, check=True, capture_output=True)
    file = tmp_path / "glance-registry.conf"
    tls = {"bind_port": port, "cert_file": certificate, "key_file": key}
    own = {"client_ca_file": certificate, "state_dir": tmp_path}
    database = {"connection": f"sqlite:///{tmp_path}/db"}
    write(file, {"DEFAULT": tls, "glimpse": own, "database": database})
    process = subprocess.Popen([CHECKOUT / ".venv" / "bin" / "glance-registry", "--config-file", file])
    stranger = RegistryLink("127.0.0.1", port, tls=True, timeout=30, ca_file=str(certificate))
    known = replace(stranger, cert_file=str(certificate), key_file=str(key))
    try:
        assert _lets_in(known, START_SECONDS)
        assert not _lets_in(stranger, 0)
    finally:
        process.terminate()
        process.wait(60)


def _lets_in(link: RegistryLink, seconds: float) -> bool:
    """Whether a registry answers within this time."""
    deadline = time.monotonic() + seconds
    registry = Registry(link, lambda _: {})
    try:
        while True:
            try:
                return records_behind(registry).jobs.get("") is None
            except Unavailable:
                if time.monotonic() > deadline:
                    return False
                time.sleep(0.1)
    finally:
        registry.close()
