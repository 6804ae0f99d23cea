"""Protected properties: what is hidden stays hidden, and is never lost."""

import configparser
from pathlib import Path

import pytest

from glimpse.access.limits import KeystoneLimits
from glimpse.access.policy import OsloPolicy
from glimpse.access.protection import read_protection
from glimpse.app import make_service
from glimpse.checks import check_files
from glimpse.config.settings import read_config, read_settings
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid
from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, World, change, older

FILE = {
    "^secret": {"create": "admin", "read": "admin", "update": "admin", "delete": "admin"},
    "^drop_box": {"create": "@", "read": "admin", "update": "admin", "delete": "admin"},
    "^fixed": {"create": "@", "read": "@", "update": "!", "delete": "!"},
    "^service": {"create": "service", "read": "@", "update": "service", "delete": "service"},
    "^(open|os_)": {"create": "@", "read": "@", "update": "@", "delete": "@"},
}
SERVICE = f"{ALICE};service=service"


@pytest.fixture
def world(make_world: MakeWorld, policy: OsloPolicy, tmp_path: Path) -> World:
    parser = configparser.ConfigParser()
    parser.read_dict(FILE)
    with (tmp_path / "protection.conf").open("w") as file:
        parser.write(file)
    (tmp_path / "glimpse.conf").write_text("[DEFAULT]\nproperty_protection_file = protection.conf\n")
    return make_world(protection=read_protection(read_config([str(tmp_path / "glimpse.conf")]), policy))


@pytest.fixture
def image_id(world: World) -> str:
    """An image of Alice's with a property that she may not read."""
    image = world.client(ALICE).create(open="o", fixed="f", name="n")
    patched = world.client(ADMIN).patch(image["id"], change("add", "secret", "s"))
    assert patched.json()["secret"] == "s"
    return str(image["id"])


def test_create(world: World) -> None:
    alice, admin = world.client(ALICE), world.client(ADMIN)
    for name in ("secret", "service", "fits_no_section"):
        refused = alice.post("/v2/images", {name: "x"})
        assert (refused.status_code, f"'{name}' is reserved" in refused.text) == (403, True)
    image = alice.create(drop_box="kept", open="o")
    assert ("drop_box" in image, image["open"]) == (False, "o")
    assert admin.show(image["id"])["drop_box"] == "kept"
    assert world.client(SERVICE).create(service="s")["service"] == "s"


def test_what_may_not_be_read_is_shown_nowhere(world: World, image_id: str) -> None:
    alice = world.client(ALICE)
    assert "secret" not in alice.show(image_id)
    assert all("secret" not in image for image in alice.get("/v2/images").json()["images"])
    assert "secret" not in alice.patch(image_id, change("replace", "name", "m")).json()
    assert "secret" not in alice.patch(image_id).json()
    assert [image["secret"] for image in world.client(ADMIN).get("/v2/images").json()["images"]] == ["s"]


def test_no_change_loses_what_its_author_cannot_see(world: World, image_id: str) -> None:
    alice, admin = world.client(ALICE), world.client(ADMIN)
    assert alice.patch(image_id, change("add", "open2", "x"), change("remove", "open")).status_code == 200
    assert alice.put(f"/v2/images/{image_id}/tags/new").status_code == 204
    assert alice.patch(image_id, change("add", "disk_format", "raw")).status_code == 200
    assert alice.patch(image_id, change("add", "container_format", "bare")).status_code == 200
    assert alice.upload(image_id, b"data").status_code == 204
    assert alice.post(f"/v2/images/{image_id}/actions/deactivate").status_code == 204
    assert admin.show(image_id)["secret"] == "s"


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (change("replace", "secret", "x"), 409),
        (change("remove", "secret"), 409),
        (change("add", "secret", "x"), 403),
        (change("add", "secret", "s"), 403),
        (change("add", "secret2", "x"), 403),
        (change("replace", "fixed", "x"), 403),
        (change("add", "fixed", "f"), 403),
        (change("remove", "fixed"), 403),
        (change("add", "service", "x"), 403),
        (change("replace", "open", "x"), 200),
        (change("remove", "open"), 200),
    ],
    ids=str,
)
def test_edit(world: World, image_id: str, step: dict[str, object], status: int) -> None:
    before = world.client(ADMIN).show(image_id)
    assert world.client(ALICE).patch(image_id, step).status_code == status
    assert (world.client(ADMIN).show(image_id) == before) is (status >= 400)


def test_the_older_dialect_does_not_tell_either(world: World, image_id: str) -> None:
    alice = world.client(ALICE)
    media = "application/openstack-images-v2.0-json-patch"
    assert alice.patch(image_id, older("add", "secret", "x"), media=media).status_code == 403
    assert alice.patch(image_id, older("add", "open", "x"), media=media).status_code == 409


def test_administrators_are_bound_too(world: World, image_id: str) -> None:
    assert world.client(ADMIN).patch(image_id, change("replace", "fixed", "x")).status_code == 403


def test_a_filter_finds_nothing_that_may_not_be_read(world: World, image_id: str) -> None:
    assert world.client(ALICE).names("secret=s") == []
    assert world.client(ALICE).names("open=o") == ["n"]
    assert world.client(ADMIN).names("secret=s&visibility=all") == ["n"]
    assert world.client(BOB).names("secret=s") == []


def test_the_service_is_put_together_with_what_the_files_say(tmp_path: Path) -> None:
    """Protection, well-known properties and the limits of Keystone are the operator's choice."""
    (tmp_path / "protection.conf").write_text("[.*]\ncreate = @\nread = !\nupdate = @\ndelete = @\n")
    (tmp_path / "schema-image.json").write_text('{"properties": {"team": {}}, "required": ["team"]}')
    config = tmp_path / "glimpse.conf"
    config.write_text("[DEFAULT]\nproperty_protection_file = protection.conf\nuse_keystone_limits = true\n")
    catalog = make_service(read_settings([str(config)], state_dir=tmp_path)).catalog
    assert catalog.protection is not None
    assert not catalog.protection.allows("read", "any", Caller(roles=frozenset({"admin"})))
    assert isinstance(catalog.quotas, KeystoneLimits)
    assert catalog.known.required == {"team"}
    config.write_text("")
    (tmp_path / "schema-image.json").unlink()
    catalog = make_service(read_settings([str(config)], state_dir=tmp_path)).catalog
    assert (catalog.protection, catalog.quotas) == (None, None)
    assert "os_distro" in catalog.known.schemas


def test_a_wrong_file_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "protection.conf").write_text("[a]\ncreate = @,!\n")
    config = tmp_path / "glimpse.conf"
    config.write_text("[DEFAULT]\nproperty_protection_file = protection.conf\n")
    with pytest.raises(Invalid, match=r"section \[a\], option create"):
        check_files(read_settings([str(config)], state_dir=tmp_path))
