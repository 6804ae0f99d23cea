"""The health check: what it says of the database and of stores that are away or hang, and in which words."""

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from threading import Event

import httpx
import pytest

from glimpse.api.application import make_application
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.stores.base import Usage
from glimpse.stores.memory import MemoryStore
from tests.api.fixtures import MakeWorld
from tests.api.world import NOBODY, Client, World
from tests.server import free_port

ALWAYS_ASKED = "[glimpse]\nhealthcheck_remember = 0\nhealthcheck_timeout = 0.2\n"
NEEDED = f"{ALWAYS_ASKED}healthcheck_required_stores = memory\n"


class TroubledStore(MemoryStore):
    """A store that can be away, and can hang; it counts how often it is asked."""

    def __init__(self) -> None:
        super().__init__("memory")
        self.away = False
        self.answers = Event()
        self.answers.set()
        self.asked = 0

    def usage(self) -> Usage:
        self.asked += 1
        self.answers.wait()
        if self.away:
            raise Unavailable("store memory", "nobody listens")
        return super().usage()


@pytest.fixture
def store() -> Iterator[TroubledStore]:
    store = TroubledStore()
    yield store
    store.answers.set()


def client(make_world: MakeWorld, store: TroubledStore, options: str) -> Client:
    return make_world(options, store=store).client(NOBODY)


def test_a_store_that_is_away_is_named(make_world: MakeWorld, store: TroubledStore) -> None:
    nobody = client(make_world, store, ALWAYS_ASKED)
    store.away = True
    response = nobody.get("/healthcheck", accept="application/json")
    assert (response.status_code, response.json()["reasons"]) == (200, ["OK", "STORE MEMORY UNAVAILABLE"])
    assert nobody.ask("HEAD", "/healthcheck").status_code == 204
    store.away = False
    assert nobody.get("/healthcheck").text == "OK"


def test_a_store_that_is_needed(make_world: MakeWorld, store: TroubledStore) -> None:
    nobody = client(make_world, store, NEEDED)
    assert nobody.get("/healthcheck").status_code == 200
    store.away = True
    response = nobody.get("/healthcheck")
    assert (response.status_code, response.text) == (503, "STORE MEMORY UNAVAILABLE")
    assert nobody.ask("HEAD", "/healthcheck").status_code == 503


def test_a_store_that_hangs_is_asked_once(make_world: MakeWorld, store: TroubledStore) -> None:
    nobody = client(make_world, store, f"{NEEDED}[healthcheck]\ndetailed = true\n")
    store.answers.clear()
    for _ in range(3):
        response = nobody.get("/healthcheck")
        assert (response.status_code, response.text) == (
            503,
            "STORE MEMORY UNAVAILABLE: no answer after 0.2 s",
        )
    assert store.asked == 1


def test_what_was_found_out_is_remembered(make_world: MakeWorld, store: TroubledStore) -> None:
    nobody = client(make_world, store, "[glimpse]\nhealthcheck_remember = 3600\n")
    for _ in range(5):
        assert nobody.get("/healthcheck").text == "OK"
    assert store.asked == 1


def test_a_store_that_there_is_not(make_world: MakeWorld) -> None:
    with pytest.raises(Invalid, match="no store is called 'elsewhere'"):
        make_world("[glimpse]\nhealthcheck_required_stores = elsewhere\n")


def test_the_database_is_away(world: World) -> None:
    away = open_records(connect(f"postgresql+psycopg://glimpse@127.0.0.1:{free_port()}/glimpse"))
    transfer = replace(world.service.transfer, catalog=replace(world.service.catalog, records=away))
    service = replace(world.service, catalog=transfer.catalog, transfer=transfer)
    application = make_application(service, lambda _: nullcontext())
    world.http = httpx.AsyncClient(transport=httpx.ASGITransport(application), base_url="http://glimpse.test")
    response = world.client(NOBODY).get("/healthcheck", accept="application/json")
    assert (response.status_code, response.json()["reasons"]) == (503, ["DATABASE UNAVAILABLE"])


def test_in_detail(make_world: MakeWorld, store: TroubledStore) -> None:
    nobody = client(make_world, store, f"{ALWAYS_ASKED}[healthcheck]\ndetailed = true\n")
    store.away = True
    document = nobody.get("/healthcheck", accept="application/json").json()
    assert document.keys() == {"detailed", "now", "platform", "python_version", "reasons"}
    assert document["reasons"] == [
        {"class": "Service", "details": "", "reason": "OK"},
        {
            "class": "Store Memory",
            "details": "The store memory is not available: nobody listens",
            "reason": "STORE MEMORY UNAVAILABLE",
        },
    ]


def test_as_html(make_world: MakeWorld, store: TroubledStore) -> None:
    nobody = client(make_world, store, ALWAYS_ASKED)
    store.away = True
    response = nobody.get("/healthcheck", accept="text/html")
    assert response.headers["content-type"].startswith("text/html")
    assert "<td>STORE MEMORY UNAVAILABLE</td>" in response.text
