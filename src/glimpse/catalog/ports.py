"""What the catalog needs from the outside: records, and somebody who knows the policy.

All calls on records are synchronous, thread-safe and transactional: a call that raises has changed nothing.
Every call may raise `Unavailable` when the database does not answer within its deadline.
Times are naive UTC datetimes with whole seconds, as the tables of Glance keep them.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from glimpse.domain.caller import Caller
from glimpse.domain.image import (
    Digests,
    Image,
    ImageChange,
    Location,
    Member,
    MemberStatus,
    Visibility,
)
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task
from glimpse.jobs.ports import Job


class Operator(StrEnum):
    """How a condition compares."""

    EQUAL = "eq"
    NOT_EQUAL = "neq"
    GREATER = "gt"
    GREATER_OR_EQUAL = "gte"
    LESS = "lt"
    LESS_OR_EQUAL = "lte"
    ONE_OF = "in"


@dataclass(frozen=True, slots=True)
class Condition:
    """`column` of the image compares by `operator` with `value` (a tuple for ONE_OF)."""

    column: str
    operator: Operator
    value: object


@dataclass(frozen=True, slots=True)
class SortKey:
    """A column of the image to sort by."""

    column: str
    descending: bool = True


@dataclass(frozen=True, slots=True)
class Viewer:
    """Whose eyes a page of images is for: an administrator's, a project's, or those of nobody's project."""

    project_id: str | None
    is_admin: bool = False


@dataclass(frozen=True, slots=True)
class PageQuery:
    """One page of images.

    `visibility` None means the caller's default list, "all" means everything the caller may see (Image API
    v2, "Show images"; the table is in `records/pages.py`). `member_status` None means any status.
    `sort` is total: its last key is the id. `marker` is the image after which the page starts. `deleted`:
    deleted images alone, those that are not, or both (None).
    """

    sort: tuple[SortKey, ...]
    limit: int
    visibility: Visibility | str | None = None
    member_status: MemberStatus | None = MemberStatus.ACCEPTED
    os_hidden: bool = False
    conditions: tuple[Condition, ...] = ()
    properties: tuple[tuple[str, str], ...] = ()
    tags: tuple[str, ...] = ()
    marker: Image | None = None
    deleted: bool | None = False


class Resource(StrEnum):
    """What a project has only so much of, by upstream's names: sizes count in MiB."""

    SIZE_TOTAL = "image_size_total"
    STAGE_TOTAL = "image_stage_total"
    COUNT_TOTAL = "image_count_total"
    COUNT_UPLOADING = "image_count_uploading"


@dataclass(frozen=True, slots=True)
class Allowance:
    """The most that a project may have of each resource; negative: any amount; not named here: nothing."""

    project_id: str
    limits: Mapping[Resource, int]


@dataclass(frozen=True, slots=True)
class Charge:
    """What the bytes must fit that a project comes to store: its local quota (None: any), its allowance."""

    project_id: str | None
    quota: int | None = None
    allowance: Allowance | None = None


