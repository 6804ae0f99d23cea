"""The backlog of notifications: the port's `BacklogRecords` in SQL."""

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, bindparam, delete, func, insert, select, update

from glimpse.notify.ports import Kept, Message
from glimpse.records.database import Database
from glimpse.records.tables import notifications

_OLDEST = (
    select(notifications.c.id, notifications.c.lease_until, notifications.c.message)
    .order_by(notifications.c.id)
    .limit(bindparam("limit"))
)
_COUNT = select(func.count()).select_from(notifications)
_NEWEST = select(func.max(notifications.c.id))
_IS_ONE = notifications.c.id.in_(bindparam("some", expanding=True))
_LEASE = (
    update(notifications)
    .where(_IS_ONE, notifications.c.lease_until <= bindparam("now"))
    .values(lease_until=bindparam("until"))
)
_RELEASE = update(notifications).where(_IS_ONE).values(lease_until=0.0)
_REMOVE = delete(notifications).where(_IS_ONE)
_DROP = delete(notifications).where(notifications.c.id <= bindparam("last"))


class SqlBacklogRecords:
    """Messages in the table `glimpse_notifications`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._oldest = database.prepare(_OLDEST)
        self._count = database.prepare(_COUNT)

    def keep(self, messages: Sequence[Message], most: int) -> int:
        """See the port. Told by the numbers alone, which have gaps: fewer may wait, but never more."""
        # In ASCII, since the character set of MySQL's tables does not hold all.
        rows = [{"message": json.dumps(message), "lease_until": 0.0} for message in messages]

        def work(connection: Connection) -> int:
            connection.execute(insert(notifications), rows)
            newest: int = connection.execute(_NEWEST).scalar_one()
            return connection.execute(_DROP, {"last": newest - most}).rowcount

        return self._database.write(work)

    def claim(self, limit: int, lease_until: float, now: float) -> list[Kept]:
        """See the port."""
        rows = self._database.read(self._oldest, {"limit": limit})
        if not rows or any(until > now for _, until, _ in rows):
            return []
        numbers = [number for number, _, _ in rows]
        values = {"some": numbers, "now": now, "until": lease_until}
        # Somebody else may have been quicker, with some of them at least.
        taken = self._database.write(lambda connection: connection.execute(_LEASE, values).rowcount)
        if taken < len(rows):
            return []
        return [Kept(number, json.loads(text)) for number, _, text in rows]

    def remove(self, numbers: Collection[int]) -> None:
        """See the port."""
        self._database.write(lambda connection: connection.execute(_REMOVE, {"some": list(numbers)}).rowcount)

    def release(self, numbers: Collection[int]) -> None:
        """See the port."""
        self._database.write(
            lambda connection: connection.execute(_RELEASE, {"some": list(numbers)}).rowcount
        )

    def count(self) -> int:
        """See the port."""
        return int(self._database.read(self._count, {})[0][0])
