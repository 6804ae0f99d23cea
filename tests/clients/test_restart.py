"""What a client has seen as active is still there after the service was killed."""

from pathlib import Path

import pytest

from tests.clients.client import Clients
from tests.server import running

pytestmark = pytest.mark.clients


def test_everything_is_there_after_a_kill(clients: Clients, qcow2: Path, tmp_path: Path) -> None:
    with running(tmp_path / "glimpse") as server:
        formats = ("--disk-format", "qcow2", "--container-format", "bare", "--tag", "kept")
        clients.openstack(
            server, "image", "create", *formats, "--property", "a=b", "kept", "--file", str(qcow2)
        )
        with server.client() as api:
            before = api.get("/v2/images").json()
            [image] = before["images"]
            assert api.post(f"/v2/images/{image['id']}/members", json={"member": "m"}).status_code == 200
        server.kill()
        server.start()
        with server.client() as api:
            assert api.get("/v2/images").json() == before
            [member] = api.get(f"/v2/images/{image['id']}/members").json()["members"]
            assert member["member_id"] == "m"
        copy = tmp_path / "copy"
        clients.openstack(server, "image", "save", "--file", str(copy), "kept")
        assert copy.read_bytes() == qcow2.read_bytes()
