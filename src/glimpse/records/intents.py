"""Write intents and their leases: the port's `IntentRecords` in SQL."""

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Delete, Update, bindparam, delete, select, update

from glimpse.catalog.ports import Allowance, Intent, IntentKind, Resource, WrittenData
from glimpse.domain.errors import Conflict, Gone, NotFound
from glimpse.domain.status import ImageStatus
from glimpse.records.changes import add_location, move, note_intents, update_image
from glimpse.records.database import Database
from glimpse.records.quota import require_allowed, require_room
from glimpse.records.tables import intents

_QUEUED = frozenset({ImageStatus.QUEUED})
_SAVING = frozenset({ImageStatus.SAVING})
_WRITING = frozenset({ImageStatus.SAVING, ImageStatus.UPLOADING})

# A lease may lose its last digits on the way through a database; renewing adds much more than this.
_PRECISION = 0.001

_held = (
    intents.c.id == bindparam("intent"),
    intents.c.worker == bindparam("holder"),
    intents.c.kind == IntentKind.WRITE.value,
)
_HELD = select(intents.c.image_id, intents.c.project_id).where(*_held)
_END_HELD = delete(intents).where(*_held)
_LEAVE_HELD = update(intents).where(*_held).values(kind=IntentKind.DISCARD.value)
_ABANDON = (
    update(intents)
    .where(
        intents.c.id == bindparam("intent"),
        intents.c.worker == bindparam("holder"),
        intents.c.kind == IntentKind.COPY.value,
    )
    .values(kind=IntentKind.DISCARD.value)
)
_FINISH = delete(intents).where(intents.c.id == bindparam("intent"), intents.c.kind != IntentKind.WRITE.value)
_RENEW = (
    update(intents)
    .where(intents.c.id.in_(bindparam("some", expanding=True)), intents.c.worker == bindparam("holder"))
    .values(lease_until=bindparam("until"))
)
_CLAIM = (
    update(intents)
    .where(
        intents.c.id == bindparam("intent"),
        intents.c.worker == bindparam("holder"),
        intents.c.lease_until <= bindparam("seen"),
    )
    .values(worker=bindparam("claimant"), lease_until=bindparam("until"))
)
_EXPIRED = (
    select(intents)
    .where(intents.c.lease_until < bindparam("before"))
    .order_by(intents.c.lease_until, intents.c.id)
    .limit(bindparam("limit"))
)


_OF_IMAGE = select(intents).where(
    intents.c.image_id == bindparam("image"), intents.c.kind != IntentKind.DELETE.value
)


class SqlIntentRecords:
    """Intents in the table `glimpse_intents`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._expired = database.prepare(_EXPIRED)
        self._now = database.prepare(select(database.sql.now()))
        self._of_image = database.prepare(_OF_IMAGE)

    def begin_write(
        self,
        intent: Intent,
        quota: int | None,
        now: datetime,
        allowance: Allowance | None = None,
        status: ImageStatus = ImageStatus.SAVING,
    ) -> None:
        """See the port."""
        size = Resource.SIZE_TOTAL if status is ImageStatus.SAVING else Resource.STAGE_TOTAL
        # The image itself is in its new status by then, so it counts.
        deltas = {size: intent.reserved_bytes, Resource.COUNT_UPLOADING: 0}

        def work(connection: Connection) -> None:
            move(connection, intent.image_id, _QUEUED, status, now)
            require_room(connection, intent.project_id, intent.reserved_bytes, quota)
            require_allowed(connection, allowance, deltas)
            note_intents(connection, [intent])

        self._database.write(work)

    def commit_write(
        self,
        intent_id: str,
        worker: str,
        data: WrittenData,
        quota: int | None,
        now: datetime,
        allowance: Allowance | None = None,
    ) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            image_id, project_id = end_write(connection, intent_id, worker)
            _publish(connection, image_id, data, now)
            # The image counts from here on, by its location; the reservation has ended above.
            require_room(connection, project_id, data.size, quota)
            require_allowed(connection, allowance, {Resource.SIZE_TOTAL: data.size})
            add_location(connection, self._database.urls, image_id, data.location, now)

        self._database.write(work)

    def undo_write(
        self, intent_id: str, worker: str, now: datetime, status: ImageStatus = ImageStatus.QUEUED
    ) -> bool:
        """See the port."""

        def work(connection: Connection) -> bool:
            held = _end(connection, intent_id, worker, _LEAVE_HELD)
            if held is None:
                return False
            with suppress(NotFound, Conflict):
                move(connection, held[0], _WRITING, status, now)
            return True

        return self._database.write(work)

    def abandon(self, intent_id: str, worker: str) -> bool:
        """See the port."""
        return self._execute(_ABANDON, {"intent": intent_id, "holder": worker}) == 1

    def renew(self, intent_ids: Collection[str], worker: str, lease_until: float) -> None:
        """See the port."""
        if intent_ids:
            self._execute(_RENEW, {"some": list(intent_ids), "holder": worker, "until": lease_until})

    def now(self) -> float:
        """See the port."""
        return float(self._database.read(self._now, {})[0][0])

    def expired(self, before: float, limit: int) -> list[Intent]:
        """See the port."""
        rows = self._database.read(self._expired, {"before": before, "limit": limit})
        return [intent_of(row) for row in rows]

    def writing(self, image_id: str) -> list[Intent]:
        """See the port."""
        return [intent_of(row) for row in self._database.read(self._of_image, {"image": image_id})]

    def claim(self, intent: Intent, worker: str, lease_until: float) -> bool:
        """See the port."""
        values = {
            "intent": intent.id,
            "holder": intent.worker,
            "seen": intent.lease_until + _PRECISION,
            "claimant": worker,
            "until": lease_until,
        }
        return self._execute(_CLAIM, values) == 1

    def finish(self, intent_id: str) -> None:
        """See the port."""
        self._execute(_FINISH, {"intent": intent_id})

    def _execute(self, statement: Update | Delete, values: dict[str, object]) -> int:
        return self._database.write(lambda connection: connection.execute(statement, values).rowcount)


def intent_of(row: Sequence[Any]) -> Intent:
    """What a row of the table says."""
    return Intent(row[0], IntentKind(row[1]), *row[2:])


def end_write(connection: Connection, intent_id: str, worker: str) -> tuple[str, str | None]:
    """End a write, in a transaction that somebody else began: of which image it was, and whose.

    :raises Conflict: `worker` does not hold it.
    """
    held = _end(connection, intent_id, worker, _END_HELD)
    if held is None:
        raise Conflict(f"Worker {worker} no longer holds the write {intent_id}.")
    return held


def _end(
    connection: Connection, intent_id: str, worker: str, end: Update | Delete
) -> tuple[str, str | None] | None:
    """End the write if `worker` holds it: of which image it was, and whose."""
    key = {"intent": intent_id, "holder": worker}
    held = connection.execute(_HELD, key).one_or_none()
    # Somebody else may have claimed it since it was read; the rows that changed tell.
    if held is None or connection.execute(end, key).rowcount == 0:
        return None
    return held.image_id, held.project_id


def _publish(connection: Connection, image_id: str, data: WrittenData, now: datetime) -> None:
    values = {
        "status": ImageStatus.ACTIVE,
        "size": data.size,
        "virtual_size": data.virtual_size,
        "checksum": data.digests.checksum,
        "os_hash_algo": data.digests.os_hash_algo,
        "os_hash_value": data.digests.os_hash_value,
        "updated_at": now,
    }
    try:
        update_image(connection, image_id, _SAVING, values)
    except (NotFound, Conflict) as error:
        raise Gone(f"Image {image_id} was deleted or changed during the upload.") from error
