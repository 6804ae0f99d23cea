"""Images that get their first location by a job: the port's `LocationImportRecords` in SQL."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime

from sqlalchemy import Connection

from glimpse.catalog.ports import Charge, Resource
from glimpse.domain.errors import Conflict, Gone, NotFound, Unavailable
from glimpse.domain.image import Location
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task, TaskStatus
from glimpse.jobs.ports import Job
from glimpse.records.changes import add_location, move, update_image
from glimpse.records.database import Database
from glimpse.records.jobs import end_job, hold_job, note_job
from glimpse.records.quota import require_allowed, require_room
from glimpse.records.tasks import note_task, settle_task

_QUEUED = frozenset({ImageStatus.QUEUED})
_IMPORTING = frozenset({ImageStatus.IMPORTING})
_FILLED = frozenset({ImageStatus.ACTIVE, ImageStatus.DEACTIVATED})


class SqlLocationImportRecords:
    """Location imports. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, task: Task, job: Job, now: datetime) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            move(connection, job.subject, _QUEUED, ImageStatus.IMPORTING, now)
            note_task(connection, task)
            note_job(connection, job)

        self._database.write(work)

    def publish(
        self, job: Job, location: Location, columns: Mapping[str, object], charge: Charge, now: datetime
    ) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            if not hold_job(connection, job):
                raise Unavailable("job", "another worker has taken it over")
            values = {**columns, "status": ImageStatus.ACTIVE, "updated_at": now}
            try:
                update_image(connection, job.subject, _IMPORTING, values)
            except (NotFound, Conflict) as error:
                raise Gone(f"Image {job.subject} was deleted or changed meanwhile.") from error
            add_location(connection, self._database.urls, job.subject, location, now)
            # What came in counts by now.
            require_room(connection, charge.project_id, 0, charge.quota)
            require_allowed(connection, charge.allowance, {Resource.SIZE_TOTAL: 0})

        self._database.write(work)

    def complete(self, job: Job, columns: Mapping[str, object], expires_at: datetime, now: datetime) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            if end_job(connection, job):
                with suppress(NotFound, Conflict):
                    update_image(connection, job.subject, _FILLED, {**columns, "updated_at": now})
                settle_task(connection, job.id, TaskStatus.SUCCESS, "", expires_at, now)

        self._database.write(work)

    def fail(self, job: Job, reason: str, expires_at: datetime, now: datetime) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            if end_job(connection, job):
                with suppress(NotFound, Conflict):
                    move(connection, job.subject, _IMPORTING, ImageStatus.QUEUED, now)
                settle_task(connection, job.id, TaskStatus.FAILURE, reason, expires_at, now)

        self._database.write(work)
