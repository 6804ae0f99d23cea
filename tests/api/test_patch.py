"""PATCH /v2/images/{id}, in both dialects."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, NEWER, OLDER, Client, World, change, older, without

MISSING = "11111111-2222-4333-8444-555555555555"

READ_ONLY = [
    *("id", "status", "checksum", "os_hash_algo", "os_hash_value", "size", "virtual_size", "created_at"),
    *("updated_at", "direct_url", "self", "file", "schema", "stores"),
]
RESERVED = [
    *("location", "deleted", "deleted_at", "os_glance_import_task", "os_glance_x"),
    *("image_id", "extra_properties", "members"),
]
BASE = [
    *("name", "visibility", "protected", "os_hidden", "owner", "container_format", "disk_format", "tags"),
    *("min_ram", "min_disk"),
]


class TestMediaTypes:
    @pytest.mark.parametrize(
        "media",
        [
            None,
            "",
            "application/json",
            "application/json-patch+json",
            "application/openstack-images-v2.2-json-patch",
            "text/plain",
        ],
    )
    def test_others_are_refused_and_the_right_ones_named(self, alice: Client, media: str | None) -> None:
        image = alice.create()
        headers = {} if media is None else {"Content-Type": media}
        path = f"/v2/images/{image['id']}"
        response = alice.ask("PATCH", path, content=b'[{"op": "add"}]', headers=headers)
        assert response.status_code == 415
        assert response.headers["accept-patch"] == f"{OLDER}, {NEWER}"
        assert alice.show(image["id"]) == image

    @pytest.mark.parametrize("media", [NEWER.upper(), f"{NEWER}; charset=utf-8"])
    def test_are_compared_as_media_types(self, alice: Client, media: str) -> None:
        image = alice.create()
        response = alice.patch(image["id"], change("add", "name", "x"), media=media)
        assert response.status_code == 200


class TestWhole:
    @pytest.mark.parametrize("media", [NEWER, OLDER])
    def test_empty_patch_changes_nothing(self, alice: Client, bob: Client, media: str) -> None:
        image = alice.create(visibility="community")
        for client in (alice, bob):
            response = client.patch(image["id"], media=media)
            assert response.status_code == 200
            assert response.json() == image

    def test_changes_apply_in_order_and_are_answered_whole(self, alice: Client) -> None:
        image = alice.create(one="1", two="2")
        response = alice.patch(
            image["id"],
            change("add", "three", "3"),
            change("replace", "three", "drei"),
            change("remove", "one"),
            change("add", "one", "eins"),
            change("remove", "two"),
            change("replace", "name", "x"),
        )
        assert response.status_code == 200
        document = response.json()
        assert document == alice.show(image["id"])
        assert document.items() >= {"three": "drei", "one": "eins", "name": "x"}.items()
        assert "two" not in document
        assert document["created_at"] == image["created_at"]
        assert document["updated_at"] > image["updated_at"]

    def test_all_or_nothing(self, alice: Client) -> None:
        image = alice.create(tags=["a"])
        response = alice.patch(
            image["id"],
            change("add", "name", "x"),
            change("add", "p", "x"),
            change("replace", "tags", ["b"]),
            change("remove", "absent"),
        )
        assert response.status_code == 409
        assert alice.show(image["id"]) == image

    def test_later_changes_see_what_earlier_ones_left(self, alice: Client) -> None:
        image = alice.create(p="1")
        gone = [change("remove", "p"), change("replace", "p", "2")]
        assert alice.patch(image["id"], *gone).status_code == 409
        assert alice.show(image["id"]) == image

    @pytest.mark.parametrize(
        "changes",
        [
            [5],
            ["add"],
            [None],
            [[]],
            [{}],
            [{"op": "add"}],
            [{"op": "add", "path": "/name"}],
            [{"op": "replace", "path": "/name"}],
            [{"path": "/name", "value": "x"}],
            [{"op": "test", "path": "/name", "value": None}],
            [{"op": "move", "path": "/name", "from": "/p"}],
            [{"op": "copy", "path": "/name", "from": "/p"}],
            [{"op": "ADD", "path": "/name", "value": "x"}],
            [{"op": ["add"], "path": "/name", "value": "x"}],
            [{"op": {}, "path": "/name", "value": "x"}],
            [{"op": "add", "path": 5, "value": "x"}],
            [{"op": "add", "path": None, "value": "x"}],
            [{"op": "add", "path": ["name"], "value": "x"}],
            [{"op": "add", "value": "x"}],
            [{"op": "add", "path": "/name", "value": "x"}, 5],
        ],
        ids=repr,
    )
    def test_what_is_no_list_of_changes_is_refused(self, alice: Client, changes: list[object]) -> None:
        image = alice.create()
        assert alice.patch(image["id"], *changes).status_code == 400
        assert alice.show(image["id"]) == image

    @pytest.mark.parametrize(
        "entry",
        [
            {"add": "/name", "remove": "/name", "value": "x"},
            {"value": "x"},
            {"add": "/name"},
            {"op": "add", "path": "/name", "value": "x"},
            {"add": "/name", "value": "x", "extra": 1},
            {"move": "/name", "value": "x"},
            {"add": 5, "value": "x"},
        ],
        ids=repr,
    )
    def test_what_is_no_change_of_the_older_dialect_is_refused(self, alice: Client, entry: object) -> None:
        image = alice.create()
        assert alice.patch(image["id"], entry, media=OLDER).status_code == 400
        assert alice.show(image["id"]) == image

    def test_unknown_keys_of_the_newer_dialect_are_ignored(self, alice: Client) -> None:
        image = alice.create()
        entry = {**change("add", "name", "x"), "comment": "hello"}
        assert alice.patch(image["id"], entry).json()["name"] == "x"

    def test_same_value_is_no_change(self, alice: Client) -> None:
        image = alice.create(name="x", p="1")
        same = [change("replace", "name", "x"), change("replace", "p", "1")]
        assert alice.patch(image["id"], *same).json() == image


class TestPaths:
    @pytest.mark.parametrize(
        "path",
        [
            "",
            "name",
            "//",
            "/name/",
            "/a//b",
            "//name",
            "/a~",
            "/a~2b",
            "/a/b",
            "/tags/0",
            "/tags/-",
            "/a/b/c",
        ],
    )
    @pytest.mark.parametrize("media", [NEWER, OLDER])
    def test_that_are_none(self, alice: Client, media: str, path: str) -> None:
        image = alice.create(a="1", tags=["t"])
        entry = {"op": "add", "path": path, "value": "x"} if media == NEWER else {"add": path, "value": "x"}
        response = alice.patch(image["id"], entry, media=media)
        assert response.status_code == 400
        assert "path" in response.text
        assert alice.show(image["id"]) == image

    @pytest.mark.parametrize(
        ("path", "name"), [("a~1b", "a/b"), ("a~0b", "a~b"), ("a~01b", "a~1b"), ("", ""), ("ü", "ü")]
    )
    def test_escapes(self, alice: Client, path: str, name: str) -> None:
        image = alice.create()
        assert alice.patch(image["id"], change("add", path, "x")).json()[name] == "x"
        assert alice.patch(image["id"], change("replace", path, "y")).json()[name] == "y"
        assert name not in alice.patch(image["id"], change("remove", path)).json()


class TestPresence:
    def test_newer_add_overwrites(self, alice: Client) -> None:
        image = alice.create(p="1", name="n")
        document = alice.patch(image["id"], change("add", "p", "2"), change("add", "name", "m")).json()
        assert (document["p"], document["name"]) == ("2", "m")

    @pytest.mark.parametrize("name", ["p", *(name for name in BASE if name != "owner")])
    def test_older_add_does_not(self, alice: Client, name: str) -> None:
        image = alice.create(p="1")
        value = image[name] if name != "p" else "2"
        assert alice.patch(image["id"], older("add", name, value), media=OLDER).status_code == 409
        assert alice.show(image["id"]) == image

    def test_older_dialect_works(self, alice: Client) -> None:
        image = alice.create(p="1", q="1")
        document = alice.patch(
            image["id"],
            older("add", "r", "3"),
            older("replace", "p", "2"),
            older("remove", "q"),
            older("replace", "name", "x"),
            media=OLDER,
        ).json()
        assert document.items() >= {"r": "3", "p": "2", "name": "x"}.items()
        assert "q" not in document

    @pytest.mark.parametrize("media", [NEWER, OLDER])
    @pytest.mark.parametrize("operation", ["replace", "remove"])
    def test_absent_properties_conflict(self, alice: Client, operation: str, media: str) -> None:
        image = alice.create()
        make = change if media == NEWER else older
        response = alice.patch(image["id"], make(operation, "absent", "x"), media=media)
        assert response.status_code == 409
        assert "absent" in response.text

    @pytest.mark.parametrize("name", BASE)
    def test_base_attributes_cannot_be_removed(self, alice: Client, admin: Client, name: str) -> None:
        image = alice.create()
        for client in (alice, admin):
            assert client.patch(image["id"], change("remove", name)).status_code == 403
        assert alice.show(image["id"]) == image


class TestForbidden:
    @pytest.mark.parametrize("name", [*READ_ONLY, *RESERVED])
    def test_names_of_the_service(self, alice: Client, admin: Client, name: str) -> None:
        image = alice.create()
        for client in (alice, admin):
            for operation in ("add", "replace", "remove"):
                response = client.patch(image["id"], change(operation, name, "x"))
                assert response.status_code == 403
                assert name in response.text
        assert alice.show(image["id"]) == image

    @pytest.mark.parametrize("operation", ["add", "replace"])
    @pytest.mark.parametrize("owner", ["b", "a", None])
    def test_owner_is_for_administrators(
        self, alice: Client, admin: Client, operation: str, owner: str | None
    ) -> None:
        """Upstream's `add` changes the owner and answers 403 afterwards."""
        image = alice.create()
        assert alice.patch(image["id"], change(operation, "owner", owner)).status_code == 403
        assert admin.show(image["id"]) == image

    def test_administrator_gives_an_image_away(self, alice: Client, bob: Client, admin: Client) -> None:
        image = alice.create()
        assert admin.patch(image["id"], change("replace", "owner", "b")).json()["owner"] == "b"
        assert bob.show(image["id"])["owner"] == "b"
        assert alice.get(f"/v2/images/{image['id']}").status_code == 404

    def test_visibilities(self, alice: Client, admin: Client) -> None:
        image = alice.create()
        for visibility in ("private", "community", "shared"):
            patched = alice.patch(image["id"], change("replace", "visibility", visibility))
            assert patched.json()["visibility"] == visibility
        response = alice.patch(image["id"], change("replace", "visibility", "public"))
        assert response.status_code == 403
        assert "publicize_image" in response.text
        assert alice.show(image["id"])["visibility"] == "shared"
        assert admin.patch(image["id"], change("replace", "visibility", "public")).status_code == 200

    @pytest.mark.parametrize("media", [NEWER, OLDER])
    @pytest.mark.parametrize("name", ["disk_format", "container_format"])
    def test_formats_after_the_upload(self, alice: Client, name: str, media: str) -> None:
        image = alice.active()
        make = change if media == NEWER else older
        response = alice.patch(image["id"], make("replace", name, image[name]), media=media)
        assert response.status_code == 403
        assert name in response.text

    def test_other_attributes_after_the_upload(self, alice: Client) -> None:
        image = alice.active()
        document = alice.patch(image["id"], change("replace", "min_disk", 7)).json()
        assert document["min_disk"] == 7
        assert without(document, "min_disk", "updated_at") == without(image, "min_disk", "updated_at")

    @pytest.mark.parametrize(
        ("path", "operation"),
        [("locations", "replace"), ("locations/0", "add"), ("locations/-", "add"), ("locations/0", "remove")],
    )
    def test_locations(self, alice: Client, admin: Client, path: str, operation: str) -> None:
        image = alice.active()
        value = {"url": "http://example.com/x", "metadata": {}}
        for client in (alice, admin):
            for given in (value, [value], []):
                response = client.patch(image["id"], change(operation, path, given))
                assert response.status_code == 403
        assert alice.show(image["id"]) == image


