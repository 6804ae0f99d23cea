"""Imports from another Glance, which a web server on the loopback plays: it knows one image and one token."""

from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from tests.api.fixtures import MakeWorld
from tests.api.test_imports import RULES, SHA512, begin, done, in_the_end, task_of
from tests.api.world import ALICE, Client, Json, World
from tests.sources import DATA, Handler, Page, Source, redirecting, running

THERE = "22222222-3333-4444-8555-666666666666"
PATH = f"/v2/images/{THERE}"
TOKEN = "alices-token"
OPTIONS = f"[DEFAULT]\nenabled_import_methods = [glance-download]\n{RULES}"
DOCUMENT: Json = {
    "id": THERE,
    "status": "active",
    "name": "there",
    "disk_format": "raw",
    "container_format": "bare",
    "size": len(DATA),
    "os_distro": "debian",
    "hw_disk_bus": "scsi",
    "trait:CUSTOM_FAST": "required",
    "colour": "red",
    "stores": "far",
}


class Glance(Source):
    """Another Glance. `tokens` are what was shown to it, request by request."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens: list[str | None] = []
        self.document = dict(DOCUMENT)
        self.pages = {
            PATH: self.guarded(lambda handler: handler.reply(200, orjson.dumps(self.document))),
            f"{PATH}/file": self.guarded(lambda handler: handler.reply(200, DATA)),
        }

    def guarded(self, page: Page) -> Page:
        """The page for who has the token."""

        def checked(handler: Handler) -> None:
            self.tokens.append(handler.headers.get("X-Auth-Token"))
            if self.tokens[-1] == TOKEN:
                page(handler)
            else:
                handler.reply(401)

        return checked


@pytest.fixture
def glance() -> Iterator[Glance]:
    with running(Glance()) as glance:
        yield glance


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(OPTIONS)


def at(world: World, glance: Glance, path: str = "", token: str = TOKEN, interface: str = "public") -> Client:
    """Alice, whose catalogue of services names the other Glance."""
    place = f"endpoint={glance.url(path)};region=there;interface={interface}"
    return world.client(f"{ALICE};token={token};{place}")


WANTED: Json = {"glance_region": "there", "glance_image_id": THERE}


def taken(client: Client, **wanted: Any) -> Json:
    """An image after its import."""
    return done(
        client, client.post("/v2/images", {"name": "here"}).json(), "glance-download", **WANTED, **wanted
    )


@pytest.mark.parametrize("path", ["", "/", "/v2", "/v2/"])
def test_data_formats_and_properties_come_along(world: World, glance: Glance, path: str) -> None:
    alice = at(world, glance, path)
    image = taken(alice)
    assert (image["status"], image["size"], image["os_hash_value"]) == ("active", len(DATA), SHA512)
    assert (image["disk_format"], image["container_format"], image["name"]) == ("raw", "bare", "here")
    assert (image["os_distro"], image["hw_disk_bus"]) == ("debian", "scsi")
    assert image["trait:CUSTOM_FAST"] == "required"
    assert "colour" not in image
    assert alice.data(image["id"]).content == DATA
    assert glance.tokens == [TOKEN, TOKEN]


def test_the_operator_chooses_the_properties(make_world: MakeWorld, glance: Glance) -> None:
    more = "[glance_download_properties]\nextra_properties = colour\n"
    image = taken(at(make_world(OPTIONS + more), glance))
    assert (image["colour"], "os_distro" in image) == ("red", False)


def test_tokens_are_kept_no_longer_than_needed(world: World, glance: Glance) -> None:
    alice = at(world, glance)
    image = alice.create()
    assert begin(alice, image, "glance-download", **WANTED).status_code == 202
    jobs = world.service.catalog.records.jobs
    assert [job.arguments["source"]["token"] for job in jobs.of_subject(image["id"])] == [TOKEN]
    assert TOKEN not in alice.get(f"/v2/images/{image['id']}/tasks").text
    world.do_jobs()
    assert jobs.of_subject(image["id"]) == []
    assert TOKEN not in alice.get(f"/v2/images/{image['id']}/tasks").text


def test_a_token_that_is_refused(world: World, glance: Glance) -> None:
    alice = at(world, glance, token="old")
    image = taken(alice)
    assert (image["status"], image["os_glance_failed_import"]) == ("queued", "file")
    task = task_of(alice, image)
    assert (task["status"], "401" in task["message"]) == ("failure", True)


@pytest.mark.parametrize("status", ["queued", "deactivated", None])
def test_an_image_that_is_not_active(world: World, glance: Glance, status: str | None) -> None:
    glance.document["status"] = status
    alice = at(world, glance)
    image = taken(alice)
    assert (image["status"], image["disk_format"], "os_distro" in image) == ("queued", None, False)
    assert "not active" in task_of(alice, image)["message"]
    # Its data is not asked for.
    assert len(glance.tokens) == 1


@pytest.mark.parametrize("difference", [-1, 1])
def test_another_size_than_the_document_says(world: World, glance: Glance, difference: int) -> None:
    glance.document["size"] += difference
    alice = at(world, glance)
    image = taken(alice)
    assert (image["status"], image["size"], world.files()) == ("queued", None, [])
    assert task_of(alice, image)["status"] == "failure"


def test_less_than_was_announced(world: World, glance: Glance) -> None:
    def short(handler: Handler) -> None:
        handler.begin(200, Content_Length=str(len(DATA)), Connection="close")
        handler.wfile.write(DATA[:1000])

    glance.pages[f"{PATH}/file"] = glance.guarded(short)
    alice = at(world, glance)
    image = alice.create()
    assert begin(alice, image, "glance-download", **WANTED).status_code == 202
    assert in_the_end(alice, image)["status"] == "queued"
    assert (task_of(alice, image)["status"], world.files()) == ("failure", [])


def test_data_of_another_format_than_the_document_says(world: World, glance: Glance) -> None:
    glance.document["disk_format"] = "qcow2"
    alice = at(world, glance)
    image = taken(alice)
    assert (image["status"], image["disk_format"], world.files()) == ("queued", None, [])


def test_the_token_is_not_shown_to_others(world: World, glance: Glance) -> None:
    with running(Glance()) as other:
        glance.pages[f"{PATH}/file"] = glance.guarded(redirecting(other.url(f"{PATH}/file")))
        alice = at(world, glance)
        image = taken(alice)
        assert image["status"] == "queued"
        assert (glance.tokens, other.tokens) == ([TOKEN, TOKEN], [None])
        assert "401" in task_of(alice, image)["message"]


def test_data_may_lie_elsewhere_in_the_same_service(world: World, glance: Glance) -> None:
    glance.pages["/elsewhere"] = glance.pages[f"{PATH}/file"]
    glance.pages[f"{PATH}/file"] = glance.guarded(redirecting("/elsewhere"))
    assert taken(at(world, glance))["status"] == "active"
    assert glance.tokens == [TOKEN] * 3


def test_a_service_that_the_rules_forbid(make_world: MakeWorld, glance: Glance) -> None:
    alice = at(make_world(OPTIONS.replace("127.0.0.1", "images.example")), glance)
    assert taken(alice)["status"] == "queued"
    assert glance.requests == []


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"glance_region": 5}, "glance_region"),
        ({"glance_image_id": "one"}, "glance_image_id"),
        ({"glance_image_id": None}, "glance_image_id"),
        ({"glance_service_interface": ["public"]}, "glance_service_interface"),
    ],
)
def test_what_makes_no_sense(world: World, glance: Glance, changed: Json, field: str) -> None:
    alice = at(world, glance)
    image = alice.create()
    answer = begin(alice, image, "glance-download", **{**WANTED, **changed})
    assert (answer.status_code, field in answer.text) == (400, True)
    assert (alice.show(image["id"])["status"], glance.requests) == ("queued", [])


@pytest.mark.parametrize("changed", [{"glance_region": "nowhere"}, {"glance_service_interface": "internal"}])
def test_what_the_catalog_does_not_know(world: World, glance: Glance, changed: Json) -> None:
    alice = at(world, glance)
    image = alice.create()
    assert begin(alice, image, "glance-download", **{**WANTED, **changed}).status_code == 202
    world.do_jobs()
    [task] = alice.get(f"/v2/images/{image['id']}/tasks").json()["tasks"]
    assert (task["status"], "glance_region" in task["message"]) == ("failure", True)
    assert (alice.show(image["id"])["status"], glance.requests) == ("queued", [])


def test_another_interface(world: World, glance: Glance) -> None:
    alice = at(world, glance, interface="internal")
    assert taken(alice, glance_service_interface="internal")["status"] == "active"
