"""The location API: services and owners give a queued image the place of its data (Image API v2.17)."""

import hashlib

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, READER, Client, Json, World
from tests.sources import DATA, Source, broken_without_tag

RULES = "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
SERVICE = "Persona nova;project=service;roles=service"
SHA256 = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(DATA).hexdigest()}
WRONG = {"os_hash_algo": "sha256", "os_hash_value": "0" * 64}
MD5 = hashlib.md5(DATA).hexdigest()
SHA512 = hashlib.sha512(DATA).hexdigest()


@pytest.fixture
def open_world(make_world: MakeWorld) -> World:
    return make_world(RULES)


@pytest.fixture
def alice(open_world: World) -> Client:
    return open_world.client(ALICE)


def register(client: Client, image: Json, url: str, **validation_data: str) -> int:
    body: Json = {"url": url}
    if validation_data:
        body["validation_data"] = validation_data
    return client.post(f"/v2/images/{image['id']}/locations", body).status_code


def task_of(client: Client, image: Json) -> Json:
    [task] = client.get(f"/v2/images/{image['id']}/tasks").json()["tasks"]
    return dict(task)


def test_without_digests(alice: Client, source: Source) -> None:
    image = alice.create()
    assert register(alice, image, source.url()) == 202
    assert alice.show(image["id"])["status"] == "importing"
    task = task_of(alice, image)
    assert (task["type"], task["status"], task["image_id"]) == ("location_import", "pending", image["id"])
    alice.world.do_jobs()
    document = alice.show(image["id"])
    assert (document["status"], document["size"], document["checksum"]) == ("active", len(DATA), MD5)
    assert (document["os_hash_algo"], document["os_hash_value"]) == ("sha512", SHA512)
    assert document["virtual_size"] == len(DATA)
    assert alice.data(image["id"]).content == DATA
    task = task_of(alice, image)
    assert (task["status"], task["message"], task["expires_at"] is None) == ("success", "", False)


def test_with_digests(alice: Client, source: Source) -> None:
    image = alice.create()
    assert register(alice, image, source.url(), **SHA256) == 202
    alice.world.do_jobs()
    document = alice.show(image["id"])
    assert (document["status"], document["checksum"]) == ("active", MD5)
    assert {name: document[name] for name in SHA256} == SHA256


def test_wrong_digests(alice: Client, source: Source) -> None:
    image = alice.create()
    assert register(alice, image, source.url(), **WRONG) == 202
    alice.world.do_jobs()
    document = alice.show(image["id"])
    assert (document["status"], document["size"], document["os_hash_value"]) == ("queued", None, None)
    task = task_of(alice, image)
    assert (task["status"], "os_hash_value" in task["message"]) == ("failure", True)
    # It is as if nothing had been tried.
    assert register(alice, image, source.url(), **SHA256) == 202
    alice.world.do_jobs()
    assert alice.show(image["id"])["status"] == "active"


def test_digests_that_nobody_checks(make_world: MakeWorld, source: Source) -> None:
    alice = make_world(f"[DEFAULT]\ndo_secure_hash = false\n{RULES}").client(ALICE)
    image, plain = alice.create(), alice.create()
    assert register(alice, image, source.url(), **WRONG) == register(alice, plain, source.url()) == 202
    source.requests.clear()
    alice.world.do_jobs()
    assert alice.show(image["id"])["os_hash_value"] == WRONG["os_hash_value"]
    assert (alice.show(plain["id"])["status"], alice.show(plain["id"])["checksum"]) == ("active", None)
    assert source.requests == ["HEAD /image"] * 2


@pytest.mark.parametrize("path", ["/absent", "/empty"])
def test_nothing_there(alice: Client, source: Source, path: str) -> None:
    image = alice.create()
    assert register(alice, image, source.url(path)) == 202
    alice.world.do_jobs()
    assert alice.show(image["id"])["status"] == "queued"
    assert task_of(alice, image)["status"] == "failure"


def test_data_that_is_not_what_the_image_says(alice: Client, source: Source) -> None:
    image = alice.create(disk_format="qcow2")
    assert register(alice, image, source.url(), **SHA256) == 202
    alice.world.do_jobs()
    assert alice.show(image["id"])["status"] == "queued"
    assert task_of(alice, image)["status"] == "failure"


def test_a_source_that_is_away_is_asked_again(alice: Client, source: Source) -> None:
    image = alice.create()
    source.pages["/late"] = source.pages["/error"]
    assert register(alice, image, source.url("/late")) == 202
    for wait in (0, 1, 2):
        alice.world.later += wait + 1
        alice.world.do_jobs()
        assert (alice.show(image["id"])["status"], task_of(alice, image)["status"]) == (
            "importing",
            "processing",
        )
    source.pages["/late"] = source.pages["/image"]
    alice.world.later += 10
    alice.world.do_jobs()
    assert alice.show(image["id"])["checksum"] == MD5


