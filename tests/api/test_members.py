"""Sharing an image with projects."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, BOB, Client, World, change

MISSING = "/v2/images/11111111-2222-4333-8444-555555555555"


@pytest.fixture
def path(alice: Client) -> str:
    """Where the members of an image of Alice's are."""
    return f"/v2/images/{alice.create(name='shared')['id']}/members"


class TestAdd:
    def test_member_is_pending(self, alice: Client, path: str) -> None:
        response = alice.post(path, {"member": "b"})
        assert response.status_code == 200
        member = response.json()
        assert member == {
            "member_id": "b",
            "image_id": path.split("/")[3],
            "status": "pending",
            "created_at": member["created_at"],
            "updated_at": member["created_at"],
            "schema": "/v2/schemas/member",
        }
        assert alice.get(f"{path}/b").json() == member
        assert alice.get(path).json() == {"members": [member], "schema": "/v2/schemas/members"}

    def test_twice(self, alice: Client, path: str) -> None:
        alice.post(path, {"member": "b"})
        assert alice.post(path, {"member": "b"}).status_code == 409

    def test_again_after_removal(self, alice: Client, bob: Client, path: str) -> None:
        alice.post(path, {"member": "b"})
        bob.put(f"{path}/b", {"status": "accepted"})
        assert alice.delete(f"{path}/b").status_code == 204
        assert alice.post(path, {"member": "b"}).json()["status"] == "pending"

    def test_owner_may_add_itself(self, alice: Client, path: str) -> None:
        assert alice.post(path, {"member": "a"}).status_code == 200
        assert alice.put(f"{path}/a", {"status": "accepted"}).status_code == 200

    @pytest.mark.parametrize("name", ["x" * 255, "a project", "größe", "漢字"])
    def test_names(self, alice: Client, path: str, name: str) -> None:
        assert alice.post(path, {"member": name}).json()["member_id"] == name
        assert alice.get(path).json()["members"][0]["member_id"] == name

    @pytest.mark.parametrize(
        "document",
        [
            {},
            [],
            ["b"],
            {"member": ""},
            {"member": None},
            {"member": 5},
            {"member": True},
            {"member": ["b"]},
            {"member": {"id": "b"}},
            {"members": "b"},
            {"member": "x" * 256},
            {"member": "\N{ROCKET}"},
            {"member": "a\0b"},
        ],
        ids=lambda document: repr(document)[:30],
    )
    def test_that_will_not_do(self, alice: Client, path: str, document: object) -> None:
        """Upstream makes a text of anything."""
        response = alice.post(path, document)
        assert response.status_code == 400
        assert "member" in response.text or "object" in response.text
        assert alice.get(path).json()["members"] == []

    def test_quota(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nimage_member_quota = 2\n").client(ALICE)
        path = f"/v2/images/{client.create()['id']}/members"
        for project in ("b", "c"):
            assert client.post(path, {"member": project}).status_code == 200
        response = client.post(path, {"member": "d"})
        assert response.status_code == 413
        assert "image_member_quota" in response.text
        client.delete(f"{path}/b")
        assert client.post(path, {"member": "d"}).status_code == 200

    @pytest.mark.parametrize("visibility", ["private", "community", "public"])
    def test_only_shared_images_have_members(
        self, alice: Client, admin: Client, path: str, visibility: str
    ) -> None:
        alice.post(path, {"member": "b"})
        admin.patch(path.split("/")[3], change("replace", "visibility", visibility))
        assert alice.post(path, {"member": "c"}).status_code == 403
        assert alice.get(path).status_code == 403
        assert alice.get(f"{path}/b").status_code == 404
        assert alice.delete(f"{path}/b").status_code == 403

    def test_members_come_back_with_the_visibility(self, alice: Client, bob: Client, path: str) -> None:
        image_id = path.split("/")[3]
        alice.share(image_id, "b", "accepted")
        alice.patch(image_id, change("replace", "visibility", "private"))
        assert bob.get(f"/v2/images/{image_id}").status_code == 404
        assert bob.names() == []
        alice.patch(image_id, change("replace", "visibility", "shared"))
        assert bob.names() == ["shared"]


class TestSee:
    def test_owner_and_administrator_see_all_in_order(
        self, alice: Client, admin: Client, reader: Client, path: str
    ) -> None:
        for project in ("c", "b", "d"):
            alice.post(path, {"member": project})
        for client in (alice, admin, reader):
            members = client.get(path).json()["members"]
            assert [member["member_id"] for member in members] == ["c", "b", "d"]

    def test_member_sees_itself_alone(self, alice: Client, bob: Client, path: str) -> None:
        for project in ("b", "c"):
            alice.post(path, {"member": project})
        assert [member["member_id"] for member in bob.get(path).json()["members"]] == ["b"]
        assert bob.get(f"{path}/b").status_code == 200
        assert bob.get(f"{path}/c").status_code == 404

    def test_others_see_nothing(self, alice: Client, carol: Client, path: str) -> None:
        alice.post(path, {"member": "b"})
        for asked in (path, f"{path}/b", f"{path}/c"):
            assert carol.get(asked).status_code == 404

    def test_no_such_member(self, alice: Client, path: str) -> None:
        for name in ("b", "%00", "%F0%9F%9A%80", "x" * 300):
            assert alice.get(f"{path}/{name}").status_code == 404

    def test_no_such_image(self, alice: Client) -> None:
        assert alice.get(f"{MISSING}/members").status_code == 404
        assert alice.get(f"{MISSING}/members/b").status_code == 404
        assert alice.post(f"{MISSING}/members", {"member": "b"}).status_code == 404
        assert alice.put(f"{MISSING}/members/b", {"status": "accepted"}).status_code == 404
        assert alice.delete(f"{MISSING}/members/b").status_code == 404


class TestAnswer:
    @pytest.mark.parametrize("status", ["accepted", "rejected", "pending"])
    def test_is_the_members(self, alice: Client, bob: Client, path: str, status: str) -> None:
        before = alice.post(path, {"member": "b"}).json()
        response = bob.put(f"{path}/b", {"status": status})
        assert response.status_code == 200
        after = response.json()
        assert after["status"] == status
        assert after["created_at"] == before["created_at"]
        assert alice.get(f"{path}/b").json() == after

    def test_is_not_the_owners(self, alice: Client, path: str) -> None:
        alice.post(path, {"member": "b"})
        assert alice.put(f"{path}/b", {"status": "accepted"}).status_code == 403
        assert alice.get(f"{path}/b").json()["status"] == "pending"

    def test_may_be_an_administrators(self, alice: Client, admin: Client, path: str) -> None:
        alice.post(path, {"member": "b"})
        assert admin.put(f"{path}/b", {"status": "accepted"}).status_code == 200

    def test_is_not_another_members(self, alice: Client, carol: Client, path: str) -> None:
        for project in ("b", "c"):
            alice.post(path, {"member": project})
        assert carol.put(f"{path}/b", {"status": "accepted"}).status_code == 404

    def test_is_not_a_mere_readers(self, world: World, alice: Client, path: str) -> None:
        alice.post(path, {"member": "b"})
        client = world.client("Persona rob;project=b;roles=reader")
        assert client.put(f"{path}/b", {"status": "accepted"}).status_code == 403

    @pytest.mark.parametrize(
        "document",
        [
            {},
            [],
            {"status": ""},
            {"status": "ACCEPTED"},
            {"status": "x" * 9},
            {"status": None},
            {"status": 1},
        ],
        ids=repr,
    )
    def test_that_is_none(self, alice: Client, bob: Client, path: str, document: object) -> None:
        alice.post(path, {"member": "b"})
        assert bob.put(f"{path}/b", document).status_code == 400
        assert bob.get(f"{path}/b").json()["status"] == "pending"

    @pytest.mark.parametrize("status", ["pending", "rejected", "accepted"])
    def test_filters_lists_only(self, alice: Client, bob: Client, path: str, status: str) -> None:
        image_id = path.split("/")[3]
        alice.share(image_id, "b", status)
        assert bob.names() == (["shared"] if status == "accepted" else [])
        assert bob.names(f"member_status={status}") == ["shared"]
        assert bob.names("member_status=all") == ["shared"]
        assert bob.show(image_id)["name"] == "shared"


class TestRemove:
    def test_ends_the_sharing(self, alice: Client, bob: Client, path: str) -> None:
        alice.share(path.split("/")[3], "b", "accepted")
        response = alice.delete(f"{path}/b")
        assert (response.status_code, response.content) == (204, b"")
        assert alice.delete(f"{path}/b").status_code == 404
        assert bob.get(path).status_code == 404

    def test_is_not_the_members(self, alice: Client, bob: Client, path: str) -> None:
        alice.share(path.split("/")[3], "b")
        assert bob.delete(f"{path}/b").status_code == 403
        assert alice.get(f"{path}/b").status_code == 200

    def test_may_be_an_administrators(self, alice: Client, admin: Client, path: str) -> None:
        alice.share(path.split("/")[3], "b")
        assert admin.delete(f"{path}/b").status_code == 204


def test_members_add_nobody(world: World, alice: Client, path: str) -> None:
    alice.share(path.split("/")[3], "b", "accepted")
    assert world.client(BOB).post(path, {"member": "c"}).status_code == 403
