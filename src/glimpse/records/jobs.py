"""Jobs: the port's `JobRecords` in SQL."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import Any

import orjson
from sqlalchemy import Connection, Row, bindparam, case, delete, false, insert, select, true, update

from glimpse.jobs.ports import Job, Progress
from glimpse.records.database import Database
from glimpse.records.tables import images, is_present, jobs

# A time may lose its last digits on the way through a database; a renewal adds much more than this.
_PRECISION = 0.001

_held = (jobs.c.id == bindparam("job"), jobs.c.worker == bindparam("holder"))
_DUE = (
    select(jobs)
    .where(jobs.c.kind == bindparam("is_kind"), jobs.c.due_at <= bindparam("now"))
    .order_by(jobs.c.due_at, jobs.c.id)
    .limit(bindparam("limit"))
)
_TAKE = (
    update(jobs)
    .where(*_held, jobs.c.due_at <= bindparam("seen"))
    .values(worker=bindparam("claimant"), due_at=bindparam("until"), attempts=jobs.c.attempts + 1)
)
_RENEW = (
    update(jobs)
    .where(*_held)
    .values(
        due_at=bindparam("until"), done=bindparam("so_far"), total=bindparam("of"), rate=bindparam("speed")
    )
)
_RENEWED = select(jobs.c.id, jobs.c.cancelled).where(
    jobs.c.id.in_(bindparam("some", expanding=True)), jobs.c.worker == bindparam("holder")
)
_POSTPONE = update(jobs).where(*_held).values(worker="", due_at=bindparam("until"), error=bindparam("reason"))
_RELEASE = (
    update(jobs).where(*_held).values(worker="", due_at=bindparam("until"), attempts=jobs.c.attempts - 1)
)
# The new value differs, or MySQL would not count the row.
_HOLD = update(jobs).where(*_held).values(due_at=jobs.c.due_at + _PRECISION)
_END = delete(jobs).where(*_held)
_GET = select(jobs).where(jobs.c.id == bindparam("job"))
_OF_SUBJECT = select(jobs).where(jobs.c.subject == bindparam("about")).order_by(jobs.c.id)
_OF_KIND = (
    select(jobs)
    .where(jobs.c.kind == bindparam("is_kind"), jobs.c.cancelled.is_(false()))
    .order_by(jobs.c.due_at, jobs.c.id)
)
_PAGE = select(jobs).where(jobs.c.id > bindparam("after")).order_by(jobs.c.id).limit(bindparam("limit"))
_PAGE_OF = _PAGE.join(images, images.c.id == jobs.c.subject).where(
    images.c.owner == bindparam("project"), is_present(images)
)
_CANCEL = (
    update(jobs)
    .where(jobs.c.id == bindparam("job"))
    .values(
        cancelled=true(),
        due_at=case((jobs.c.worker == "", bindparam("now", type_=jobs.c.due_at.type)), else_=jobs.c.due_at),
    )
)


class SqlJobRecords:
    """Jobs in the table `glimpse_jobs`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._due = database.prepare(_DUE)
        self._get = database.prepare(_GET)
        self._of_subject = database.prepare(_OF_SUBJECT)
        self._of_kind = database.prepare(_OF_KIND)
        self._page = database.prepare(_PAGE)
        self._page_of = database.prepare(_PAGE_OF)

    def add(self, job: Job) -> None:
        """See the port."""
        self._database.write(lambda connection: note_job(connection, job))

    def get(self, job_id: str) -> Job | None:
        """See the port."""
        rows = self._database.read(self._get, {"job": job_id})
        job = _job_of(rows[0]) if rows else None
        # MySQL finds an id that is written in other letters, too.
        return job if job is not None and job.id == job_id else None

    def claim(
        self, kind: str, worker: str, due_at: float, now: float, limit: int, besides: Collection[str] = ()
    ) -> list[Job]:
        """See the port."""
        values = {"is_kind": kind, "now": now, "limit": limit + len(besides)}
        found = [_job_of(row) for row in self._database.read(self._due, values)]
        due = [job for job in found if job.id not in besides][:limit]
        if not due:
            return []

        def work(connection: Connection) -> list[Job]:
            return [job for job in due if self._take(connection, job, worker, due_at)]

        return [
            replace(job, worker=worker, due_at=due_at, attempts=job.attempts + 1)
            for job in self._database.write(work)
        ]

    def _take(self, connection: Connection, job: Job, worker: str, due_at: float) -> bool:
        values = {
            "job": job.id,
            "holder": job.worker,
            "seen": job.due_at + _PRECISION,
            "claimant": worker,
            "until": due_at,
        }
        return connection.execute(_TAKE, values).rowcount == 1

    def renew(self, progress: Mapping[str, Progress], worker: str, due_at: float) -> Mapping[str, bool]:
        """See the port."""
        rows = [
            {
                "job": job_id,
                "holder": worker,
                "until": due_at,
                "so_far": one.done,
                "of": one.total,
                "speed": one.rate,
            }
            for job_id, one in progress.items()
        ]

        def work(connection: Connection) -> Mapping[str, bool]:
            connection.execute(_RENEW, rows)
            held = connection.execute(_RENEWED, {"some": list(progress), "holder": worker})
            return {row.id: row.cancelled for row in held}

        return self._database.write(work) if rows else {}

    def of_subject(self, subject: str) -> list[Job]:
        """See the port."""
        return [_job_of(row) for row in self._database.read(self._of_subject, {"about": subject})]

    def of_kind(self, kind: str) -> list[Job]:
        """See the port."""
        return [_job_of(row) for row in self._database.read(self._of_kind, {"is_kind": kind})]

    def page(self, limit: int, after: str = "", owner: str | None = None) -> list[Job]:
        """See the port."""
        values = {"limit": limit, "after": after}
        if owner is None:
            rows = self._database.read(self._page, values)
        else:
            rows = self._database.read(self._page_of, {**values, "project": owner})
        return [_job_of(row) for row in rows]

    def cancel(self, job_id: str, now: float) -> bool:
        """See the port."""
        found = self.get(job_id) is not None
        if found:
            self._database.write(lambda c: c.execute(_CANCEL, {"job": job_id, "now": now}).rowcount)
        return found

    def postpone(self, job: Job, due_at: float, error: str) -> None:
        """See the port."""
        self._change(_POSTPONE, job, until=due_at, reason=error)

    def release(self, job: Job, now: float) -> None:
        """See the port."""
        self._change(_RELEASE, job, until=now)

    def finish(self, job: Job) -> bool:
        """See the port."""
        return self._database.write(lambda connection: end_job(connection, job))

    def _change(self, statement: Any, job: Job, **values: object) -> None:
        key = {"job": job.id, "holder": job.worker}
        self._database.write(lambda connection: connection.execute(statement, key | values).rowcount)


def note_job(connection: Connection, job: Job) -> None:
    """Insert a job, in a transaction that somebody else began."""
    row = {column.name: getattr(job, column.name) for column in jobs.c}
    connection.execute(insert(jobs), row | {"arguments": orjson.dumps(dict(job.arguments)).decode()})


def hold_job(connection: Connection, job: Job) -> bool:
    """Lock a job until the transaction ends; False if its worker no longer holds it."""
    return connection.execute(_HOLD, {"job": job.id, "holder": job.worker}).rowcount == 1


def end_job(connection: Connection, job: Job) -> bool:
    """Remove a job; False if its worker no longer holds it."""
    return connection.execute(_END, {"job": job.id, "holder": job.worker}).rowcount == 1


def _job_of(row: Row[Any] | Any) -> Job:
    values = dict(zip((column.name for column in jobs.c), row, strict=True))
    own = {"arguments": orjson.loads(values["arguments"]), "cancelled": bool(values["cancelled"])}
    return Job(**{**values, **own})
