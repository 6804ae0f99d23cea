"""The `openstack` command: what a person does with images, from a file to a file."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.client import Clients
from tests.server import Server, running

pytestmark = pytest.mark.clients

FORMATS = ("--disk-format", "qcow2", "--container-format", "bare")


@pytest.fixture(scope="module")
def image(server: Server, clients: Clients, qcow2: Path) -> str:
    """An image that was created and uploaded by one command."""
    described = clients.openstack_json(
        server,
        *("image", "create", *FORMATS, "--file", str(qcow2)),
        *("--tag", "rock", "--tag", "stone", "--property", "os_distro=debian", "--property", "a b=ü ♫"),
        "whole disk",
    )
    assert described["status"] == "active"
    assert described["size"] == qcow2.stat().st_size
    assert described["virtual_size"] == 64 * 1024 * 1024
    assert sorted(described["tags"]) == ["rock", "stone"]
    assert described["properties"]["os_distro"] == "debian"
    assert described["properties"]["a b"] == "ü ♫"
    identity: str = described["id"]
    return identity


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


def queued(api: httpx.Client, name: str, **more: object) -> str:
    answer = api.post(
        "/v2/images", json={"name": name, "disk_format": "raw", "container_format": "bare", **more}
    )
    assert answer.status_code == 201
    identity: str = answer.json()["id"]
    return identity


@pytest.mark.parametrize(
    "filters",
    [
        ("--name", "whole disk"),
        ("--tag", "stone", "--tag", "rock"),
        ("--property", "a b=ü ♫", "--status", "active", "--shared"),
    ],
    ids=["name", "tags", "property"],
)
def test_found(
    server: Server, clients: Clients, image: str, api: httpx.Client, filters: tuple[str, ...]
) -> None:
    queued(api, "another", tags=["rock"])
    found = clients.openstack_json(server, "image", "list", *filters)
    assert found == [{"ID": image, "Name": "whole disk", "Status": "active"}]


def test_not_found(server: Server, clients: Clients, image: str) -> None:
    assert (
        clients.openstack_json(server, "image", "list", "--tag", "stone", "--property", "os_distro=x") == []
    )


def test_shown_by_name_and_by_id(server: Server, clients: Clients, image: str) -> None:
    by_name = clients.openstack_json(server, "image", "show", "whole disk")
    by_id = clients.openstack_json(server, "image", "show", image)
    assert by_name == by_id
    assert by_id["id"] == image


def test_saved_as_it_was(server: Server, clients: Clients, image: str, qcow2: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.qcow2"
    clients.openstack(server, "image", "save", "--file", str(copy), image)
    assert copy.read_bytes() == qcow2.read_bytes()


def test_set_and_unset(server: Server, clients: Clients, api: httpx.Client) -> None:
    image = queued(api, "old name", tags=["one", "two"], colour="red", shape="round")
    clients.openstack(
        server,
        *("image", "set", "--name", "new name", "--tag", "three", "--property", "colour=blue"),
        *("--min-ram", "128", "--os-distro", "fedora", "--protected", "--community", "--hidden", image),
    )
    clients.openstack(server, "image", "unset", "--tag", "one", "--property", "shape", image)
    shown = api.get(f"/v2/images/{image}").json()
    assert (shown["name"], shown["min_ram"], shown["protected"]) == ("new name", 128, True)
    assert (shown["visibility"], shown["os_hidden"]) == ("community", True)
    assert sorted(shown["tags"]) == ["three", "two"]
    assert (shown["colour"], shown["os_distro"]) == ("blue", "fedora")
    assert "shape" not in shown


def test_members_are_listed(server: Server, clients: Clients, api: httpx.Client) -> None:
    # `image add project` looks the project up in an identity service first, and there is none here; the
    # request that it would send is sent by the tests of the SDK.
    image = queued(api, "shared")
    assert api.post(f"/v2/images/{image}/members", json={"member": "somebody"}).status_code == 200
    listed = clients.openstack_json(server, "image", "member", "list", image)
    assert listed == [{"Image ID": image, "Member ID": "somebody", "Status": "pending"}]


def test_deactivate_and_activate(server: Server, clients: Clients, api: httpx.Client) -> None:
    image = queued(api, "switched")
    data = {"Content-Type": "application/octet-stream"}
    assert api.put(f"/v2/images/{image}/file", content=b"data", headers=data).status_code == 204
    clients.openstack(server, "image", "set", "--deactivate", image)
    assert api.get(f"/v2/images/{image}").json()["status"] == "deactivated"
    clients.openstack(server, "image", "set", "--activate", image)
    assert api.get(f"/v2/images/{image}").json()["status"] == "active"


def test_delete(server: Server, clients: Clients, api: httpx.Client) -> None:
    gone = [queued(api, "short-lived"), queued(api, "short-lived too")]
    clients.openstack(server, "image", "delete", *gone)
    assert [api.get(f"/v2/images/{image}").status_code for image in gone] == [404, 404]


def test_without_authentication(clients: Clients, qcow2: Path, tmp_path: Path) -> None:
    with running(tmp_path / "glimpse", "[glimpse]\nauth_strategy = noauth\n") as open_server:
        variables = {"OS_AUTH_TYPE": "none", "OS_ENDPOINT": open_server.url}
        clients.run(["openstack", "image", "create", *FORMATS, "--file", str(qcow2), "open"], variables)
        copy = tmp_path / "copy"
        clients.run(["openstack", "image", "save", "--file", str(copy), "open"], variables)
        assert copy.read_bytes() == qcow2.read_bytes()