def test_in_the_end_it_is_given_up(alice: Client, source: Source) -> None:
    image = alice.create()
    assert register(alice, image, source.url("/error")) == 202
    for _ in range(5):
        alice.world.later += 60
        alice.world.do_jobs()
    assert alice.show(image["id"])["status"] == "queued"
    task = task_of(alice, image)
    assert (task["status"], "500" in task["message"]) == ("failure", True)
    assert alice.world.service.catalog.records.jobs.get(task["id"]) is None


def test_an_active_image_stays_so_when_its_digests_cannot_be_made(alice: Client, source: Source) -> None:
    image = alice.create()
    source.pages["/half"] = broken_without_tag
    assert register(alice, image, source.url("/half")) == 202
    for _ in range(5):
        alice.world.later += 60
        alice.world.do_jobs()
    assert (alice.show(image["id"])["status"], alice.show(image["id"])["checksum"]) == ("active", None)
    assert task_of(alice, image)["status"] == "failure"


def test_an_image_that_was_deleted_meanwhile(alice: Client, source: Source) -> None:
    image = alice.create()
    assert register(alice, image, source.url()) == 202
    [task] = alice.get(f"/v2/images/{image['id']}/tasks").json()["tasks"]
    assert alice.delete(f"/v2/images/{image['id']}").status_code == 204
    alice.world.do_jobs()
    shown = alice.world.client(ADMIN).get(f"/v2/tasks/{task['id']}").json()
    assert shown["status"] == "failure"
    assert alice.world.usage("a") == 0


def test_the_storage_quota(make_world: MakeWorld, source: Source) -> None:
    alice = make_world(f"[DEFAULT]\nuser_storage_quota = {len(DATA) - 1}\n{RULES}").client(ALICE)
    image = alice.create()
    assert register(alice, image, source.url()) == 202
    alice.world.do_jobs()
    assert alice.show(image["id"])["status"] == "queued"
    assert "user_storage_quota" in task_of(alice, image)["message"]


def test_only_a_queued_image(alice: Client, source: Source) -> None:
    image = alice.active()
    assert register(alice, image, source.url()) == 409
    other = alice.create()
    assert register(alice, other, source.url()) == 202
    assert register(alice, other, source.url()) == 409
    assert alice.upload(other["id"], b"x").status_code == 409
    bare = alice.create(container_format=None)
    assert register(alice, bare, source.url()) == 400


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"url": 5},
        {"url": "nothing"},
        {"url": "http://127.0.0.1/x", "validation_data": []},
        {"url": "http://127.0.0.1/x", "validation_data": {"os_hash_algo": "sha256"}},
        {"url": "http://127.0.0.1/x", "validation_data": {**SHA256, "checksum": MD5}},
        {"url": "http://127.0.0.1/x", "validation_data": {**SHA256, "more": "x"}},
        {"url": "http://127.0.0.1/x", "validation_data": {"os_hash_algo": "crc", "os_hash_value": "0"}},
        {"url": "http://127.0.0.1/x", "validation_data": {**SHA256, "os_hash_value": "g" * 64}},
        {"url": "http://169.254.169.254/x", "validation_data": {}},
    ],
)
def test_bad_bodies(alice: Client, body: object) -> None:
    image = alice.create()
    assert alice.post(f"/v2/images/{image['id']}/locations", body).status_code == 400
    assert alice.show(image["id"]) == image


def test_other_keys_are_ignored(alice: Client, source: Source) -> None:
    image = alice.create()
    body = {"url": source.url(), "more": 1, "validation_data": {}}
    assert alice.post(f"/v2/images/{image['id']}/locations", body).status_code == 202


@pytest.mark.parametrize("url", ["file:///etc/passwd", "rbd://a/b/c/d", "swift+config://a/b/c"])
def test_other_schemes_are_for_services(open_world: World, alice: Client, url: str) -> None:
    image = alice.create(visibility="community")
    assert register(alice, image, url) == 403
    # A service may try; what no store takes is found out by the job.
    assert register(open_world.client(SERVICE), image, url) == 202
    open_world.do_jobs()
    assert alice.show(image["id"])["status"] == "queued"
    assert task_of(alice, image)["status"] == "failure"


def test_who_may(open_world: World, alice: Client, source: Source) -> None:
    image = alice.create(visibility="community")
    hidden = alice.create()
    for persona, status in ((READER, 403), (BOB, 403)):
        assert register(open_world.client(persona), image, source.url()) == status
    assert register(open_world.client(BOB), hidden, source.url()) == 404
    assert register(open_world.client(SERVICE), image, source.url()) == 202
    open_world.do_jobs()
    path = f"/v2/images/{image['id']}/locations"
    for persona in (ALICE, READER, BOB):
        assert open_world.client(persona).get(path).status_code == 403
    for persona in (SERVICE, ADMIN):
        response = open_world.client(persona).get(path)
        assert (response.status_code, response.json()) == (200, [{"url": source.url(), "metadata": {}}])
    assert open_world.client(SERVICE).get(f"/v2/images/{hidden['id']}/locations").status_code == 404