class ImageRecords(Protocol):
    """Images with their properties, tags and locations."""

    def create(self, image: Image, allowance: Allowance | None = None) -> None:
        """Insert `image` with its properties and tags (no locations).

        :raises Duplicate: the id is taken, also by an image that was deleted.
        :raises LimitExceeded: it is one image more than the allowance (None: no limit).
        """

    def get(self, image_id: str, project_id: str | None, *, deleted: bool = False) -> Image:
        """The image, in one statement; `member` is `project_id` if that project is a member of it.

        Visibility is not judged here. `deleted` also finds images that are deleted or pending_delete.

        :raises NotFound: no such image.
        """

    def page(self, query: PageQuery, viewer: Viewer) -> list[Image]:
        """At most `query.limit` images that `viewer` may see, in order, in one statement.

        The cost does not grow with the number of images before the marker.
        Killed, deleted and pending_delete images never appear.
        """

    def change(
        self, image_id: str, change: ImageChange, statuses: frozenset[ImageStatus], now: datetime
    ) -> None:
        """Write `change`, which leaves the locations as they are, if the image is in one of `statuses`, and
        set `updated_at`.

        :raises NotFound: the image is gone.
        :raises Conflict: the image is in another status.
        """

    def relocate(
        self,
        image_id: str,
        change: ImageChange,
        statuses: frozenset[ImageStatus],
        charge: Charge | None,
        worker: str,
        lease_until: float,
        now: datetime,
    ) -> list["Intent"]:
        """Write `change` as the method of that name does, locations included; no charge if none is added.

        In the same transaction a DELETE intent of `worker` is noted for each place that the image no longer
        has; these come back.

        :raises NotFound: the image is gone.
        :raises Conflict: the image is in another status, or its locations are no longer those before.
        :raises LimitExceeded: the bytes at the new locations do not fit what `charge` says.
        """

    def move(
        self, image_id: str, sources: frozenset[ImageStatus], target: ImageStatus, now: datetime
    ) -> None:
        """Change the status to `target` if it is one of `sources`.

        :raises NotFound: the image is gone.
        :raises Conflict: the image is in another status.
        """

    def delete(
        self, image_id: str, sources: frozenset[ImageStatus], worker: str, lease_until: float, now: datetime
    ) -> list["Intent"]:
        """Mark the image and all that belongs to it deleted.

        In the same transaction a DELETE intent of `worker` is noted for each of its locations, and a DISCARD
        intent for what was staged; these come back.

        :raises NotFound: the image is gone.
        :raises Conflict: the image is in a status that is not one of `sources`, or is protected.
        """

    def usage(self, project_id: str) -> int:
        """Bytes that a project stores: the sum over its images of size times number of locations.

        Killed, deleted and pending_delete images do not count; running writes count by their reservation.
        """

    def totals(self, project_id: str) -> Mapping[Resource, int]:
        """What a project has of each resource; sizes in bytes."""


class MemberRecords(Protocol):
    """The projects with which images are shared."""

    def list(self, image_id: str) -> list[Member]:
        """All members, in the order in which they were added."""

    def get(self, image_id: str, member_id: str) -> Member:
        """:raises NotFound: the project is no member."""

    def add(self, member: Member, maximum: int) -> None:
        """Add a member; one that had been removed is revived as new.

        :raises NotFound: the image is gone.
        :raises Duplicate: it is a member already.
        :raises LimitExceeded: the image has `maximum` members (negative: no limit).
        """

    def set_status(self, image_id: str, member_id: str, status: MemberStatus, now: datetime) -> Member:
        """:raises NotFound: the project is no member."""

    def set_can_share(self, image_id: str, member_id: str, can_share: bool, now: datetime) -> Member:
        """:raises NotFound: the project is no member."""

    def shared_on(self, member_id: str) -> frozenset[str]:
        """The ids of the images that a member may share with others."""

    def remove(self, image_id: str, member_id: str, now: datetime) -> None:
        """:raises NotFound: the project is no member."""


class IntentKind(StrEnum):
    """What a worker is about to do to a store."""

    WRITE = "write"
    COPY = "copy"
    DISCARD = "discard"
    DELETE = "delete"


@dataclass(frozen=True, slots=True)
class Intent:
    """Something about to happen in a store, written down before it happens.

    A WRITE intent stands while bytes come in: `target` is the key under which they are written. When its
    lease ends without commit, the image goes back to queued, and the intent becomes a DISCARD intent, which
    stands until what was written is removed. A COPY intent is the same for bytes that a job writes: the job
    answers for the image's status. A DELETE intent stands until the bytes at `target` (a location URL) are
    removed. Lease times are seconds since the epoch.
    """

    id: str
    kind: IntentKind
    image_id: str
    store: str
    target: str
    worker: str
    lease_until: float
    project_id: str | None = None
    reserved_bytes: int = 0


@dataclass(frozen=True, slots=True)
class WrittenData:
    """What became of a finished write: facts that are published with the location."""

    location: Location
    size: int
    virtual_size: int | None
    digests: Digests


