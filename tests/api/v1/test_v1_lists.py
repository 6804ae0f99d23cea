"""Lists: filters, pages and orders (Image API v1)."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.v1.fixtures import OPTIONS, created
from tests.api.world import ADMIN, ALICE, BOB, Client, World


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    world = make_world(OPTIONS)
    admin, alice, bob = (world.client(one) for one in (ADMIN, ALICE, BOB))
    created(admin, b"12345", name="public", is_public="true", min_ram=64, **{"property-arch": "arm"})
    created(alice, b"1", name="small", protected="true")
    created(alice, name="in:a,b", disk_format="qcow2", min_disk=2, **{"property-arch": "x86"})
    created(bob, name="bobs")
    return world


def names(client: Client, query: str = "") -> list[str]:
    response = client.get(f"/v1/images?{query}")
    assert response.status_code == 200, response.text
    details = client.get(f"/v1/images/detail?{query}").json()["images"]
    brief = response.json()["images"]
    assert [image["id"] for image in brief] == [image["id"] for image in details]
    return [image["name"] for image in brief]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["in:a,b", "small", "public"]),
        ("name=in:a,b", ["in:a,b"]),
        ("status=queued", ["in:a,b"]),
        ("status=saving", []),
        ("disk_format=qcow2", ["in:a,b"]),
        ("container_format=ovf", []),
        ("min_ram=64", ["public"]),
        ("min_disk=2", ["in:a,b"]),
        ("size_min=2", ["public"]),
        ("size_min=1&size_max=4", ["small"]),
        ("protected=true", ["small"]),
        ("protected=0", ["in:a,b", "public"]),
        ("property-arch=arm", ["public"]),
        ("property-arch=mips", []),
        ("is_public=none", ["in:a,b", "small", "public"]),
        ("changes-since=2000-01-01T00:00:00Z", ["in:a,b", "small", "public"]),
        ("changes-since=2100-01-01T00:00:00Z", []),
        ("sort_key=name&sort_dir=asc", ["in:a,b", "public", "small"]),
        ("sort_key=size&sort_dir=desc&size_min=1", ["public", "small"]),
        ("limit=2", ["in:a,b", "small"]),
        ("limit=0", []),
        ("unheard=of", ["in:a,b", "small", "public"]),
    ],
)
def test_lists(world: World, query: str, expected: list[str]) -> None:
    assert names(world.client(ALICE), query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["public"]),
        ("is_public=True", ["public"]),
        ("is_public=None", ["bobs", "in:a,b", "small", "public"]),
        ("is_public=0", ["bobs", "in:a,b", "small"]),
        ("deleted=false", ["public"]),
    ],
)
def test_administrators_choose(world: World, query: str, expected: list[str]) -> None:
    assert names(world.client(ADMIN), query) == expected


def test_pages(world: World) -> None:
    alice = world.client(ALICE)
    everything = [image["id"] for image in alice.get("/v1/images").json()["images"]]
    found, marker = list[str](), ""
    while page := alice.get(f"/v1/images?limit=1{marker}").json()["images"]:
        found.append(page[0]["id"])
        marker = f"&marker={page[0]['id']}"
    assert found == everything


@pytest.mark.parametrize(
    "query",
    [
        "limit=x",
        "limit=-1",
        "marker=x",
        "marker=00000000-0000-4000-8000-000000000001",
        "sort_key=flavour",
        "sort_dir=up",
        "size_min=x",
        "size_max=1.5",
        "min_ram=x",
        f"min_disk={2**31}",
        "protected=maybe",
        "changes-since=soon",
        "is_public=maybe",
        "deleted=maybe",
        "name=%00",
        "name=%ff",
    ],
)
def test_bad_queries(world: World, query: str) -> None:
    assert world.client(ADMIN).get(f"/v1/images?{query}").status_code == 400
    assert world.client(ADMIN).get(f"/v1/images/detail?{query}").status_code == 400


def test_the_largest_page(make_world: MakeWorld) -> None:
    options = OPTIONS.replace("[import", "limit_param_default = 1\napi_limit_max = 2\n[import")
    alice = make_world(options).client(ALICE)
    for number in range(3):
        created(alice, name=f"n{number}")
    assert names(alice) == ["n2"]
    assert names(alice, "limit=3") == ["n2", "n1"]


def test_deleted_images(world: World) -> None:
    admin, alice, bob = (world.client(one) for one in (ADMIN, ALICE, BOB))
    gone = created(alice, b"123", name="gone", **{"property-arch": "arm"})
    assert alice.delete(f"/v1/images/{gone['id']}").status_code == 200
    for query in ("is_public=none", "is_public=none&deleted=false", ""):
        assert "gone" not in names(admin, query)
    assert names(admin, "is_public=none&deleted=true") == ["gone"]
    assert names(admin, "is_public=false&deleted=1") == ["gone"]
    assert names(admin, "deleted=true") == []
    [shown] = admin.get("/v1/images/detail?is_public=none&deleted=true").json()["images"]
    assert (shown["status"], shown["deleted"], shown["properties"]) == ("deleted", True, {})
    assert shown["deleted_at"] == shown["updated_at"]
    # Only administrators may ask for them, but what has changed includes what has gone.
    since = "changes-since=2020-01-01T00:00:00Z"
    assert "gone" not in names(alice, "deleted=true")
    assert "gone" in names(alice, since)
    assert "gone" not in names(bob, since)
    assert names(admin, f"is_public=none&{since}&deleted=true") == ["gone"]
    assert "gone" not in names(admin, f"is_public=none&{since}&deleted=false")
    assert names(admin, "is_public=none&changes-since=2100-01-01T00:00:00Z") == []


def test_pages_with_deleted_images(world: World) -> None:
    alice = world.client(ALICE)
    made = [created(alice, name=f"page {number}", min_disk=77)["id"] for number in range(4)]
    for image_id in made[::2]:
        assert alice.delete(f"/v1/images/{image_id}").status_code == 200
    query = "changes-since=2020-01-01T00:00:00Z&min_disk=77&sort_key=name&sort_dir=asc"
    found, marker = list[str](), ""
    while page := names(alice, f"{query}&limit=1{marker}"):
        found += page
        marker = f"&marker={made[len(found) - 1]}"
    assert found == [f"page {number}" for number in range(4)]
