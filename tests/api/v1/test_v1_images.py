"""Images and their data (Image API v1)."""

import hashlib

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.v1.fixtures import OPTIONS, RAW, created, head, meta, post, put, send
from tests.api.world import ADMIN, ALICE, BOB, DATA_TYPE, READER, Client, World, change

BYTES = b"0123456789"
TYPE = {"Content-Type": DATA_TYPE}
MD5 = hashlib.md5(BYTES).hexdigest()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(OPTIONS)


def statuses(client: Client) -> list[str]:
    return [image["status"] for image in client.get("/v1/images/detail").json()["images"]]


def test_it_is_off_unless_asked_for(make_world: MakeWorld) -> None:
    alice = make_world().client(ALICE)
    assert alice.get("/v1/images").status_code == 300
    assert not [one for one in alice.get("/versions").json()["versions"] if one["id"].startswith("v1")]


def test_versions(alice: Client) -> None:
    listed = alice.get("/versions").json()["versions"]
    assert [one["id"] for one in listed[-2:]] == ["v1.1", "v1.0"]
    assert {one["links"][0]["href"] for one in listed[-2:]} == {"http://glimpse.test/v1/"}
    assert {one["status"] for one in listed[-2:]} == {"SUPPORTED"}
    for version in ("v1", "v1.0", "v1.1"):
        assert alice.get(f"/{version}/images").json() == {"images": []}
    moved = alice.get("/v1")
    assert (moved.status_code, moved.headers["location"]) == (302, "http://glimpse.test/v1/")
    assert alice.get("/v1.2/images").status_code == 300


def test_nobody(nobody: Client) -> None:
    assert nobody.get("/v1/images").status_code == 401
    assert post(nobody, BYTES).status_code == 401


def test_an_image_with_its_data(alice: Client) -> None:
    response = post(alice, BYTES, **{"property-Arch": "x86", "min_ram": 5, "protected": "true"})
    assert response.status_code == 201, response.text
    image = response.json()["image"]
    assert response.headers["location"] == f"http://glimpse.test/v1/images/{image['id']}"
    assert response.headers["etag"] == MD5
    assert image == {
        "id": image["id"],
        "name": "n",
        "status": "active",
        "owner": "a",
        "size": 10,
        "virtual_size": 10,
        "checksum": MD5,
        "disk_format": "raw",
        "container_format": "bare",
        "min_ram": 5,
        "min_disk": 0,
        "is_public": False,
        "protected": True,
        "deleted": False,
        "created_at": image["created_at"],
        "updated_at": image["updated_at"],
        "deleted_at": None,
        "properties": {"arch": "x86"},
    }
    assert image["created_at"].startswith("2026-01-01T00:00:")
    assert image["created_at"].endswith(".000000")
    assert alice.get("/v1/images/detail").json() == {"images": [image]}
    brief = ("id", "name", "size", "disk_format", "container_format", "checksum")
    assert alice.get("/v1/images").json() == {"images": [{name: image[name] for name in brief}]}
    document = alice.show(image["id"])
    assert (document["visibility"], document["arch"], document["size"]) == ("shared", "x86", 10)


def test_headers_and_download(alice: Client) -> None:
    image = created(alice, BYTES, **{"property-city": "Zürich"})
    shown = head(alice, image["id"])
    assert (shown.status_code, shown.content, shown.headers["etag"]) == (200, b"", MD5)
    told = {name.decode(): value.decode() for name, value in shown.headers.raw}
    assert told["x-image-meta-property-city"] == "Zürich"
    assert told["x-image-meta-is_public"] == "False"
    assert told["x-image-meta-size"] == "10"
    assert told["x-image-meta-status"] == "active"
    assert told["x-image-meta-deleted_at"] == ""
    assert "x-image-meta-location" not in told
    data = alice.get(f"/v1/images/{image['id']}", range="bytes=1-2")
    assert (data.status_code, data.content, data.headers["content-length"]) == (200, BYTES, "10")
    assert data.headers["content-type"] == "application/octet-stream"
    got = {name.decode(): value.decode() for name, value in data.headers.raw}
    assert {
        name: value for name, value in told.items() if name.startswith("x-image-meta")
    }.items() <= got.items()


