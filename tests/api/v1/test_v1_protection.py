"""Protected properties through headers: what is hidden stays hidden, and is never lost."""

import configparser
from pathlib import Path

import pytest

from glimpse.access.policy import OsloPolicy
from glimpse.access.protection import read_protection
from glimpse.config.settings import read_config
from tests.api.fixtures import MakeWorld
from tests.api.v1.fixtures import OPTIONS, created, head, post, put
from tests.api.world import ADMIN, ALICE, World

FILE = {
    "^secret": {"create": "admin", "read": "admin", "update": "admin", "delete": "admin"},
    "^fixed": {"create": "@", "read": "@", "update": "!", "delete": "!"},
    "^open": {"create": "@", "read": "@", "update": "@", "delete": "@"},
}


@pytest.fixture
def world(make_world: MakeWorld, policy: OsloPolicy, tmp_path: Path) -> World:
    parser = configparser.ConfigParser()
    parser.read_dict(FILE)
    with (tmp_path / "protection.conf").open("w") as file:
        parser.write(file)
    (tmp_path / "glimpse.conf").write_text("[DEFAULT]\nproperty_protection_file = protection.conf\n")
    protection = read_protection(read_config([str(tmp_path / "glimpse.conf")]), policy)
    return make_world(OPTIONS, protection=protection)


def test_protected_properties(world: World) -> None:
    alice, admin = world.client(ALICE), world.client(ADMIN)
    assert post(alice, **{"property-secret": "s"}).status_code == 403
    image_id = created(alice, **{"property-fixed": "f", "property-open": "o"})["id"]
    document = {"property-fixed": "f", "property-open": "o", "property-secret": "s"}
    assert put(admin, image_id, **document).status_code == 200
    assert "x-image-meta-property-secret" not in head(alice, image_id).headers
    assert head(admin, image_id).headers["x-image-meta-property-secret"] == "s"
    # It stays, although she does not name it, and cannot be guessed.
    changed = put(alice, image_id, **{"property-fixed": "f"})
    assert changed.json()["image"]["properties"] == {"fixed": "f"}
    assert {put(alice, image_id, **{"property-fixed": "f", "property-secret": guess}).status_code
            for guess in ("s", "t")} == {403}  # fmt: skip
    assert put(alice, image_id, **{"property-fixed": "g"}).status_code == 403
    assert put(alice, image_id, name="purges").status_code == 403
    assert head(admin, image_id).headers["x-image-meta-property-secret"] == "s"
