"""Published attacks on records: other people's images, statuses, locations, ids."""

import json
from collections.abc import AsyncIterator

import pytest

from glimpse.stores.memory import MemoryStore
from tests.api.fixtures import MakeWorld
from tests.api.world import (
    ALICE,
    BOB,
    DATA_TYPE,
    NEWER,
    OLDER,
    Client,
    Json,
    World,
    change,
    older,
    pieces,
    without,
)

EVIL = "http://evil.example/image"


@pytest.mark.parametrize(
    ("visibility", "status"), [("private", 404), ("shared", 404), ("community", 403), ("public", 403)]
)
def test_cve_2012_4573_delete_of_somebody_elses_image(
    world: World, alice: Client, bob: Client, admin: Client, visibility: str, status: int
) -> None:
    """The bytes were removed first, and the question whether one may came afterwards."""
    image = alice.active(b"precious")
    admin.patch(image["id"], change("replace", "visibility", visibility))
    assert bob.delete(f"/v2/images/{image['id']}").status_code == status
    assert alice.data(image["id"]).content == b"precious"
    assert alice.show(image["id"])["status"] == "active"
    assert world.files() == [image["id"]]


@pytest.mark.parametrize("answer", [None, "accepted"])
def test_cve_2012_5482_delete_by_a_member(alice: Client, bob: Client, answer: str | None) -> None:
    """The same by the other road: an image that is shared with the attacker is still not theirs."""
    image = alice.active(b"precious")
    alice.share(image["id"], "b", answer)
    assert bob.delete(f"/v2/images/{image['id']}").status_code == 403
    assert alice.data(image["id"]).content == b"precious"


def test_cve_2012_5482_delete_of_a_protected_image(alice: Client, admin: Client) -> None:
    """Refused, and the data is really still there."""
    image = alice.active(b"precious", protected=True)
    for client in (alice, admin):
        assert client.delete(f"/v2/images/{image['id']}").status_code == 403
        assert client.data(image["id"]).content == b"precious"


@pytest.mark.parametrize("accept", ["application/json", "text/html", "text/plain"])
def test_cve_2013_0212_errors_tell_nothing_of_the_backend(world: World, alice: Client, accept: str) -> None:
    """A store that fails says where it is and with which credentials, and the client reads it."""
    image, broken = alice.active(b"data"), alice.create()
    folder = world.image_folder
    moved = folder.with_name("elsewhere")
    folder.rename(moved)
    folder.write_text("no folder")
    path = f"/v2/images/{broken['id']}/file"
    headers = {"Accept": accept, "Content-Type": DATA_TYPE}
    answers = [
        alice.ask("PUT", path, content=b"data", headers=headers),
        alice.data(image["id"], accept=accept),
        alice.ask("DELETE", f"/v2/images/{image['id']}", headers={"Accept": accept}),
    ]
    assert answers[0].status_code == 503
    for answer in answers:
        for secret in (str(folder), str(world.settings.state_dir), "Traceback", "sqlite", "glimpse.db"):
            assert secret not in answer.text
            assert secret not in str(answer.headers)


def test_cve_2013_0212_documents_tell_nothing_of_the_backend(world: World, alice: Client) -> None:
    """Neither documents nor headers say where the data lies."""
    image = alice.active(b"data")
    answers = [
        alice.get(f"/v2/images/{image['id']}"),
        alice.get("/v2/images"),
        alice.data(image["id"]),
        alice.patch(image["id"], change("add", "name", "x")),
    ]
    for answer in answers:
        assert str(world.image_folder) not in answer.text
        assert "file:" not in answer.text
        assert "location" not in answer.headers


@pytest.mark.parametrize("sizes", [{}, {"X_OpenStack_Image_Size": "10"}])
def test_cve_2014_5356_size_cap(make_world: MakeWorld, sizes: dict[str, str]) -> None:
    """Who did not say how much was coming, or said too little, filled the disk."""
    world = make_world("[DEFAULT]\nimage_size_cap = 1000\n")
    client = world.client(ALICE)
    image = client.create()
    read: list[int] = []

    async def endless() -> AsyncIterator[bytes]:
        for number in range(100_000):
            read.append(number)
            yield bytes(100)

    response = client.upload(image["id"], endless(), **sizes)
    assert response.status_code == (400 if sizes else 413)
    # It is cut off as soon as it is too much.
    assert len(read) < 100
    assert without(client.show(image["id"]), "updated_at") == without(image, "updated_at")
    assert world.files() == []


