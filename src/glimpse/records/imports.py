"""Imports: the port's `ImportRecords` in SQL."""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection, bindparam, delete, select

from glimpse.catalog.import_ports import Publication, Staged
from glimpse.catalog.ports import Allowance, Charge, Intent, IntentKind, Resource
from glimpse.domain.errors import Conflict, Gone, NotFound, Unavailable
from glimpse.domain.image import Image, ImageChange
from glimpse.domain.properties import IMPORT_TASK
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import FINISHED, Task, TaskStatus
from glimpse.jobs.ports import Job
from glimpse.records.changes import change, create, note_intents, update_image
from glimpse.records.changes import delete as delete_image
from glimpse.records.database import Database
from glimpse.records.intents import end_write
from glimpse.records.jobs import end_job, hold_job, note_job
from glimpse.records.location_urls import LocationUrls
from glimpse.records.quota import require_allowed, require_room
from glimpse.records.removals import removal_of_staged
from glimpse.records.staging import STAGED, note_staged, staged_of, take_staged
from glimpse.records.tables import image_properties, intents, is_present, jobs, tasks
from glimpse.records.tasks import note_task, settle_task

_UPLOADING = frozenset({ImageStatus.UPLOADING})
_IMPORTING = frozenset({ImageStatus.IMPORTING})

# An import of Glance that has not been heard of for so long died with its process.
_SILENCE = timedelta(hours=1)

_LOST = "another worker has taken it over"

_HOLDER = select(image_properties.c.value).where(
    image_properties.c.image_id == bindparam("image"),
    image_properties.c.name == IMPORT_TASK,
    is_present(image_properties),
)
_JOB = select(jobs.c.id).where(jobs.c.id == bindparam("job"))
_TASK = select(tasks.c.updated_at).where(
    tasks.c.id == bindparam("task"), tasks.c.status.not_in([str(status) for status in FINISHED])
)
_END_COPY = delete(intents).where(
    intents.c.id == bindparam("intent"),
    intents.c.worker == bindparam("holder"),
    intents.c.kind == IntentKind.COPY.value,
)
_REMOVALS = select(intents.c.id).where(
    intents.c.image_id == bindparam("image"),
    intents.c.store.in_(bindparam("some", expanding=True)),
    intents.c.kind == IntentKind.DELETE.value,
)