def test_what_the_api_v2_wrote_cannot_split_headers(alice: Client) -> None:
    image = alice.active(BYTES, split="a\r\nX-Evil: 1", name="a\nb")
    for response in (head(alice, image["id"]), alice.get(f"/v1/images/{image['id']}")):
        assert response.headers["x-image-meta-property-split"] == "a  X-Evil: 1"
        assert response.headers["x-image-meta-name"] == "a b"
        assert "x-evil" not in response.headers


def test_methods(alice: Client) -> None:
    image = created(alice)
    for method, path, allowed in (
        ("HEAD", "/v1/images/detail", "GET"),
        ("PATCH", "/v1/images", "GET, POST"),
        ("POST", f"/v1/images/{image['id']}", "DELETE, GET, HEAD, PUT"),
        ("GET", f"/v1/images/{image['id']}/members/b", "DELETE, PUT"),
    ):
        response = alice.ask(method, path)
        assert (response.status_code, response.headers["allow"]) == (405, allowed)


def test_data_that_comes_later(alice: Client) -> None:
    image = created(alice, size=10, checksum=MD5)
    assert (image["status"], image["size"], image["checksum"]) == ("queued", 10, MD5)
    assert alice.get(f"/v1/images/{image['id']}").status_code == 404
    response = put(alice, image["id"], BYTES)
    assert (response.status_code, response.headers["etag"]) == (200, MD5)
    assert response.json()["image"]["status"] == "active"
    assert put(alice, image["id"], BYTES).status_code == 409
    assert alice.get(f"/v1/images/{image['id']}").content == BYTES


def test_nothing_is_active_at_once(alice: Client) -> None:
    response = alice.ask("POST", "/v1/images", headers=meta(name="bucket", size=0, **{"property-bdm": "[]"}))
    image = response.json()["image"]
    assert (response.status_code, image["status"], image["size"]) == (201, "active", 0)
    assert image["disk_format"] is None
    data = alice.get(f"/v1/images/{image['id']}")
    assert (data.status_code, data.content, data.headers["content-length"]) == (200, b"", "0")
    assert alice.delete(f"/v1/images/{image['id']}").status_code == 200


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"size": 9}, 400),
        ({"size": 11}, 400),
        ({"checksum": "0" * 32}, 400),
        ({"disk_format": "qcow2"}, 415),
    ],
)
def test_what_is_not_as_announced_is_killed(world: World, fields: dict[str, object], code: int) -> None:
    alice = world.client(ALICE)
    identity = "00000000-0000-4000-8000-000000000001"
    response = post(alice, BYTES, id=identity, **fields)
    assert response.status_code == code, response.text
    assert head(alice, identity).headers["x-image-meta-status"] == "killed"
    assert (statuses(alice), world.files(), world.usage("a")) == ([], [], 0)
    later = created(alice, **{name: value for name, value in fields.items() if name != "size"})
    assert (
        put(alice, later["id"], BYTES, **{n: v for n, v in fields.items() if n == "size"}).status_code == code
    )
    assert head(alice, later["id"]).headers["x-image-meta-status"] == "killed"


def test_a_refused_upload_does_not_kill_what_is_not_ones_own(world: World) -> None:
    image = created(world.client(ADMIN), is_public="true")
    assert put(world.client(BOB), image["id"], BYTES).status_code == 403
    assert head(world.client(BOB), image["id"]).headers["x-image-meta-status"] == "queued"


