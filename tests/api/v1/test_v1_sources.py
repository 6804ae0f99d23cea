"""Data from elsewhere: locations and copies (Image API v1)."""

import hashlib

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.v1.fixtures import OPTIONS, RAW, created, head, meta, post, put, send
from tests.api.world import ALICE, BOB, Client, World
from tests.sources import DATA, Source

MD5 = hashlib.md5(DATA).hexdigest()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(OPTIONS)


def copy(client: Client, url: str, **fields: object) -> tuple[int, str]:
    """The status of an answer, and the id of the image if there is one."""
    headers = {**meta(**{**RAW, **fields}), "x-glance-api-copy-from": url}
    response = send(client, "POST", "/v1/images", None, headers)
    return response.status_code, response.json()["image"]["id"] if response.status_code == 201 else ""


def status(client: Client, image_id: str) -> str:
    return str(head(client, image_id).headers["x-image-meta-status"])


def test_a_location(world: World, source: Source) -> None:
    alice = world.client(ALICE)
    image = created(alice, location=source.url(), size=len(DATA), checksum=MD5)
    assert (image["status"], image["size"], image["checksum"]) == ("active", len(DATA), MD5)
    assert "location" not in image
    assert alice.get(f"/v1/images/{image['id']}").content == DATA
    assert source.url() not in str(head(alice, image["id"]).headers)
    assert world.files() == []


def test_a_location_later(alice: Client, source: Source) -> None:
    image = created(alice)
    assert put(alice, image["id"], location=source.url()).json()["image"]["status"] == "active"
    assert put(alice, image["id"], location=source.url()).status_code == 400


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "filesystem:///etc/passwd",
        "swift+config://x/y/z",
        "ftp://127.0.0.1/x",
        "http://10.0.0.1/x",
        "http://user@127.0.0.2/x",
        "nonsense",
    ],
)
def test_forbidden_places(world: World, url: str) -> None:
    alice = world.client(ALICE)
    assert post(alice, location=url).status_code == 400
    assert copy(alice, url)[0] == 400
    assert alice.get("/v1/images").json() == {"images": []}


def test_a_location_of_another_size(alice: Client, source: Source) -> None:
    identity = "00000000-0000-4000-8000-000000000001"
    assert post(alice, id=identity, location=source.url(), size=5).status_code == 409
    assert status(alice, identity) == "killed"


def test_a_location_without_data(alice: Client, source: Source) -> None:
    assert post(alice, location=source.url("/nothing")).status_code == 400
    assert alice.get("/v1/images").json() == {"images": []}


def test_a_copy(world: World, source: Source) -> None:
    alice = world.client(ALICE)
    code, image_id = copy(alice, source.url(), size=len(DATA), checksum=MD5)
    assert (code, status(alice, image_id)) == (201, "saving")
    saving = alice.get("/v1/images/detail?status=saving").json()["images"]
    assert [image["id"] for image in saving] == [image_id]
    world.do_jobs()
    assert status(alice, image_id) == "active"
    shown = head(alice, image_id).headers
    assert shown["x-image-meta-checksum"] == MD5
    assert not [name for name in shown if name.startswith("x-image-meta-property")]
    assert alice.get(f"/v1/images/{image_id}").content == DATA
    assert world.files() == [image_id]


def test_a_copy_into_an_image_that_waits(world: World, source: Source) -> None:
    alice = world.client(ALICE)
    image = created(alice)
    headers = {"x-glance-api-copy-from": source.url()}
    assert send(alice, "PUT", f"/v1/images/{image['id']}", None, headers).status_code == 200
    world.do_jobs()
    assert status(alice, image["id"]) == "active"
    assert send(alice, "PUT", f"/v1/images/{image['id']}", None, headers).status_code == 409


@pytest.mark.parametrize(
    ("path", "fields"), [("/nothing", {}), ("/image", {"size": 5}), ("/image", {"checksum": "0" * 32})]
)
def test_a_copy_that_fails_kills(world: World, source: Source, path: str, fields: dict[str, object]) -> None:
    alice = world.client(ALICE)
    code, image_id = copy(alice, source.url(path), **fields)
    assert code == 201
    for _ in range(6):
        world.later += 3600
        world.do_jobs()
    assert status(alice, image_id) == "killed"
    assert (world.files(), world.usage("a")) == ([], 0)
    assert alice.delete(f"/v1/images/{image_id}").status_code == 200


def test_copies_are_for_the_owner(world: World, source: Source) -> None:
    image = created(world.client(ALICE))
    headers = {"x-glance-api-copy-from": source.url()}
    assert send(world.client(BOB), "PUT", f"/v1/images/{image['id']}", None, headers).status_code == 404