ROADS = ["create", "add", "replace", "older add", "older replace", "headers"]


@pytest.mark.parametrize("how", ROADS)
@pytest.mark.parametrize("url", ["file:///etc/passwd", "FILE:///etc/passwd", "file:/etc/passwd"])
def test_cve_2014_9493_local_files_as_locations(alice: Client, admin: Client, how: str, url: str) -> None:
    """A location that is a file of the server made the server hand that file out."""
    _location_is_refused(alice, admin, how, url)


@pytest.mark.parametrize("how", ROADS)
def test_cve_2015_1195_local_files_by_their_other_name(alice: Client, admin: Client, how: str) -> None:
    """The same file by the second scheme that the filesystem store answered to."""
    _location_is_refused(alice, admin, how, "filesystem:///etc/passwd")


def _location_is_refused(alice: Client, admin: Client, how: str, url: str) -> None:
    for client in (alice, admin):
        image = client.create()
        status = _locate(client, image, how, {"url": url, "metadata": {}})
        assert status == (405 if how == "headers" else 403)
        assert client.show(image["id"]) == image
        assert client.data(image["id"]).status_code == 204


def _locate(client: Client, image: Json, how: str, location: Json) -> int:
    path = f"/v2/images/{image['id']}"
    match how:
        case "create":
            return client.post("/v2/images", {"locations": [location]}).status_code
        case "headers":
            names = ("x-image-meta-location", "x-glance-api-copy-from", "location")
            return client.ask("PUT", path, headers=dict.fromkeys(names, location["url"])).status_code
        case "add" | "replace":
            target, value = ("locations/-", location) if how == "add" else ("locations", [location])
            return client.patch(image["id"], change(how, target, value)).status_code
    operation = how.removeprefix("older ")
    target, value = ("locations/-", location) if operation == "add" else ("locations", [location])
    return client.patch(image["id"], older(operation, target, value), media=OLDER).status_code


@pytest.mark.parametrize("chunked", [False, True])
def test_cve_2014_9623_delete_during_the_upload(make_world: MakeWorld, chunked: bool) -> None:
    """Upload, delete before the end, again and again: the bytes stayed, and no quota counted them."""
    world = make_world("[DEFAULT]\nuser_storage_quota = 2KB\n")
    client = world.client(ALICE)
    for _ in range(5):
        image = client.create()

        async def deleted(image_id: str = image["id"]) -> AsyncIterator[bytes]:
            yield bytes(1000)
            response = await client.send("DELETE", f"/v2/images/{image_id}")
            assert response.status_code == 204
            yield bytes(1000)

        size = {} if chunked else {"X_OpenStack_Image_Size": "2000"}
        assert client.upload(image["id"], deleted(), **size).status_code == 410
        assert world.files() == []
        assert world.usage("a") == 0
    assert client.active(bytes(2048))["size"] == 2048


def test_cve_2014_9623_what_is_on_its_way_counts(make_world: MakeWorld) -> None:
    """Many uploads at once, each of which alone would fit."""
    world = make_world("[DEFAULT]\nuser_storage_quota = 1KB\n", store=MemoryStore("memory"))
    client = world.client(ALICE)
    image, second = client.create(), client.create()
    answers: list[int] = []

    async def meanwhile() -> AsyncIterator[bytes]:
        yield bytes(500)
        path, headers = f"/v2/images/{second['id']}/file", {"Content-Type": DATA_TYPE}
        answers.append((await client.send("PUT", path, content=bytes(100), headers=headers)).status_code)
        yield bytes(500)

    assert client.upload(image["id"], meanwhile(), X_OpenStack_Image_Size="1000").status_code == 204
    assert answers == [413]


@pytest.mark.parametrize("status", ["active", "queued", "saving", "deactivated", "deleted", "killed"])
def test_cve_2015_5251_status_is_not_the_clients(alice: Client, admin: Client, status: str) -> None:
    """An owner put the status back to queued by a header, and replaced data that others had come to trust."""
    for client in (alice, admin):
        image = client.active(b"trusted")
        path = f"/v2/images/{image['id']}"
        headers = {"x-image-meta-status": status, "x-glance-registry-purge-props": "false"}
        assert client.ask("PUT", path, headers=headers).status_code == 405
        for media, make in ((NEWER, change), (OLDER, older)):
            for operation in ("add", "replace"):
                body = json.dumps([make(operation, "status", status)]).encode()
                sent = {**headers, "Content-Type": media}
                assert client.ask("PATCH", path, content=body, headers=sent).status_code == 403
        assert client.post("/v2/images", {"status": status}).status_code == 403
        client.post(f"{path}/actions/deactivate")
        assert client.upload(image["id"], b"swapped", x_image_meta_status="queued").status_code == 409
        client.post(f"{path}/actions/reactivate")
        assert client.show(image["id"])["status"] == "active"
        assert client.data(image["id"]).content == b"trusted"


