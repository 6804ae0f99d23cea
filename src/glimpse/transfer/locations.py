"""Locations that clients bring are looked at before the image gets them."""

from collections.abc import Sequence
from dataclasses import replace

from glimpse.catalog.locations import Offer, check_registrar
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.domain.image import Location
from glimpse.stores.base import Store, StoreObjectMissing
from glimpse.transfer.transfer import Transfer


async def survey(transfer: Transfer, caller: Caller, image_id: str, offers: Sequence[Offer]) -> list[Offer]:
    """The offers with their sizes, as the stores tell them. No store is asked before the caller is judged.

    :raises NotFound: no such image for this caller. :raises Forbidden: policy.
    :raises LimitExceeded: more locations than an image may have.
    :raises Invalid: no store takes a location, or there is no data.
    """
    if not offers:
        return []
    image = await transfer.threads.record(check_registrar, transfer.catalog, caller, image_id, offers)
    known = {location.url for location in image.locations}
    return [
        offer if offer.location.url in known else await transfer.threads.bulk(_sized, transfer, offer)
        for offer in offers
    ]


def _sized(transfer: Transfer, offer: Offer) -> Offer:
    return replace(offer, size=measure(transfer, offer.location))


def check_location(transfer: Transfer, location: Location) -> Store:
    """The store of a location that a client brings. :raises Invalid: no store takes it."""
    try:
        store = transfer.stores.holding(location)
    except Unavailable:
        raise Invalid("url", "no store is configured for locations of this kind") from None
    named = location.metadata.get("store", store.id)
    if named != store.id and named in transfer.stores.by_id:
        raise Invalid("url", f"it does not belong to the store '{named}'")
    store.check_url(location.url)
    return store


def measure(transfer: Transfer, location: Location) -> int:
    """How many bytes there are at a location that a client brings.

    :raises Invalid: no store takes it, it cannot be read, or nothing is there.
    """
    store = check_location(transfer, location)
    try:
        size = store.stat(location.url)
    except (StoreObjectMissing, Unavailable) as error:
        raise Invalid("url", f"the location cannot be read: {error}") from None
    if size == 0:
        raise Invalid("url", "the location holds no bytes")
    return size
