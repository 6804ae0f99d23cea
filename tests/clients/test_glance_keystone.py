"""The `glance` command, signed in at Keystone: all that it knows and the other tests have not asked."""

from pathlib import Path

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

    def __call__(self, *words: str) -> dict[str, str]:
        """The fields that it shows, or the rows by their first column."""
        said = self._clients.run(["glance", *words], self._variables)
        rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in said.splitlines() if "|" in line]
        return {row[0]: row[-1] for row in rows[1:]}

    def refused(self, *words: str) -> str:
        return self._clients.refused(["glance", *words], self._variables)


@pytest.fixture(scope="module")
def demo(clients: Clients, keystone: Keystone, keystone_server: Running) -> Person:
    return Person(clients, keystone, "demo", "demo")


@pytest.fixture(scope="module")
def admin(clients: Clients, keystone: Keystone, keystone_server: Running) -> Person:
    return Person(clients, keystone, "admin", "admin")


def test_image(demo: Person, keystone: Keystone, qcow2: Path, tmp_path: Path) -> None:
    made = demo("image-create", "--name", "one", *FORMATS, "--file", str(qcow2), "--property", "a=b")
    image = made["id"]
    assert (made["status"], made["owner"]) == ("active", keystone.project_id("demo"))
    demo("image-download", "--file", str(tmp_path / "copy"), image)
    assert (tmp_path / "copy").read_bytes() == qcow2.read_bytes()
    demo("image-update", "--name", "two", "--remove-property", "a", image)
    shown = demo("image-show", image)
    assert (shown["name"], "a" in shown) == ("two", False)
    assert image in demo("image-list")
    assert "v2.12" in demo.refused("image-tasks", image)  # only with several stores
    demo("image-delete", image)
    assert "404" in demo.refused("image-show", image)


def test_deactivate(clients: Clients, keystone: Keystone, demo: Person, qcow2: Path) -> None:
    image = demo("image-create", *FORMATS, "--file", str(qcow2))["id"]
    reader = Person(clients, keystone, "reader", "demo")
    assert "403" in reader.refused("image-deactivate", image)
    demo("image-deactivate", image)
    assert demo("image-show", image)["status"] == "deactivated"
    demo("image-reactivate", image)
    assert demo("image-show", image)["status"] == "active"


def test_members(demo: Person, clients: Clients, keystone: Keystone) -> None:
    other = Person(clients, keystone, "demo2", "demo2")
    image, project = (
        demo("image-create", *FORMATS, "--visibility", "shared")["id"],
        keystone.project_id("demo2"),
    )
    demo("member-create", image, project)
    other("member-update", image, project, "accepted")
    assert demo("member-list", "--image-id", image) == {image: project}
    demo("member-delete", image, project)
    assert demo("member-list", "--image-id", image) == {}


def test_metadefs(admin: Person, demo: Person) -> None:
    name = unique("space")
    admin("md-namespace-create", "--display-name", "Space", "--visibility", "public", name)
    assert demo("md-namespace-show", name)["display_name"] == "Space"
    admin("md-namespace-update", "--description", "Changed", name)
    assert demo("md-namespace-show", name)["description"] == "Changed"
    assert name in demo("md-namespace-list")
    schema = '{"type": "string", "title": "Word", "enum": ["a", "b"]}'
    words = ("--name", "word", "--title", "Word", "--type", "string", "--schema", schema)
    admin("md-property-create", *words, name)
    admin("md-property-update", "--title", "Changed", name, "word")
    assert list(demo("md-property-list", name)) == ["word"]
    admin("md-object-create", "--name", "thing", "--schema", '{"description": "A thing"}', name)
    assert demo("md-object-show", name, "thing")["description"] == "A thing"
    admin("md-tag-create-multiple", "--names", "a,b", name)
    admin("md-tag-create", "--name", "lone", name)
    assert sorted(demo("md-tag-list", name)) == ["a", "b", "lone"]
    admin("md-tag-update", "--name", "renamed", name, "lone")
    admin("md-resource-type-associate", "--name", "OS::Glance::Image", name)
    assert "OS::Glance::Image" in demo("md-namespace-resource-type-list", name)
    assert "OS::Glance::Image" in demo("md-resource-type-list")
    admin("md-resource-type-deassociate", name, "OS::Glance::Image")
    for kind in ("objects", "properties", "tags"):
        admin(f"md-namespace-{kind}-delete", name)
    assert demo("md-tag-list", name) == {}
    assert "403" in demo.refused("md-namespace-delete", name)
    admin("md-namespace-delete", name)
    assert "404" in demo.refused("md-namespace-show", name)


def test_what_is_empty_or_off(admin: Person, demo: Person) -> None:
    assert admin("task-list") == {}
    assert "404" in admin.refused("task-show", "00000000-0000-0000-0000-000000000000")
    assert "import-methods" in demo("import-info")
    assert "Multi Backend support is not enabled" in demo.refused("stores-info")
    assert demo("usage") == {}
    assert "image caching API" in admin.refused("cache-list")