@pytest.mark.parametrize("chunked", [False, True])
def test_cve_2015_5286_credentials_that_end_during_the_upload(make_world: MakeWorld, chunked: bool) -> None:
    """When the token ended in time, the upload failed, and the data that broke the quota stayed."""
    world = make_world("[DEFAULT]\nuser_storage_quota = 1KB\n")
    client = world.client(ALICE)
    image = client.create()

    async def expiring() -> AsyncIterator[bytes]:
        yield bytes(1000)
        world.personas.revoked = True
        yield bytes(1000)

    size = {} if chunked else {"X_OpenStack_Image_Size": "1000"}
    assert client.upload(image["id"], expiring(), **size).status_code in (400, 413)
    world.personas.revoked = False
    assert client.show(image["id"])["status"] == "queued"
    assert world.files() == []
    assert world.usage("a") == 0


@pytest.mark.parametrize(
    "changes",
    [
        [change("replace", "locations", [])],
        [change("remove", "locations/0")],
        [change("remove", "locations")],
        [change("add", "locations", [])],
        [change("add", "locations/-", {"url": EVIL, "metadata": {}}), change("remove", "locations/0")],
    ],
    ids=["empty", "last", "all", "nothing", "swap"],
)
def test_cve_2016_0757_removal_of_locations(alice: Client, admin: Client, changes: list[Json]) -> None:
    """Without a location the image was queued again, and its owner gave it other data under the same id."""
    for client in (alice, admin):
        image = client.active(b"trusted")
        assert client.patch(image["id"], *changes).status_code in (400, 403)
        assert client.show(image["id"]) == image
        assert client.upload(image["id"], b"swapped").status_code == 409
        assert client.data(image["id"]).content == b"trusted"


@pytest.mark.parametrize("state", ["queued", "active"])
@pytest.mark.parametrize(
    ("operation", "path"), [("add", "locations/-"), ("add", "locations/0"), ("replace", "locations")]
)
def test_cve_2022_4134_foreign_locations(alice: Client, state: str, operation: str, path: str) -> None:
    """An owner pointed an image at another place after others had checked it; its hashes stayed the same."""
    image = alice.active(b"trusted") if state == "active" else alice.create()
    value: object = {"url": EVIL, "metadata": {"store": "file"}, "validation_data": {"checksum": "0" * 32}}
    given = value if operation == "add" else [value]
    assert alice.patch(image["id"], change(operation, path, given)).status_code == 403
    if state == "active":
        assert alice.post(f"/v2/images/{image['id']}/locations", {"url": EVIL}).status_code == 409
    assert alice.show(image["id"]) == image
    assert alice.data(image["id"]).status_code == (200 if state == "active" else 204)


@pytest.mark.parametrize("name", ["checksum", "os_hash_algo", "os_hash_value", "size"])
def test_cve_2022_4134_hashes_are_not_the_clients(alice: Client, name: str) -> None:
    """The other half of the swap: values that vouch for other data."""
    image = alice.active(b"trusted")
    assert alice.patch(image["id"], change("replace", name, image[name])).status_code == 403


@pytest.mark.parametrize("persona", [ALICE, BOB])
def test_ossn_0075_ids_are_never_used_again(world: World, persona: str) -> None:
    """After a public image was deleted, somebody else offered another one under the id that people knew."""
    admin = world.client("Persona root;project=admin;roles=admin,member,reader")
    image = admin.active(b"trusted", visibility="public")
    admin.delete(f"/v2/images/{image['id']}")
    for client in (world.client(persona), admin):
        response = client.post("/v2/images", {"id": image["id"], "visibility": "community"})
        assert response.status_code == 409
        assert client.get(f"/v2/images/{image['id']}").status_code == 404
        assert client.upload(image["id"], pieces(b"swapped")).status_code == 404


def test_ossn_0075_even_when_the_upload_was_never_finished(alice: Client, bob: Client) -> None:
    """An id that never had data is taken all the same."""
    image = alice.create()
    alice.delete(f"/v2/images/{image['id']}")
    assert bob.post("/v2/images", {"id": image["id"]}).status_code == 409
