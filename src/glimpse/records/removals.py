"""What is noted before bytes are removed."""

from uuid import uuid4

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