@pytest.mark.parametrize(
    "headers",
    [
        {**meta(**RAW), "Content-Type": "text/plain"},
        {"x-image-meta-name": "no formats", **TYPE},
        {**meta(**RAW, location="http://127.0.0.1/x"), **TYPE},
        {
            **meta(**RAW),
            "x-glance-api-copy-from": "http://127.0.0.1/x",
            "Content-Type": "application/octet-stream",
        },
        {**meta(disk_format="ami", container_format="bare"), **TYPE},
        {**meta(**RAW, nothing="x"), **TYPE},
        {**meta(**RAW, min_ram="x"), **TYPE},
        {**meta(**RAW, size=2**40 + 1), **TYPE},
        {**meta(**RAW, **{"property-x": b"\xff"}), **TYPE},
        {**meta(**RAW, name="a\0b"), **TYPE},
    ],
)
def test_bad_headers_leave_nothing(world: World, headers: dict[str, str | bytes]) -> None:
    alice = world.client(ALICE)
    response = alice.ask("POST", "/v1/images", content=BYTES, headers=headers)
    assert response.status_code == 400, response.text
    assert (statuses(alice), world.files()) == ([], [])


def test_errors_have_the_form_that_is_asked_for(alice: Client) -> None:
    response = alice.get("/v1/images?limit=x", accept="application/json")
    assert (response.status_code, response.json()["code"]) == (400, "400 Bad Request")
    assert alice.get("/v1/images?limit=x").text.startswith("400 Bad Request\n\n")


def test_one_format_of_amazon_is_both(alice: Client) -> None:
    response = send(alice, "POST", "/v1/images", BYTES, meta(disk_format="ari"))
    assert (response.status_code, response.json()["image"]["container_format"]) == (201, "ari")


def test_the_size_cap(make_world: MakeWorld) -> None:
    alice = make_world(OPTIONS.replace("[import", "image_size_cap = 9\n[import")).client(ALICE)
    assert post(alice, size=10).status_code == 400
    assert post(alice, BYTES).status_code == 413
    assert statuses(alice) == []


def test_ids_are_not_used_again(alice: Client) -> None:
    identity = "00000000-0000-4000-8000-000000000001"
    assert created(alice, id=identity)["id"] == identity
    assert post(alice, id=identity).status_code == 409
    assert alice.delete(f"/v1/images/{identity}").status_code == 200
    assert post(alice, id=identity).status_code == 409


def test_who_may_what(world: World) -> None:
    alice, bob, reader, admin = (world.client(one) for one in (ALICE, BOB, READER, ADMIN))
    assert post(alice, is_public="true").status_code == 403
    assert post(alice, owner="b").status_code == 403
    assert created(admin, owner="b", is_public="1")["is_public"] is True
    assert post(reader, BYTES).status_code == 403
    image = created(alice, BYTES)
    for client, code in ((bob, 404), (reader, 403)):
        assert put(client, image["id"], name="x").status_code == code
        assert client.delete(f"/v1/images/{image['id']}").status_code == code
    assert head(bob, image["id"]).status_code == bob.get(f"/v1/images/{image['id']}").status_code == 404
    # The administrator's public image, and her own.
    assert statuses(alice) == ["active", "queued"]


def test_deletion(world: World) -> None:
    alice = world.client(ALICE)
    image = created(alice, BYTES, protected="on")
    assert alice.delete(f"/v1/images/{image['id']}").status_code == 403
    assert put(alice, image["id"], protected="off").status_code == 200
    gone = alice.delete(f"/v1/images/{image['id']}")
    assert (gone.status_code, gone.content) == (200, b"")
    assert (alice.delete(f"/v1/images/{image['id']}").status_code, world.files()) == (404, [])
    assert head(alice, image["id"]).status_code == put(alice, image["id"], name="x").status_code == 404


def test_a_deactivated_image(world: World) -> None:
    alice, admin = world.client(ALICE), world.client(ADMIN)
    image = created(alice, BYTES)
    assert admin.post(f"/v2/images/{image['id']}/actions/deactivate").status_code == 204
    assert alice.get(f"/v1/images/{image['id']}").status_code == 403
    assert admin.get(f"/v1/images/{image['id']}").content == BYTES
    assert put(alice, image["id"], status="active").status_code == 403
    assert head(alice, image["id"]).headers["x-image-meta-status"] == "deactivated"