class IntentRecords(Protocol):
    """Write intents and their leases: what makes sure that nothing stays half done."""

    def begin_write(
        self,
        intent: Intent,
        quota: int | None,
        now: datetime,
        allowance: Allowance | None = None,
        status: ImageStatus = ImageStatus.SAVING,
    ) -> None:
        """Move the image from queued to saving (or uploading) and note the intent, in one transaction.

        `quota` is the most bytes that `intent.project_id` may store, reservations included (None: no limit);
        `allowance` the most that it may have in bytes and running uploads.

        :raises Conflict: the image is not queued.
        :raises NotFound: the image is gone.
        :raises LimitExceeded: the reservation does not fit the quota or the allowance.
        """

    def commit_write(
        self,
        intent_id: str,
        worker: str,
        data: WrittenData,
        quota: int | None,
        now: datetime,
        allowance: Allowance | None = None,
    ) -> None:
        """Publish the bytes: location, size, digests and `active`, in one transaction with the intent's end.

        :raises Conflict: the intent is no longer held by `worker` (its lease ran out).
        :raises Gone: the image is no longer in saving.
        :raises LimitExceeded: the real size does not fit the quota or the allowance.
        """

    def undo_write(
        self, intent_id: str, worker: str, now: datetime, status: ImageStatus = ImageStatus.QUEUED
    ) -> bool:
        """Put the image into this status if it is still in saving (or uploading); the intent becomes a
        DISCARD intent.

        False, and nothing is changed, when `worker` no longer holds the write. Then it was published, or
        somebody else took it over: its bytes are not this worker's to remove.
        """

    def abandon(self, intent_id: str, worker: str) -> bool:
        """A COPY intent becomes a DISCARD intent.

        False, and nothing is changed, when `worker` no longer holds it, as with `undo_write`.
        """

    def renew(self, intent_ids: Collection[str], worker: str, lease_until: float) -> None:
        """Prolong those of the leases that `worker` still holds."""

    def now(self) -> float:
        """The time by which leases are judged, by the clock of the database, in seconds since the epoch."""

    def expired(self, before: float, limit: int) -> list[Intent]:
        """Intents whose lease ended before that time, oldest first."""

    def claim(self, intent: Intent, worker: str, lease_until: float) -> bool:
        """Take an expired intent over. False if somebody else was quicker, or it was renewed or ended."""

    def writing(self, image_id: str) -> list[Intent]:
        """The WRITE, COPY and DISCARD intents of an image."""

    def finish(self, intent_id: str) -> None:
        """End an intent that is no WRITE intent. Does nothing if it is gone."""


class LocationImportRecords(Protocol):
    """Images that get their first location by a job, which a task of the same id shows."""

    def begin(self, task: Task, job: Job, now: datetime) -> None:
        """Move the image that the job is about from queued to importing; note the task and the job.

        :raises NotFound: the image is gone. :raises Conflict: it is not queued.
        """

    def publish(
        self, job: Job, location: Location, columns: Mapping[str, object], charge: Charge, now: datetime
    ) -> None:
        """Give the importing image its location and these columns (the size among them): it is active.

        :raises Unavailable: the job is no longer its worker's. :raises Gone: the image is not importing.
        :raises LimitExceeded: the bytes do not fit what `charge` says.
        """

    def complete(self, job: Job, columns: Mapping[str, object], expires_at: datetime, now: datetime) -> None:
        """Write columns of the image that are still missing; the task has succeeded, the job ends."""

    def fail(self, job: Job, reason: str, expires_at: datetime, now: datetime) -> None:
        """Put an image that is still importing back to queued; the task has failed, the job ends."""


class Policy(Protocol):
    """The operator's rules (oslo.policy)."""

    def allows(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        """Whether `caller` may do `rule` to `target`."""


class PropertyRules(Protocol):
    """The operator's protection of custom properties."""

    def allows(self, operation: str, name: str, caller: Caller) -> bool:
        """Whether `caller` may `create`, `read`, `update` or `delete` the property of this name."""


class Quotas(Protocol):
    """Limits of projects that are kept elsewhere (Keystone)."""

    def of(self, project_id: str) -> Mapping[Resource, int]:
        """The project's limits, as an `Allowance` has them. :raises Unavailable: they cannot be read."""
