"""A world with several stores, and what may happen to one of them."""

from collections.abc import Callable
from dataclasses import replace
from itertools import count
from shutil import rmtree

import pytest

from glimpse.domain.image import Location, difference
from glimpse.domain.status import ImageStatus
from glimpse.stores.base import ObjectKey
from tests.api.fixtures import MakeWorld
from tests.api.world import Client, World
from tests.sources import DATA

OPTIONS = """
[DEFAULT]
enabled_backends = slow:file, fast:file, web:http, cold:file
show_multiple_locations = true
show_image_direct_url = true
[glance_store]
default_backend = slow
[slow]
filesystem_store_datadir = /slow
store_description = big disks
[fast]
filesystem_store_datadir = /fast
filesystem_thin_provisioning = false
weight = 10
[web]
weight = 20
[cold]
filesystem_store_datadir = /cold
weight = -5
[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports =
"""
SERVICE = "Persona nova;project=service;roles=service"
ATTEMPTS = count()


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(OPTIONS)


def upload(client: Client, store: str | None, data: bytes = DATA) -> str:
    """An active image with its data in a store."""
    image = str(client.create()["id"])
    headers = {} if store is None else {"X_Image_Meta_Store": store}
    assert client.upload(image, data, **headers).status_code == 204
    return image


def copy(world: World, image_id: str, store: str, data: bytes = DATA) -> None:
    """Put the image's data into one more store."""
    transfer, records = world.service.transfer, world.service.catalog.records.images
    writer = transfer.stores.named(store).open_writer(ObjectKey(image_id, str(next(ATTEMPTS))), len(data))
    writer.write([data])
    before = records.get(image_id, None)
    after = replace(before, locations=(*before.locations, Location(writer.commit(), {"store": store})))
    statuses = frozenset({ImageStatus.ACTIVE})
    records.relocate(image_id, difference(before, after), statuses, None, "tests", 0.0, world.clock())


def spread(world: World, client: Client, *stores: str) -> str:
    """An active image in these stores, in this order."""
    image = upload(client, stores[0])
    for store in stores[1:]:
        copy(world, image, store)
    return image


def served_by(world: World, client: Client, image: str, query: str = "") -> str:
    """The store whose data comes out: each is given bytes of its own."""
    for store in ("slow", "fast", "cold"):
        path = world.folder(store) / image
        if path.exists():
            path.write_bytes(store.encode().ljust(len(DATA)))
    response = client.get(f"/v2/images/{image}/file{query}")
    assert response.status_code == 200, response.text
    return response.text.strip()


def lose_the_folder(world: World, store: str) -> None:
    rmtree(world.folder(store))


def replace_the_folder(world: World, store: str) -> None:
    rmtree(world.folder(store))
    world.folder(store).write_text("no folder")


def lose_the_files(world: World, store: str) -> None:
    for path in world.folder(store).iterdir():
        path.unlink()


def shorten_the_files(world: World, store: str) -> None:
    for path in world.folder(store).iterdir():
        path.write_bytes(DATA[:-1])


Damage = Callable[[World, str], None]
