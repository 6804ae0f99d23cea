"""The `openstack` command, signed in at Keystone: all that it knows about images."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.clients.client import Clients
from tests.clients.keystone import Keystone, unique, variables
from tests.clients.process import Running

pytestmark = [pytest.mark.clients, pytest.mark.services]

FORMATS = ("--disk-format", "qcow2", "--container-format", "bare")


class Person:
    """The command in the hands of one user."""

    def __init__(self, clients: Clients, keystone: Keystone, user: str, project: str) -> None:
        self._clients = clients
        self._variables = variables(keystone, user, project)

    def __call__(self, *words: str) -> str:
        return self._clients.run(["openstack", *words], self._variables)

    def json(self, *words: str) -> Any:
        return json.loads(self(*words, "-f", "json"))

    def refused(self, *words: str) -> str:
        return self._clients.refused(["openstack", *words], self._variables)


@pytest.fixture(scope="module")
def demo(clients: Clients, keystone: Keystone, keystone_server: Running) -> Person:
    return Person(clients, keystone, "demo", "demo")


@pytest.fixture(scope="module")
def other(clients: Clients, keystone: Keystone, keystone_server: Running) -> Person:
    return Person(clients, keystone, "demo2", "demo2")


@pytest.fixture(scope="module")
def admin(clients: Clients, keystone: Keystone, keystone_server: Running) -> Person:
    return Person(clients, keystone, "admin", "admin")


def new(person: Person, *words: str) -> str:
    image: str = person.json("image", "create", *FORMATS, *words, unique("image"))["id"]
    return image


def test_from_file_to_file(demo: Person, keystone: Keystone, qcow2: Path, tmp_path: Path) -> None:
    image = new(demo, "--file", str(qcow2), "--property", "os_distro=debian")
    shown = demo.json("image", "show", image)
    assert (shown["status"], shown["owner"]) == ("active", keystone.project_id("demo"))
    demo("image", "save", "--file", str(tmp_path / "copy"), image)
    assert (tmp_path / "copy").read_bytes() == qcow2.read_bytes()
    assert image in [row["ID"] for row in demo.json("image", "list")]
    demo("image", "set", "--name", "renamed", "--tag", "rock", "--os-version", "12", "--min-ram", "64", image)
    demo("image", "unset", "--property", "os_distro", image)
    changed = demo.json("image", "show", image)
    assert (changed["name"], changed["tags"], changed["min_ram"]) == ("renamed", ["rock"], 64)
    assert changed["properties"]["os_version"] == "12"
    assert "os_distro" not in changed["properties"]
    demo("image", "delete", image)
    assert "No Image found" in demo.refused("image", "show", image)


def test_share(demo: Person, other: Person, keystone: Keystone) -> None:
    image = new(demo, "--shared")
    other.refused("image", "show", image)
    demo("image", "add", "project", image, keystone.project_id("demo2"))
    assert other.json("image", "show", image)["id"] == image
    assert image not in other("image", "list", "--shared")
    other("image", "set", "--accept", "--project", keystone.project_id("demo2"), image)
    assert image in other("image", "list", "--shared")
    members = demo.json("image", "member", "list", image)
    assert [(m["Member ID"], m["Status"]) for m in members] == [(keystone.project_id("demo2"), "accepted")]
    demo("image", "remove", "project", image, keystone.project_id("demo2"))
    other.refused("image", "show", image)


def test_deactivate(
    clients: Clients, keystone: Keystone, demo: Person, admin: Person, qcow2: Path, tmp_path: Path
) -> None:
    image = new(demo, "--file", str(qcow2))
    reader = Person(clients, keystone, "reader", "demo")
    reader("image", "set", "--deactivate", image)  # this client does not look at the answer
    assert demo.json("image", "show", image)["status"] == "active"
    demo("image", "set", "--deactivate", image)
    assert demo.json("image", "show", image)["status"] == "deactivated"
    assert "403" in demo.refused("image", "save", "--file", str(tmp_path / "copy"), image)
    admin("image", "save", "--file", str(tmp_path / "copy"), image)
    demo("image", "set", "--activate", image)
    demo("image", "save", "--file", str(tmp_path / "copy"), image)


def test_reader(clients: Clients, keystone: Keystone, demo: Person) -> None:
    reader = Person(clients, keystone, "reader", "demo")
    image = new(demo)
    assert reader.json("image", "show", image)["id"] == image
    assert "403" in reader.refused("image", "create", *FORMATS, "forbidden")
    assert "403" in reader.refused("image", "delete", image)


def test_public_is_for_administrators(demo: Person, other: Person, admin: Person) -> None:
    assert "403" in demo.refused("image", "create", *FORMATS, "--public", "forbidden")
    image = new(admin, "--public")
    assert other.json("image", "show", image)["visibility"] == "public"
    other.refused("image", "delete", image)
    community = new(demo, "--community")
    assert community not in other("image", "list")
    assert community in other("image", "list", "--community")


def test_hidden_and_protected(demo: Person) -> None:
    image = new(demo, "--protected")
    demo("image", "set", "--hidden", image)
    assert image not in demo("image", "list")
    assert image in demo("image", "list", "--hidden")
    assert "403" in demo.refused("image", "delete", image)
    demo("image", "set", "--unhidden", "--unprotected", image)
    demo("image", "delete", image)


def test_metadef_namespace(admin: Person, demo: Person) -> None:
    name = unique("space")
    admin("image", "metadef", "namespace", "create", "--display-name", "Space ♫", "--public", name)
    assert demo.json("image", "metadef", "namespace", "show", name)["display_name"] == "Space ♫"
    admin("image", "metadef", "namespace", "set", "--description", "Changed", "--public", "--protected", name)
    listed = demo.json("image", "metadef", "namespace", "list")
    assert name in [row["namespace"] for row in listed]
    assert "403" in admin.refused("image", "metadef", "namespace", "delete", name)
    admin("image", "metadef", "namespace", "set", "--public", "--unprotected", name)
    assert "403" in demo.refused("image", "metadef", "namespace", "delete", name)
    admin("image", "metadef", "namespace", "delete", name)
    demo.refused("image", "metadef", "namespace", "show", name)


@pytest.fixture
def space(admin: Person) -> str:
    name = unique("space")
    admin("image", "metadef", "namespace", "create", "--public", name)
    return name


def test_metadef_objects(admin: Person, space: str) -> None:
    admin("image", "metadef", "object", "create", "--namespace", space, "thing")
    assert admin.json("image", "metadef", "object", "show", space, "thing")["name"] == "thing"
    admin("image", "metadef", "object", "update", "--name", "renamed", space, "thing")
    assert "renamed" in admin("image", "metadef", "object", "list", space)
    admin("image", "metadef", "object", "delete", space, "renamed")
    assert admin.json("image", "metadef", "object", "list", space) == []


def test_metadef_properties(admin: Person, space: str) -> None:
    words = ("--name", "size", "--title", "Size", "--type", "integer", "--schema", '{"minimum": 1}')
    admin("image", "metadef", "property", "create", *words, space)
    assert admin.json("image", "metadef", "property", "show", space, "size")["minimum"] == 1
    admin("image", "metadef", "property", "set", "--title", "Changed", space, "size")
    assert admin.json("image", "metadef", "property", "show", space, "size")["title"] == "Changed"
    assert [row["name"] for row in admin.json("image", "metadef", "property", "list", space)] == ["size"]
    admin("image", "metadef", "property", "delete", space, "size")
    assert admin.json("image", "metadef", "property", "list", space) == []


def test_metadef_resource_types(admin: Person, space: str) -> None:
    association = ("image", "metadef", "resource", "type", "association")
    known = [row["Name"] for row in admin.json("image", "metadef", "resource", "type", "list")]
    assert "OS::Glance::Image" in known
    admin(*association, "create", space, "OS::Glance::Image")
    assert "OS::Glance::Image" in admin(*association, "list", space)
    admin(*association, "delete", space, "OS::Glance::Image")
    assert "OS::Glance::Image" not in admin(*association, "list", space)


def test_what_is_empty_or_off(admin: Person) -> None:
    assert admin.json("image", "task", "list") == []
    assert "not enabled" in admin.refused("image", "stores", "list")
    # The client itself looks at the version, or passes our 404 on.
    assert admin.refused("cached", "image", "list")
    assert admin.refused("cached", "image", "clear")
