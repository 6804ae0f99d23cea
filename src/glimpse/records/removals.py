"""What is noted before bytes are removed."""

from uuid import uuid4

from glimpse.catalog.import_ports import Staged
from glimpse.catalog.ports import Intent, IntentKind
from glimpse.domain.image import Location


def removal(image_id: str, location: Location, worker: str, lease_until: float) -> Intent:
    """The DELETE intent of `worker` for a location of an image."""
    return Intent(
        id=str(uuid4()),
        kind=IntentKind.DELETE,
        image_id=image_id,
        store=location.metadata.get("store", ""),
        target=location.url,
        worker=worker,
        lease_until=lease_until,
    )


def removal_of_staged(staged: Staged, worker: str, lease_until: float) -> Intent:
    """The DISCARD intent of `worker` for staged data.

    Not its location goes: under the same URL there may be what was staged or imported since, by the time
    that a worker that was asleep removes it.
    """
    return Intent(
        id=staged.attempt,
        kind=IntentKind.DISCARD,
        image_id=staged.image_id,
        store=staged.store,
        target=staged.target,
        worker=worker,
        lease_until=lease_until,
    )
