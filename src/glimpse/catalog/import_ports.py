"""What the catalog needs from the outside to import data. The promises of `catalog/ports.py` hold here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from glimpse.catalog.ports import Allowance, Charge, Intent
from glimpse.domain.image import Digests, Image, ImageChange
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task
from glimpse.jobs.ports import Job


@dataclass(frozen=True, slots=True)
class Staged:
    """Data that waits in a store for the import that makes it the data of its image.

    `target` and `attempt` are those of the WRITE intent by which it came: removed is what that one wrote.
    `findings` are those of its inspection, with all digests that were made, as JSON values (None: it was not
    inspected).
    """

    image_id: str
    store: str
    target: str
    attempt: str
    url: str
    size: int
    digests: Digests
    findings: Mapping[str, Any] | None
    project_id: str | None = None


@dataclass(frozen=True, slots=True)
class Publication:
    """What an import gives its image, which must be in one of `statuses`: a change with the locations before
    and after in it, the ids of the COPY intents of what was written, and whether its staged data stays.
    """

    change: ImageChange
    statuses: frozenset[ImageStatus]
    copies: Sequence[str] = ()
    keeps_staged: bool = False


class ImportRecords(Protocol):
    """Imports: jobs, each with a task of the same id, and the data that was staged for them."""

    def commit_stage(
        self,
        intent_id: str,
        worker: str,
        staged: Staged,
        quota: int | None,
        now: datetime,
        allowance: Allowance | None = None,
    ) -> None:
        """Note what was staged for an uploading image, in one transaction with the write intent's end.

        Raises as `IntentRecords.commit_write`.
        """

    def staged(self, image_id: str) -> Staged | None:
        """What is staged for an image."""

    def begin(self, task: Task, job: Job, status: ImageStatus, change: ImageChange, now: datetime) -> None:
        """Write `change` to an image in this status, and note the task and the job.

        :raises NotFound: the image is gone.
        :raises Conflict: it is in another status, or another import of it is not done.
        """

    def create(self, image: Image, allowance: Allowance | None, task: Task, job: Job) -> None:
        """Note an image that is importing from its first moment, with the task and the job of that.

        Raises as `ImageRecords.create`.
        """

    def reserve(self, job: Job, copies: Sequence[Intent], charge: Charge) -> None:
        """Note COPY intents of a job: what it is about to write.

        :raises Unavailable: the job is no longer its worker's.
        :raises LimitExceeded: the bytes that they reserve do not fit what `charge` says.
        """

    def publish(
        self,
        job: Job,
        publication: Publication,
        charge: Charge,
        expires_at: datetime,
        now: datetime,
    ) -> list[Intent]:
        """Give the image what was imported; the task has succeeded, the job and its intents end.

        A DISCARD intent for staged data that does not stay comes back.

        :raises Unavailable: the job or one of the copies is no longer its worker's.
        :raises Gone: the image was deleted, or changed its status or locations.
        :raises LimitExceeded: the bytes do not fit what `charge` says.
        """

    def fail(
        self,
        job: Job,
        reason: str,
        change: ImageChange | None,
        expires_at: datetime,
        now: datetime,
        status: ImageStatus = ImageStatus.QUEUED,
    ) -> list[Intent]:
        """Put an image that is importing into this status, write `change`; the task has failed, the job ends.

        With None, an image that is importing is deleted, protected or not. Staged data of an image that is
        no longer importing then goes: its DISCARD intent comes back.
        """
