"""What a delayed deletion needs from the outside. The promises of `catalog/ports.py` hold here."""

from datetime import datetime
from typing import Protocol

from glimpse.catalog.ports import Intent
from glimpse.domain.image import Location
from glimpse.jobs.ports import Job

# The kind of job that ends an image that is pending_delete. It bears the image's id, so there is one at most.
SCRUB = "scrub"


class DeletionRecords(Protocol):
    """Images that are deleted while their data still waits, and the queue of those whose time has come."""

    def postpone(self, image_id: str, now: datetime) -> bool:
        """Mark an image that has data pending_delete, and all that belongs to it deleted. No data goes.

        False, and nothing is changed: it has none, is protected, gone, or in a status without this way out.
        """

    def restore(self, image_id: str, now: datetime) -> None:
        """Bring a pending_delete image back as it was when it was deleted, and take it out of the queue.

        Properties, tags and members that had been removed before stay so.

        :raises NotFound: there never was such an image, or it was purged.
        :raises Conflict: it is not pending_delete, or its data has begun to go.
        """

    def queue(self, before: datetime, limit: int) -> int:
        """Note a SCRUB job for images deleted at `before` or earlier, at most so many, and say how many.

        They are pending_delete, or have a location that is. What has a job already is left out.
        """

    def ensure(self, job: Job) -> None:
        """Note a job, unless there is one of this id."""

    def waiting(self, image_id: str, before: datetime) -> list[Location]:
        """The locations of an image that became pending_delete at `before` or earlier."""

    def begin(
        self, image_id: str, before: datetime, worker: str, lease_until: float, now: float
    ) -> list[Intent]:
        """The point of no return: mark what `waiting` tells deleted, and note a DELETE intent of `worker` for
        each place that no location of the image names any more, in one transaction.

        All DELETE intents of the image come back: those of earlier attempts are `worker`'s from now on if
        their lease had ended at `now`, seconds since the epoch. Others are under way elsewhere.
        """

    def finish(self, image_id: str, now: datetime) -> bool:
        """Move an image from pending_delete to deleted if none of its data is left; whether that was done."""
