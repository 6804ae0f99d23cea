"""A world with an image cache, in front of a store that gives bytes when it is told to."""

import time
from collections.abc import Callable

import pytest

from glimpse.transfer.cache.cache import Cache
from tests.api.fixtures import MakeWorld
from tests.api.slow_store import SlowStore
from tests.api.world import Client, World

ON = "[glimpse]\nimage_cache = true\n"
MANAGED = "[paste_deploy]\nflavor = cachemanagement\n"
ABSENT = "00000000-0000-4000-8000-000000000000"
DATA = bytes(range(250)) * 40
READERS = 40


@pytest.fixture
def store() -> SlowStore:
    return SlowStore()


@pytest.fixture
def world(make_world: MakeWorld, store: SlowStore) -> World:
    return make_world(ON, store=store)


@pytest.fixture
def cache(world: World) -> Cache:
    assert world.service.cache is not None
    return world.service.cache


@pytest.fixture
def image(alice: Client) -> str:
    return str(alice.active(DATA)["id"])


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def settled(cache: Cache) -> None:
    """Wait until nothing is being filled."""
    until(lambda: not cache._fills)


def warm(client: Client, store: SlowStore, cache: Cache, image: str) -> None:
    store.allow(len(DATA))
    assert client.data(image).content == DATA
    settled(cache)
    store.reads.clear()


def cached(client: Client) -> dict[str, int]:
    """The cached images with their hits."""
    return {row["image_id"]: row["hits"] for row in client.get("/v2/cache").json()["cached_images"]}
