"""Members and shared images (Image API v1)."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.v1.fixtures import OPTIONS, created, head, put
from tests.api.world import ADMIN, ALICE, BOB, CAROL, Client, Json, World


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(OPTIONS.replace("[import", "image_member_quota = 3\napi_limit_max = 1\n[import"))


def members(client: Client, image_id: str) -> list[str]:
    return [*sharing(client, image_id)]


def sharing(client: Client, image_id: str) -> dict[str, bool]:
    """The members of an image, and whether they may share it."""
    found = client.get(f"/v1/images/{image_id}/members").json()["members"]
    return {one["member_id"]: one["can_share"] for one in found}


def shared(client: Client, project: str) -> list[str]:
    response = client.get(f"/v1/shared-images/{project}")
    assert response.status_code == 200, response.text
    return [one["image_id"] for one in response.json()["shared_images"]]


def test_sharing(world: World) -> None:
    alice, bob = world.client(ALICE), world.client(BOB)
    image = created(alice, b"123")["id"]
    assert (members(alice, image), head(bob, image).status_code) == ([], 404)
    bodies: list[Json | None] = [None, {"member": {"can_share": False}}, {"member": {}}]
    for body in bodies:
        response = alice.put(f"/v1/images/{image}/members/b", body)
        assert (response.status_code, response.content) == (204, b"")
    assert members(alice, image) == members(bob, image) == ["b"]
    assert bob.get(f"/v1/images/{image}").content == b"123"
    assert alice.delete(f"/v1/images/{image}/members/b").status_code == 204
    assert alice.delete(f"/v1/images/{image}/members/b").status_code == 404
    assert head(bob, image).status_code == 404


def test_replacing(world: World) -> None:
    alice = world.client(ALICE)
    image = created(alice)["id"]
    path = f"/v1/images/{image}/members"
    for names in (["b", "c"], ["c", "d", "e"], ["e", "e"], []):
        rows = [{"member_id": name, "can_share": False} for name in names]
        assert alice.put(path, {"memberships": rows}).status_code == 204
        assert sorted(members(alice, image)) == sorted(set(names))
    assert alice.put(path, {"memberships": [{"member_id": "b"}]}).status_code == 204
    many = {"memberships": [{"member_id": name} for name in "cdef"]}
    assert (alice.put(path, many).status_code, members(alice, image)) == (413, ["b"])


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"memberships": {}},
        {"memberships": ["b"]},
        {"memberships": [{"member_id": 1}]},
        {"memberships": [{"member_id": ""}]},
        {"memberships": [{"member_id": "m" * 256}]},
        {"memberships": [{"member_id": "c"}, {"member_id": "a\0"}]},
        {"memberships": [{"member_id": "c", "can_share": "yes"}]},
    ],
)
def test_bad_documents_change_nothing(world: World, body: object) -> None:
    alice = world.client(ALICE)
    image = created(alice)["id"]
    assert alice.put(f"/v1/images/{image}/members/b").status_code == 204
    assert alice.put(f"/v1/images/{image}/members", body).status_code == 400
    assert members(alice, image) == ["b"]


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ([], 400),
        ({}, 400),
        ({"member": "x"}, 400),
        ({"member": {"can_share": 1}}, 400),
    ],
)
def test_bad_members(world: World, body: object, code: int) -> None:
    alice = world.client(ALICE)
    image = created(alice)["id"]
    assert alice.put(f"/v1/images/{image}/members/b", body).status_code == code
    assert members(alice, image) == []


def test_whose_business_it_is(world: World) -> None:
    alice, bob, carol, admin = (world.client(one) for one in (ALICE, BOB, CAROL, ADMIN))
    first, second = created(alice)["id"], created(alice)["id"]
    for image in (first, second):
        assert alice.put(f"/v1/images/{image}/members/b").status_code == 204
    assert bob.put(f"/v1/images/{first}/members/c").status_code == 403
    assert carol.get(f"/v1/images/{first}/members").status_code == 404
    # Two pages of one each.
    assert shared(alice, "b") == shared(bob, "b") == shared(admin, "b") == [second, first]
    assert (shared(carol, "b"), shared(alice, "c"), shared(alice, "a")) == ([], [], [])


def test_members_that_may_share(world: World) -> None:
    alice, bob, carol = (world.client(one) for one in (ALICE, BOB, CAROL))
    image = created(alice)["id"]
    path = f"/v1/images/{image}/members"
    assert alice.put(f"{path}/b", {"member": {"can_share": True}}).status_code == 204
    assert alice.put(f"{path}/b").status_code == 204
    assert sharing(alice, image) == {"b": True}
    [shown] = alice.get("/v1/shared-images/b").json()["shared_images"]
    assert shown == {"image_id": image, "can_share": True}
    # It may share, and no more: not even take back what it shared.
    assert bob.put(f"{path}/c").status_code == 204
    assert sharing(bob, image) == {"b": True, "c": False}
    assert bob.delete(f"{path}/c").status_code == 403
    assert bob.put(path, {"memberships": [{"member_id": "b"}]}).status_code == 403
    assert put(bob, image, name="mine").status_code == 403
    assert carol.put(f"{path}/d").status_code == 403
    rows = [{"member_id": "b", "can_share": False}, {"member_id": "c", "can_share": True}]
    assert alice.put(path, {"memberships": rows}).status_code == 204
    assert bob.put(f"{path}/d").status_code == 403
    assert carol.put(f"{path}/d").status_code == 204
    assert sharing(alice, image) == {"b": False, "c": True, "d": False}


def test_who_comes_back_may_not_share(world: World) -> None:
    alice, bob = world.client(ALICE), world.client(BOB)
    image = created(alice)["id"]
    path = f"/v1/images/{image}/members/b"
    assert alice.put(path, {"member": {"can_share": True}}).status_code == 204
    assert alice.delete(path).status_code == 204
    assert bob.put(f"/v1/images/{image}/members/c").status_code == 404
    assert alice.put(path).status_code == 204
    assert bob.put(f"/v1/images/{image}/members/c").status_code == 403


def test_public_images_have_no_members(world: World) -> None:
    admin = world.client(ADMIN)
    image = created(admin, is_public="true")["id"]
    assert members(admin, image) == []
    assert admin.put(f"/v1/images/{image}/members/b").status_code == 403
