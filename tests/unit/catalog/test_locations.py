"""How an image leaves a store; how locations come is tested through the API."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from glimpse.catalog.catalog import Catalog
from glimpse.catalog.data import begin_upload, commit_write
from glimpse.catalog.locations import known_locations, leave_store
from glimpse.catalog.ports import IntentKind, WrittenData
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, GlimpseError, NotFound
from glimpse.domain.image import Digests, Image, Location, difference
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker
from tests.unit.world import ADMIN, ANONYMOUS, MEMBER, MISSING, OTHER, put_in_status, register, reload

WORKER = Worker("worker", clock=lambda: 100.0)
ONE, TWO, THREE = (Location(f"file:///{name}/x", {"store": name}) for name in ("one", "two", "three"))


def in_store(name: str) -> Callable[[Location], bool]:
    return lambda location: location.metadata["store"] == name


def placed(catalog: Catalog, *locations: Location) -> Image:
    """An active image at these places."""
    image = register(catalog)
    write = begin_upload(catalog, WORKER, MEMBER, image.id, "one", 3)
    commit_write(catalog, write, WrittenData(locations[0], 3, None, Digests("c", "sha512", "v")))
    before = reload(catalog, image.id)
    change = difference(before, replace(before, locations=locations))
    if change:
        active = frozenset({ImageStatus.ACTIVE})
        catalog.records.images.relocate(image.id, change, active, None, "worker", 0.0, catalog.clock())
    return reload(catalog, image.id)


def test_leaving_a_store(catalog: Catalog) -> None:
    image = placed(catalog, ONE, TWO, THREE)
    [intent] = leave_store(catalog, WORKER, ADMIN, image.id, in_store("two"))
    assert (intent.kind, intent.image_id, intent.worker) == (IntentKind.DELETE, image.id, "worker")
    assert (intent.store, intent.target, intent.lease_until) == ("two", TWO.url, 110.0)
    assert catalog.records.intents.expired(1000.0, 10) == [intent]
    after = reload(catalog, image.id)
    assert after == replace(image, locations=(ONE, THREE), updated_at=after.updated_at)


def test_all_places_in_the_store_go(catalog: Catalog) -> None:
    other = Location("file:///two/y", {"store": "two"})
    image = placed(catalog, TWO, ONE, other)
    intents = leave_store(catalog, WORKER, ADMIN, image.id, in_store("two"))
    assert {intent.target for intent in intents} == {TWO.url, other.url}
    assert reload(catalog, image.id).locations == (ONE,)


@pytest.mark.parametrize(
    ("caller", "locations", "store", "error"),
    [
        (OTHER, (ONE, TWO), "two", NotFound),
        (MEMBER, (ONE, TWO), "two", Forbidden),
        (replace(ADMIN, read_only=True), (ONE, TWO), "two", Forbidden),
        (ADMIN, (ONE,), "one", Forbidden),
        (ADMIN, (ONE,), "two", Forbidden),
        (ADMIN, (ONE, Location("file:///one/y", {"store": "one"})), "one", Forbidden),
        (ADMIN, (ONE, TWO), "three", NotFound),
    ],
)
def test_what_is_refused(
    catalog: Catalog,
    caller: Caller,
    locations: tuple[Location, ...],
    store: str,
    error: type[GlimpseError],
) -> None:
    image = placed(catalog, *locations)
    with pytest.raises(error):
        leave_store(catalog, WORKER, caller, image.id, in_store(store))
    assert reload(catalog, image.id) == image
    assert catalog.records.intents.expired(1000.0, 10) == []


def test_only_active_images_leave(catalog: Catalog) -> None:
    image = placed(catalog, ONE, TWO)
    put_in_status(catalog, image.id, ImageStatus.DEACTIVATED)
    for image_id, error in ((image.id, Conflict), (register(catalog).id, Conflict), (MISSING, NotFound)):
        with pytest.raises(error):
            leave_store(catalog, WORKER, ADMIN, image_id, in_store("two"))


def test_whose_locations_are_known(catalog: Catalog) -> None:
    image = placed(catalog, ONE, TWO)
    assert known_locations(ANONYMOUS, image) == (ONE, TWO)
    put_in_status(catalog, image.id, ImageStatus.DEACTIVATED)
    image = reload(catalog, image.id)
    assert known_locations(MEMBER, image) == ()
    assert known_locations(ADMIN, image) == (ONE, TWO)
