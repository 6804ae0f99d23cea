"""GET and DELETE of one image, its tags, and the actions on it."""

from urllib.parse import quote

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, NEWER, Client, World, change

MISSING = "/v2/images/11111111-2222-4333-8444-555555555555"


class TestShow:
    @pytest.mark.parametrize("path", [MISSING, "/v2/images/x", "/v2/images/%00", "/v2/images/%F0%9F%9A%80"])
    def test_there_is_no_such_image(self, alice: Client, path: str) -> None:
        assert alice.get(path).status_code == 404

    def test_property_stored_as_null_is_an_empty_text(self, world: World, alice: Client) -> None:
        image = alice.create(kept="x")
        assert alice.patch(image["id"], change("replace", "kept", "")).json()["kept"] == ""

    def test_deleted_is_gone_for_administrators_too(self, alice: Client, admin: Client) -> None:
        path = f"/v2/images/{alice.create()['id']}"
        assert alice.delete(path).status_code == 204
        assert alice.get(path).status_code == 404
        assert admin.get(path).status_code == 404

    def test_no_locations_are_shown(self, alice: Client) -> None:
        image = alice.active()
        assert not {"locations", "direct_url", "stores"} & image.keys()
        assert "file://" not in str(image)


class TestDelete:
    def test_takes_record_and_data(self, world: World, alice: Client) -> None:
        image = alice.active(b"x" * 100)
        assert world.files() != []
        assert world.usage("a") == 100
        response = alice.delete(f"/v2/images/{image['id']}")
        assert (response.status_code, response.content) == (204, b"")
        assert response.headers["content-type"].startswith("text/html")
        assert world.files() == []
        assert world.usage("a") == 0
        assert alice.delete(f"/v2/images/{image['id']}").status_code == 404

    @pytest.mark.parametrize("persona", ["alice", "admin"])
    def test_protected_stays(self, request: pytest.FixtureRequest, world: World, persona: str) -> None:
        client: Client = request.getfixturevalue(persona)
        image = world.client(ALICE).active(protected=True)
        response = client.delete(f"/v2/images/{image['id']}")
        assert response.status_code == 403
        assert "protected" in response.text
        assert client.show(image["id"]) == image
        assert client.data(image["id"]).status_code == 200
        client.patch(image["id"], change("replace", "protected", False))
        assert client.delete(f"/v2/images/{image['id']}").status_code == 204

    def test_deactivated_can_go(self, world: World, alice: Client) -> None:
        path = f"/v2/images/{alice.active()['id']}"
        alice.post(f"{path}/actions/deactivate")
        assert alice.delete(path).status_code == 204
        assert world.files() == []

    def test_missing_data_does_not_matter(self, world: World, alice: Client) -> None:
        image = alice.active()
        for name in world.files():
            (world.image_folder / name).unlink()
        assert alice.delete(f"/v2/images/{image['id']}").status_code == 204

    def test_members_go_too(self, alice: Client, bob: Client) -> None:
        image = alice.create()
        alice.share(image["id"], "b", "accepted")
        alice.delete(f"/v2/images/{image['id']}")
        assert bob.get(f"/v2/images/{image['id']}/members").status_code == 404
        assert bob.names() == []

    def test_nothing_there(self, alice: Client) -> None:
        assert alice.delete(MISSING).status_code == 404