def test_changes(alice: Client) -> None:
    image = created(alice, BYTES, **{"property-a": "1", "property-b": "2"})
    changed = put(alice, image["id"], name="m", min_disk=3, **{"property-a": "x", "property-c": "3"})
    assert (changed.status_code, changed.headers["etag"]) == (200, MD5)
    document = changed.json()["image"]
    assert (document["name"], document["min_disk"]) == ("m", 3)
    assert document["properties"] == {"a": "x", "c": "3"}
    kept = send(alice, "PUT", f"/v1/images/{image['id']}", None,
                {**meta(**{"property-d": "4"}), "x-glance-registry-purge-props": "false"})  # fmt: skip
    assert kept.json()["image"]["properties"] == {"a": "x", "c": "3", "d": "4"}
    same = {
        name: kept.json()["image"][name]
        for name in ("id", "status", "size", "checksum", "owner", "disk_format")
    }
    assert put(alice, image["id"], **same, deleted="False").status_code == 200
    assert alice.show(image["id"])["name"] == "m"


def test_data_does_not_purge(alice: Client) -> None:
    image = created(alice, **{"property-a": "1"})
    assert put(alice, image["id"], BYTES).json()["image"]["properties"] == {"a": "1"}


def test_what_headers_cannot_name_stays(alice: Client) -> None:
    image = alice.active(BYTES, **{"Os-Type": "linux", "a b": "c", "ü": "u", "gone": "g"})
    changed = put(alice, image["id"], **{"property-os_type": "bsd"})
    assert changed.json()["image"]["properties"] == {"Os-Type": "bsd", "a b": "c", "ü": "u"}


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "00000000-0000-4000-8000-000000000001"},
        {"status": "queued"},
        {"size": 11},
        {"checksum": "0" * 32},
        {"owner": "b"},
        {"is_public": "true"},
        {"deleted": "true"},
        {"disk_format": "qcow2", "container_format": "bare"},
        {"property-os_glance_x": "1"},
        {"property-name": "1"},
    ],
)
def test_what_may_not_be_changed(alice: Client, fields: dict[str, object]) -> None:
    image = created(alice, BYTES)
    assert put(alice, image["id"], name="m", **fields).status_code == 403
    assert alice.get("/v1/images/detail").json()["images"] == [image]


def test_publishing(world: World) -> None:
    alice, bob, admin = (world.client(one) for one in (ALICE, BOB, ADMIN))
    image = created(alice, BYTES)
    assert put(admin, image["id"], is_public="True").json()["image"]["is_public"] is True
    assert bob.get(f"/v1/images/{image['id']}").content == BYTES
    assert put(alice, image["id"], is_public="False").json()["image"]["is_public"] is False
    assert alice.show(image["id"])["visibility"] == "shared"


def test_stores(make_world: MakeWorld) -> None:
    options = OPTIONS.replace("[import", "enabled_backends = one:file, two:file\n[import") + (
        "[glance_store]\ndefault_backend = one\n[one]\nfilesystem_store_datadir = one\n"
        "[two]\nfilesystem_store_datadir = two\n"
    )
    world = make_world(options)
    alice = world.client(ALICE)
    image = created(alice, BYTES, store="two")
    assert (world.files("one"), world.files("two")) == ([], [image["id"]])
    assert post(alice, BYTES, store="three").status_code == 400
    assert len(statuses(alice)) == 1


def test_what_an_older_image_shows_in_the_api_v2(alice: Client) -> None:
    image = created(alice, **{"property-a": ""})
    assert alice.patch(image["id"], change("add", "b", "2")).status_code == 200
    assert head(alice, image["id"]).headers["x-image-meta-property-b"] == "2"
