"""How much work waits: figures of small tables alone, whose cost does not grow with the images."""

from collections.abc import Mapping

from sqlalchemy import bindparam, case, func, select

from glimpse.records.database import Database
from glimpse.records.notifications import SqlBacklogRecords
from glimpse.records.tables import intents, jobs

_STATE = case(
    (jobs.c.cancelled, "cancelling"),
    ((jobs.c.worker != "") & (jobs.c.due_at > bindparam("now")), "running"),
    else_="waiting",
).label("state")
# Counted by the outer statement, since PostgreSQL takes two parameters of one value for different ones.
_STATES = select(jobs.c.kind, _STATE).subquery()
_JOBS = select(_STATES.c.kind, _STATES.c.state, func.count()).group_by(_STATES.c.kind, _STATES.c.state)
_INTENTS = select(intents.c.kind, func.count()).group_by(intents.c.kind)


class SqlFigures:
    """The port `metrics.serving.Figures`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._jobs = database.prepare(_JOBS)
        self._intents = database.prepare(_INTENTS)
        self._backlog = SqlBacklogRecords(database)

    def jobs(self, now: float) -> Mapping[tuple[str, str], int]:
        """See the port."""
        rows = self._database.read(self._jobs, {"now": now})
        return {(str(kind), str(state)): int(count) for kind, state, count in rows}

    def intents(self) -> Mapping[str, int]:
        """See the port."""
        return {str(kind): int(count) for kind, count in self._database.read(self._intents, {})}

    def notifications(self) -> int:
        """See the port."""
        return self._backlog.count()