class SqlImportRecords:
    """Imports and staged data. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._staged = database.prepare(STAGED)

    def commit_stage(
        self,
        intent_id: str,
        worker: str,
        staged: Staged,
        quota: int | None,
        now: datetime,
        allowance: Allowance | None = None,
    ) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            end_write(connection, intent_id, worker)
            try:
                update_image(
                    connection, staged.image_id, _UPLOADING, {"size": staged.size, "updated_at": now}
                )
            except (NotFound, Conflict) as error:
                raise Gone(f"Image {staged.image_id} was deleted or changed meanwhile.") from error
            note_staged(connection, staged)
            # What came in counts by now.
            require_room(connection, staged.project_id, 0, quota)
            require_allowed(connection, allowance, {Resource.STAGE_TOTAL: 0})

        self._database.write(work)

    def staged(self, image_id: str) -> Staged | None:
        """See the port."""
        rows = self._database.read(self._staged, {"image": image_id})
        return staged_of(rows[0]) if rows else None

    def begin(self, task: Task, job: Job, status: ImageStatus, change_: ImageChange, now: datetime) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            # The lock on the image's row keeps others waiting that begin an import.
            update_image(connection, job.subject, frozenset({status}), {"updated_at": now})
            _require_idle(connection, job.subject, now)
            change(connection, self._database.urls, job.subject, change_, frozenset({status}), now)
            note_task(connection, task)
            note_job(connection, job)

        self._database.write(work)

    def create(self, image: Image, allowance: Allowance | None, task: Task, job: Job) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            require_allowed(connection, allowance, {Resource.COUNT_TOTAL: 1})
            create(connection, image)
            note_task(connection, task)
            note_job(connection, job)

        self._database.write(work)

    def reserve(self, job: Job, copies: Sequence[Intent], charge: Charge) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            if not hold_job(connection, job):
                raise Unavailable("job", _LOST)
            # A store may use one name for all data of an image: what is to be removed must be gone first.
            key = {"image": job.subject, "some": [copy.store for copy in copies]}
            if connection.execute(_REMOVALS, key).first():
                raise Unavailable("store", "older data of the image is still being removed there")
            note_intents(connection, copies)
            _require_room(connection, charge)

        self._database.write(work)

    def publish(
        self,
        job: Job,
        publication: Publication,
        charge: Charge,
        expires_at: datetime,
        now: datetime,
    ) -> list[Intent]:
        """See the port."""
        urls = self._database.urls

        def work(connection: Connection) -> list[Intent]:
            if not end_job(connection, job):
                raise Unavailable("job", _LOST)
            for copy in publication.copies:
                if connection.execute(_END_COPY, {"intent": copy, "holder": job.worker}).rowcount != 1:
                    raise Unavailable("job", _LOST)
            try:
                change(connection, urls, job.subject, publication.change, publication.statuses, now)
            except (NotFound, Conflict) as error:
                raise Gone(f"Image {job.subject} was deleted or changed meanwhile.") from error
            staged = take_staged(connection, job.subject)
            removals = [] if publication.keeps_staged else _removals(connection, job, staged)
            _require_room(connection, charge)
            result = {"image_id": job.subject}
            settle_task(connection, job.id, TaskStatus.SUCCESS, "", expires_at, now, result)
            return removals

        return self._database.write(work)

    def fail(
        self,
        job: Job,
        reason: str,
        change_: ImageChange | None,
        expires_at: datetime,
        now: datetime,
        status: ImageStatus = ImageStatus.QUEUED,
    ) -> list[Intent]:
        """See the port."""
        urls = self._database.urls

        def work(connection: Connection) -> list[Intent]:
            if not end_job(connection, job):
                return []
            removals: list[Intent] = []
            with suppress(NotFound, Conflict):
                leave = partial(_delete, urls) if change_ is None else partial(_leave, status)
                removals = _removals(connection, job, leave(connection, job.subject, now))
            if change_ is not None:
                with suppress(NotFound, Conflict):
                    change(connection, urls, job.subject, change_, _SETTLED, now)
            settle_task(connection, job.id, TaskStatus.FAILURE, reason, expires_at, now)
            return removals

        return self._database.write(work)


_SETTLED = frozenset({ImageStatus.QUEUED, ImageStatus.KILLED, ImageStatus.ACTIVE, ImageStatus.DEACTIVATED})


def _leave(status: ImageStatus, connection: Connection, image_id: str, now: datetime) -> list[Staged]:
    """Put an image that is importing into another status; what was staged for it comes back."""
    left = {"status": status, "size": None, "virtual_size": None, "updated_at": now}
    update_image(connection, image_id, _IMPORTING, left)
    return take_staged(connection, image_id)


def _delete(urls: LocationUrls, connection: Connection, image_id: str, now: datetime) -> list[Staged]:
    """Delete an image that is importing, and so has no locations; what was staged for it comes back."""
    # Nobody asked to protect an image that has no data.
    update_image(connection, image_id, _IMPORTING, {"protected": False, "updated_at": now})
    delete_image(connection, urls, image_id, _IMPORTING, now)
    return take_staged(connection, image_id)


def _require_room(connection: Connection, charge: Charge) -> None:
    """:raises LimitExceeded: what is written and reserved by now does not fit."""
    require_room(connection, charge.project_id, 0, charge.quota)
    require_allowed(connection, charge.allowance, {Resource.SIZE_TOTAL: 0})


def _removals(connection: Connection, job: Job, staged: list[Staged]) -> list[Intent]:
    """DISCARD intents for staged data, of the job's worker."""
    wanted = [removal_of_staged(one, job.worker, job.due_at) for one in staged]
    note_intents(connection, wanted)
    return wanted


def _require_idle(connection: Connection, image_id: str, now: datetime) -> None:
    """:raises Conflict: an import of the image is not done. One of Glance's that is silent does not count."""
    holder = connection.execute(_HOLDER, {"image": image_id}).scalar_one_or_none()
    if not holder:
        return
    running = connection.execute(_JOB, {"job": holder}).one_or_none() is not None
    heard = connection.execute(_TASK, {"task": holder}).scalar_one_or_none()
    if running or (heard is not None and now - heard < _SILENCE):
        raise Conflict(f"Another import of image {image_id} is not done yet.")
