"""Locations that clients bring: places where the data of an image rests already.

The changes are those of `catalog.edits`, for the part of an edit that is about locations (Image API v2,
"Locations"); `change_locations` writes an edit that has some.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from glimpse.catalog.catalog import (
    Catalog,
    check_count,
    find_image,
    policy_target,
    require,
    require_writer,
    seen_by,
)
from glimpse.catalog.edits import Change
from glimpse.catalog.events import tell_image, tell_saved
from glimpse.catalog.images import planned
from glimpse.catalog.ports import Charge, Intent
from glimpse.catalog.quotas import allowance, storage_quota
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, Invalid, NotFound
from glimpse.domain.image import Image, Location, difference
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker

# How the locations of an image are put into the order in which they are read and shown.
Order = Callable[[Sequence[Location]], Sequence[Location]]

_OPEN = (ImageStatus.QUEUED, ImageStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Offer:
    """A location that a client brings, the digests that it vouches for (by the names of the attributes), and
    the size in bytes that the store told (None: not asked yet).
    """

    location: Location
    digests: Mapping[str, str] = field(default_factory=dict)
    size: int | None = None


def check_registrar(catalog: Catalog, caller: Caller, image_id: str, offers: Sequence[Offer]) -> Image:
    """The image, if the caller may give it these locations at all; asked before any store is.

    :raises NotFound: no such image for this caller. :raises Forbidden: policy.
    :raises LimitExceeded: more locations than an image may have.
    """
    image = find_image(catalog, caller, image_id, "set_image_location")
    require_writer(caller)
    check_count("image_location_quota", catalog.limits.image_location_quota, len(offers))
    return image


def adding(catalog: Catalog, caller: Caller, offer: Offer) -> Change:
    """Add a location; the first one makes a queued image active."""

    def change(image: Image) -> Image:
        _require_open(catalog, caller, image)
        return _with(catalog, image, offer)

    return change


def replacing(catalog: Catalog, caller: Caller, offers: Sequence[Offer]) -> Change:
    """Give locations to an image that has none, or other metadata to those that it has."""

    def change(image: Image) -> Image:
        _require_open(catalog, caller, image)
        if not offers:
            raise Forbidden("The locations of an image may not all be removed.")
        if not image.locations:
            for offer in offers:
                image = _with(catalog, image, offer)
            return image
        if sorted(offer.location.url for offer in offers) != sorted(one.url for one in image.locations):
            raise Invalid("locations", "they can only be replaced by the same URLs with other metadata")
        offered: dict[str, list[Location]] = {}
        for offer in offers:
            image = _vouched(image, offer)
            offered.setdefault(offer.location.url, []).append(offer.location)
        # Their order stays that in which they came to the image.
        return replace(image, locations=tuple(offered[one.url].pop(0) for one in image.locations))

    return change


def removing(catalog: Catalog, caller: Caller, position: str, order: Order = tuple) -> Change:
    """Remove the location at a position, counted from 0 in the order in which they are shown, and its data.

    :raises Invalid: not a number.
    """
    index = read_position(position)

    def change(image: Image) -> Image:
        _require_removable(catalog, caller, image)
        if index >= len(image.locations):
            raise Invalid("path", f"the image has {len(image.locations)} locations, counted from 0")
        return _without(image, (order(image.locations)[index],))

    return change


def leave_store(
    catalog: Catalog, worker: Worker, caller: Caller, image_id: str, held: Callable[[Location], bool]
) -> list[Intent]:
    """Take those of an image's locations from it that a store holds; the data that is to be removed there.

    :raises NotFound: no such image for this caller, or the store holds nothing of it.
    :raises Forbidden: policy, or there would be no location left. :raises Conflict: the image is not active.
    """
    before = find_image(catalog, caller, image_id, "get_image_location")
    require_writer(caller)
    _require_removable(catalog, caller, before)
    gone = tuple(location for location in before.locations if held(location))
    after = _without(before, gone)
    if not gone:
        raise NotFound("image in this store", image_id)
    now = catalog.clock()
    intents = catalog.records.images.relocate(
        image_id,
        difference(before, after),
        frozenset({before.status}),
        None,
        worker.id,
        worker.lease_until(),
        now,
    )
    tell_image(catalog, "image.update", replace(after, updated_at=now))
    return intents


def _require_removable(catalog: Catalog, caller: Caller, image: Image) -> None:
    require(catalog, caller, "delete_image_location", image)
    if image.status is not ImageStatus.ACTIVE:
        raise Conflict(f"Locations can only be removed while the image is active; it is {image.status}.")


def _without(image: Image, gone: Sequence[Location]) -> Image:
    left = tuple(location for location in image.locations if location not in gone)
    if not left or len(image.locations) == 1:
        raise Forbidden("The last location of an image may not be removed.")
    return replace(image, locations=left)


def read_position(text: str) -> int:
    """The number of a location in a path. :raises Invalid: it is none."""
    if not text.isdecimal() or not text.isascii() or len(text) > 9:
        raise Invalid("path", f"{text[:20]!r} is not the position of a location")
    return int(text)


def _require_open(catalog: Catalog, caller: Caller, image: Image) -> None:
    require(catalog, caller, "set_image_location", image)
    if image.status not in _OPEN:
        raise Conflict(f"Locations can be set while the image is queued or active; it is {image.status}.")


def _with(catalog: Catalog, image: Image, offer: Offer) -> Image:
    if offer.location in image.locations:
        raise Invalid("locations", "the image has this location already")
    check_count("image_location_quota", catalog.limits.image_location_quota, len(image.locations) + 1)
    if image.size is not None and image.locations and offer.size not in (None, image.size):
        raise Invalid("locations", f"{offer.size} bytes are there; the image has {image.size}")
    image = _vouched(image, offer)
    if image.status is ImageStatus.QUEUED:
        require_formats(image)
        image = replace(image, status=ImageStatus.ACTIVE, size=offer.size)
    return replace(image, locations=(*image.locations, offer.location))


def require_formats(image: Image) -> None:
    """:raises Invalid: a format of the image is not set."""
    for name in ("disk_format", "container_format"):
        if getattr(image, name) is None:
            raise Invalid(name, "must be set before the image gets a location")


def _vouched(image: Image, offer: Offer) -> Image:
    """The image with the digests of an offer; once it has data, they must be those that it has."""
    if image.status is ImageStatus.QUEUED:
        return replace(image, **offer.digests)  # type: ignore[arg-type]
    for name, value in offer.digests.items():
        if getattr(image, name) != value:
            raise Conflict(f"The {name} of the location is not that of the image.")
    return image


def change_locations(
    catalog: Catalog,
    worker: Worker,
    caller: Caller,
    image_id: str,
    changes: Sequence[Callable[[Image], Image]],
    rule: str,
) -> tuple[Image, list[Intent]]:
    """Apply changes as `images.edit` does, some of them to the locations.

    Gives back the image, and what is to be removed: data at places that the image no longer has. Raises as
    `images.edit` and the changes do. :raises LimitExceeded: the storage quota, too.
    """
    before, after = planned(catalog, caller, image_id, changes, rule)
    change = difference(before, after)
    seen = seen_by(catalog, caller)
    if not change:
        return seen(after), []
    more = len(after.locations) > len(before.locations)
    charge = Charge(caller.project_id, storage_quota(catalog), allowance(catalog, caller)) if more else None
    now = catalog.clock()
    intents = catalog.records.images.relocate(
        image_id, change, frozenset({before.status}), charge, worker.id, worker.lease_until(), now
    )
    saved = replace(after, updated_at=now)
    tell_saved(catalog, before.status, saved)
    return seen(saved), intents


def seen_locations(catalog: Catalog, caller: Caller, image: Image) -> tuple[Location, ...] | None:
    """The locations that the caller may see; None: none by policy."""
    if not catalog.policy.allows("get_image_location", caller, policy_target(image)):
        return None
    return known_locations(caller, image)


def known_locations(caller: Caller, image: Image) -> tuple[Location, ...]:
    """The locations of which the caller may know in which stores they are."""
    hidden = image.status is ImageStatus.DEACTIVATED and not caller.is_admin
    return () if hidden else image.locations


def fetch(catalog: Catalog, caller: Caller, image_id: str) -> tuple[Location, ...]:
    """All locations of an image, for services. :raises NotFound: no such image. :raises Forbidden: policy."""
    return find_image(catalog, caller, image_id, "fetch_image_location").locations
