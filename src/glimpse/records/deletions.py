"""Delayed deletion: the port's `DeletionRecords` in SQL."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    exists,
    insert,
    literal,
    literal_column,
    null,
    or_,
    select,
    true,
    union,
    update,
)
from sqlalchemy.exc import IntegrityError

from glimpse.catalog.deletion_ports import SCRUB
from glimpse.catalog.ports import Intent, IntentKind
from glimpse.domain.errors import Conflict, NotFound
from glimpse.domain.image import Location
from glimpse.domain.status import ImageStatus, sources_of
from glimpse.jobs.ports import Job
from glimpse.records.changes import end_children, note_intents
from glimpse.records.database import Database
from glimpse.records.failures import Collision
from glimpse.records.intents import intent_of
from glimpse.records.jobs import note_job
from glimpse.records.removals import removal
from glimpse.records.rows import metadata_of
from glimpse.records.tables import (
    image_locations,
    image_members,
    image_properties,
    image_tags,
    images,
    intents,
    is_present,
    jobs,
)

_PENDING = ImageStatus.PENDING_DELETE.value

# A property that was never there, of a deleted image: it was deactivated, and so it shall come back.
_WAS_DEACTIVATED = "os_glance_was_deactivated"

_OF: BindParameter[str] = bindparam("of")
_STATE = (
    select(images.c.status, images.c.protected, images.c.deleted, images.c.deleted_at)
    .where(images.c.id == _OF)
    .with_for_update()
)
_HAS_DATA = select(
    exists().where(
        image_locations.c.image_id == _OF, is_present(image_locations), image_locations.c.status == "active"
    )
)
_END_CHILDREN = (
    *(end_children(table) for table in (image_properties, image_tags, image_members)),
    end_children(image_locations, status=_PENDING),
)

_is_pending = (image_locations.c.status == _PENDING, image_locations.c.deleted == true())
_is_due = (*_is_pending, image_locations.c.deleted_at <= bindparam("before"))
_WAITING = (
    select(image_locations.c.id, image_locations.c.value, image_locations.c.meta_data)
    .where(image_locations.c.image_id == _OF, *_is_due)
    .order_by(image_locations.c.id)
)
_STILL_NAMED = select(image_locations.c.value).where(
    image_locations.c.image_id == _OF,
    or_(
        is_present(image_locations),
        (image_locations.c.status == _PENDING) & (image_locations.c.deleted_at > bindparam("before")),
    ),
)
_END_LOCATIONS = (
    update(image_locations)
    .where(image_locations.c.id.in_(bindparam("rows", expanding=True)))
    .values(status=ImageStatus.DELETED.value)
)
_STANDING = select(intents).where(intents.c.image_id == _OF, intents.c.kind == IntentKind.DELETE.value)
_TAKE_STANDING = (
    update(intents)
    .where(
        intents.c.image_id == _OF,
        intents.c.kind == IntentKind.DELETE.value,
        or_(intents.c.worker == bindparam("claimant"), intents.c.lease_until < bindparam("moment")),
    )
    .values(worker=bindparam("claimant"), lease_until=bindparam("until"))
)
_FINISH = (
    update(images)
    .where(
        images.c.id == _OF,
        images.c.status == _PENDING,
        ~exists().where(image_locations.c.image_id == images.c.id, *_is_pending),
        ~exists().where(intents.c.image_id == images.c.id, intents.c.kind == IntentKind.DELETE.value),
    )
    .values(status=ImageStatus.DELETED.value, updated_at=bindparam("now"))
)

_END_JOB = delete(jobs).where(jobs.c.id == _OF, jobs.c.kind == SCRUB)
_JOB_EXISTS = select(exists().where(jobs.c.id == bindparam("job")))


def _due_images() -> Any:
    of_images = select(images.c.id).where(
        images.c.deleted == true(), images.c.status == _PENDING, images.c.deleted_at <= bindparam("before")
    )
    of_locations = select(image_locations.c.image_id.label("id")).where(*_is_due)
    return union(of_images, of_locations).subquery("due")


def _queue() -> Any:
    due = _due_images()
    values: dict[str, ColumnElement[Any]] = {
        "id": due.c.id,
        "kind": literal(SCRUB),
        "subject": due.c.id,
        "arguments": literal("{}"),
        "worker": literal(""),
        "due_at": literal_column("0"),
        "attempts": literal_column("0"),
        "error": literal(""),
    }
    known = exists().where(jobs.c.id == due.c.id)
    chosen = select(*values.values()).where(~known).order_by(due.c.id).limit(bindparam("limit"))
    # Psycopg counts what was inserted only when it is told to.
    return insert(jobs).from_select(list(values), chosen).execution_options(preserve_rowcount=True)


_QUEUE = _queue()


def _revive(table: Table, **values: object) -> Any:
    """What belonged to the image when it was deleted is what bears the time of that."""
    gone_with_it = (
        _is_pending
        if table is image_locations
        else (table.c.deleted_at == bindparam("then"), table.c.deleted)
    )
    return (
        update(table)
        .where(table.c.image_id == _OF, *gone_with_it)
        .values(deleted=False, deleted_at=null(), updated_at=bindparam("now"), **values)
    )


_REVIVE_LOCATIONS = _revive(image_locations, status="active")
_REVIVE_OTHERS = tuple(_revive(table) for table in (image_properties, image_tags, image_members))
_FORGET_DEACTIVATED = delete(image_properties).where(
    image_properties.c.image_id == _OF, image_properties.c.name == _WAS_DEACTIVATED
)


class SqlDeletionRecords:
    """Delayed deletions in the tables of images and `glimpse_jobs`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting = database.prepare(_WAITING)

    def postpone(self, image_id: str, now: datetime) -> bool:
        """See the port."""

        def work(connection: Connection) -> bool:
            state = connection.execute(_STATE, {"of": image_id}).one_or_none()
            allowed = sources_of(ImageStatus.PENDING_DELETE)
            if state is None or state.deleted or state.protected or state.status not in allowed:
                return False
            if not connection.execute(_HAS_DATA, {"of": image_id}).scalar_one():
                return False
            _write(connection, image_id, status=_PENDING, deleted=True, deleted_at=now, updated_at=now)
            for statement in _END_CHILDREN:
                connection.execute(statement, {"of": image_id, "now": now})
            if state.status == ImageStatus.DEACTIVATED:
                _remember_deactivated(connection, image_id, now)
            return True

        return self._database.write(work)

    def restore(self, image_id: str, now: datetime) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            state = _pending(connection, image_id)
            key = {"of": image_id, "now": now}
            if connection.execute(_REVIVE_LOCATIONS, key).rowcount == 0:
                raise Conflict(f"The data of image {image_id} is gone, or about to go.")
            deactivated = connection.execute(_FORGET_DEACTIVATED, {"of": image_id}).rowcount
            for statement in _REVIVE_OTHERS:
                connection.execute(statement, {**key, "then": state.deleted_at})
            status = ImageStatus.DEACTIVATED if deactivated else ImageStatus.ACTIVE
            _write(connection, image_id, status=status.value, deleted=False, deleted_at=None, updated_at=now)
            connection.execute(_END_JOB, {"of": image_id})

        self._database.write(work)

    def queue(self, before: datetime, limit: int) -> int:
        """See the port."""

        def work(connection: Connection) -> int:
            try:
                return connection.execute(_QUEUE, {"before": before, "limit": limit}).rowcount
            except IntegrityError:
                # Somebody else has queued one of them meanwhile.
                raise Collision from None

        return self._database.write(work)

    def ensure(self, job: Job) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            if connection.execute(_JOB_EXISTS, {"job": job.id}).scalar_one():
                return
            try:
                note_job(connection, job)
            except IntegrityError:
                raise Collision from None

        self._database.write(work)

    def waiting(self, image_id: str, before: datetime) -> list[Location]:
        """See the port."""
        moment = self._database.sql.moment(before)
        rows = self._database.read(self._waiting, {"of": image_id, "before": moment})
        urls = self._database.urls
        return [Location(urls.read(url), metadata_of(text)) for _id, url, text in rows]

    def begin(
        self, image_id: str, before: datetime, worker: str, lease_until: float, now: float
    ) -> list[Intent]:
        """See the port."""
        urls = self._database.urls
        claim = {"of": image_id, "claimant": worker, "moment": now, "until": lease_until}

        def work(connection: Connection) -> list[Intent]:
            # The lock on the image decides between this and a restore.
            connection.execute(_STATE, {"of": image_id})
            key = {"of": image_id, "before": before}
            rows = connection.execute(_WAITING, key).all()
            if rows:
                kept = set(map(urls.read, connection.execute(_STILL_NAMED, key).scalars()))
                places = {urls.read(row.value): metadata_of(row.meta_data) for row in rows}
                connection.execute(_END_LOCATIONS, {"rows": [row.id for row in rows]})
                note_intents(connection, _removals(image_id, places, kept, worker, lease_until))
            connection.execute(_TAKE_STANDING, claim)
            return [intent_of(row) for row in connection.execute(_STANDING, {"of": image_id})]

        return self._database.write(work)

    def finish(self, image_id: str, now: datetime) -> bool:
        """See the port."""
        values = {"of": image_id, "now": now}
        return self._database.write(lambda connection: connection.execute(_FINISH, values).rowcount == 1)


def _write(connection: Connection, image_id: str, **values: object) -> None:
    connection.execute(update(images).where(images.c.id == image_id).values(**values))


def _pending(connection: Connection, image_id: str) -> Any:
    state = connection.execute(_STATE, {"of": image_id}).one_or_none()
    if state is None:
        raise NotFound("image", image_id)
    if state.status != _PENDING:
        raise Conflict(f"Image {image_id} is not pending_delete, but {state.status}.")
    return state


def _remember_deactivated(connection: Connection, image_id: str, now: datetime) -> None:
    times = {"created_at": now, "updated_at": now, "deleted_at": now, "deleted": True}
    row = {"image_id": image_id, "name": _WAS_DEACTIVATED, "value": None, **times}
    connection.execute(insert(image_properties), row)


def _removals(
    image_id: str, places: Mapping[str, Mapping[str, str]], kept: set[str], worker: str, lease_until: float
) -> list[Intent]:
    return [
        removal(image_id, Location(url, metadata), worker, lease_until)
        for url, metadata in places.items()
        if url not in kept
    ]