class TestWho:
    def test_image_that_is_not_there(self, alice: Client) -> None:
        assert alice.patch(MISSING, change("add", "name", "x")).status_code == 404

    def test_image_that_is_not_visible(self, alice: Client, bob: Client) -> None:
        image = alice.create()
        assert bob.patch(image["id"], change("add", "name", "x")).status_code == 404

    def test_image_of_somebody_else(self, alice: Client, bob: Client, reader: Client) -> None:
        image = alice.create(visibility="community")
        for client in (bob, reader):
            assert client.patch(image["id"], change("add", "name", "x")).status_code == 403
        assert alice.show(image["id"]) == image

    def test_member_changes_nothing(self, alice: Client, bob: Client) -> None:
        image = alice.create()
        alice.share(image["id"], "b", "accepted")
        assert bob.patch(image["id"], change("add", "name", "x")).status_code == 403


class TestQuotas:
    def test_properties(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nimage_property_quota = 2\n").client(ALICE)
        image = client.create(one="1", two="2")
        response = client.patch(image["id"], change("add", "three", "3"))
        assert response.status_code == 413
        assert "image_property_quota" in response.text
        assert client.show(image["id"]) == image
        swap = [change("remove", "one"), change("add", "three", "3")]
        assert client.patch(image["id"], *swap).status_code == 200

    def test_tags(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nimage_tag_quota = 2\n").client(ALICE)
        image = client.create(tags=["a", "b"])
        assert client.patch(image["id"], change("replace", "tags", ["a", "b", "c"])).status_code == 413
        assert client.show(image["id"]) == image
        assert client.patch(image["id"], change("replace", "tags", ["c", "d"])).status_code == 200

    def test_image_above_a_lowered_quota_may_shrink_and_be_edited(self, make_world: MakeWorld) -> None:
        image = make_world().client(ALICE).create(one="1", two="2", three="3")
        client = make_world("[DEFAULT]\nimage_property_quota = 1\n").client(ALICE)
        assert client.patch(image["id"], change("replace", "one", "eins")).status_code == 200
        assert client.patch(image["id"], change("replace", "name", "x")).status_code == 200
        assert client.patch(image["id"], change("remove", "two")).status_code == 200
        assert client.patch(image["id"], change("add", "four", "4")).status_code == 413


def test_patch_and_tag_of_two_people_do_not_undo_each_other(world: World, alice: Client) -> None:
    image = alice.create(p="1")
    alice.put(f"/v2/images/{image['id']}/tags/t")
    document = alice.patch(image["id"], change("add", "q", "2")).json()
    assert (document["tags"], document["p"], document["q"]) == (["t"], "1", "2")