class TestTags:
    def test_attach_and_detach(self, alice: Client) -> None:
        image = alice.create(tags=["old"])
        path = f"/v2/images/{image['id']}/tags"
        for _ in range(2):
            response = alice.put(f"{path}/new")
            assert (response.status_code, response.content) == (204, b"")
        assert alice.show(image["id"])["tags"] == ["new", "old"]
        assert alice.delete(f"{path}/old").status_code == 204
        assert alice.delete(f"{path}/old").status_code == 404
        assert alice.show(image["id"])["tags"] == ["new"]

    @pytest.mark.parametrize("tag", ["größe", "漢字", "a b", "a+b", "a%2Bb", "x" * 255, "?", "#", "ä" * 255])
    def test_are_utf8_in_the_path(self, alice: Client, tag: str) -> None:
        """Upstream reads the path as Latin-1."""
        image = alice.create()
        path = f"/v2/images/{image['id']}/tags/{quote(tag)}"
        assert alice.put(path).status_code == 204
        assert alice.show(image["id"])["tags"] == [tag]
        assert alice.delete(path).status_code == 204
        assert alice.show(image["id"])["tags"] == []

    @pytest.mark.parametrize(("tag", "limit"), [("x" * 256, "255"), ("\N{ROCKET}", "tag"), ("\0", "tag")])
    def test_that_will_not_do(self, alice: Client, tag: str, limit: str) -> None:
        image = alice.create()
        response = alice.put(f"/v2/images/{image['id']}/tags/{quote(tag)}")
        assert response.status_code == 400
        assert limit in response.text
        assert alice.show(image["id"]) == image

    def test_slash_is_impossible(self, alice: Client) -> None:
        assert alice.put(f"/v2/images/{alice.create()['id']}/tags/a%2Fb").status_code == 404

    def test_quota(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nimage_tag_quota = 2\n").client(ALICE)
        image = client.create(tags=["one"])
        path = f"/v2/images/{image['id']}/tags"
        assert client.put(f"{path}/two").status_code == 204
        assert client.put(f"{path}/two").status_code == 204
        response = client.put(f"{path}/three")
        assert response.status_code == 413
        assert "image_tag_quota" in response.text
        assert client.show(image["id"])["tags"] == ["one", "two"]

    def test_image_above_a_lowered_quota_may_shrink(self, make_world: MakeWorld) -> None:
        image = make_world().client(ALICE).create(tags=["one", "two", "three"])
        client = make_world("[DEFAULT]\nimage_tag_quota = 1\n").client(ALICE)
        assert client.delete(f"/v2/images/{image['id']}/tags/one").status_code == 204
        assert client.patch(image["id"], change("add", "name", "x")).status_code == 200

    @pytest.mark.parametrize("method", ["PUT", "DELETE"])
    def test_of_no_image(self, alice: Client, method: str) -> None:
        assert alice.ask(method, f"{MISSING}/tags/x").status_code == 404


class TestActions:
    def test_there_and_back(self, alice: Client) -> None:
        image = alice.active()
        path = f"/v2/images/{image['id']}/actions"
        for action, status in (("deactivate", "deactivated"), ("reactivate", "active")):
            for _ in range(2):
                response = alice.post(f"{path}/{action}")
                assert (response.status_code, response.content) == (204, b"")
            assert alice.show(image["id"])["status"] == status

    @pytest.mark.parametrize("action", ["deactivate", "reactivate"])
    def test_of_an_image_without_data(self, alice: Client, action: str) -> None:
        image = alice.create()
        response = alice.post(f"/v2/images/{image['id']}/actions/{action}")
        assert response.status_code == 403
        assert "queued" in response.text
        assert alice.show(image["id"]) == image

    @pytest.mark.parametrize("action", ["deactivate", "reactivate"])
    def test_of_no_image(self, alice: Client, action: str) -> None:
        assert alice.post(f"{MISSING}/actions/{action}").status_code == 404

    def test_unknown(self, alice: Client) -> None:
        assert alice.post(f"/v2/images/{alice.active()['id']}/actions/explode").status_code == 404

    def test_metadata_of_a_deactivated_image_may_change(self, alice: Client) -> None:
        image = alice.active()
        alice.post(f"/v2/images/{image['id']}/actions/deactivate")
        assert alice.patch(image["id"], change("add", "name", "x"), media=NEWER).status_code == 200


class TestDeactivated:
    def test_is_no_download_for_anybody_but_administrators(
        self, alice: Client, bob: Client, admin: Client
    ) -> None:
        image = alice.active(b"data", visibility="community")
        alice.post(f"/v2/images/{image['id']}/actions/deactivate")
        for client in (alice, bob):
            response = client.data(image["id"])
            assert response.status_code == 403
            assert "deactivated" in response.text
            assert client.data(image["id"], Range="bytes=0-0").status_code == 403
        assert admin.data(image["id"]).content == b"data"
        assert alice.show(image["id"])["checksum"] == image["checksum"]
