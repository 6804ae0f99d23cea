"""Tasks: the port's `TaskRecords` in SQL. A task comes as one JSON array, as images do."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BindParameter, Connection, Select, bindparam, false, insert, or_, select, update

from glimpse.catalog.task_ports import TaskQuery
from glimpse.domain.errors import NotFound
from glimpse.domain.tasks import FINISHED, Task, TaskStatus, TaskType
from glimpse.records.database import Database, Prepared
from glimpse.records.dialects import Sql
from glimpse.records.keyset import Key, segments
from glimpse.records.tables import task_info, tasks

# The order of `Task`'s fields.
_COLUMNS = (
    *(
        tasks.c[name]
        for name in (
            "id",
            "type",
            "status",
            "owner",
            "created_at",
            "updated_at",
            "expires_at",
            "image_id",
            "request_id",
            "user_id",
        )
    ),
    task_info.c.input,
    task_info.c.result,
    task_info.c.message,
)
_UNFINISHED = tasks.c.status.not_in([str(status) for status in FINISHED])
_MOVE = (
    update(tasks)
    .where(tasks.c.id == bindparam("task"), _UNFINISHED)
    .values(status=bindparam("new"), updated_at=bindparam("now"))
)
_SETTLE = _MOVE.values(expires_at=bindparam("expires"))
_EXPLAIN = (
    update(task_info)
    .where(task_info.c.task_id == bindparam("task"))
    .values(message=bindparam("text"), result=bindparam("outcome"))
)
_NULLABLE = frozenset({"updated_at", "expires_at"})
_FILTERS = ("status", "type", "owner")


class SqlTaskRecords:
    """Tasks. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._page = lru_cache(maxsize=128)(self._build)
        self._of_image = {
            mine: self._prepared(_present(database.sql, "image_id", *(("owner",) if mine else ())))
            for mine in (False, True)
        }
        self._get = {
            mine: self._prepared(_tasks(database.sql, "id", *(("owner",) if mine else ())))
            for mine in (False, True)
        }

    def add(self, task: Task) -> None:
        """See the port."""

        self._database.write(lambda connection: note_task(connection, task))

    def begin(self, task_id: str, now: datetime) -> None:
        """See the port."""
        values = {"task": task_id, "now": now, "new": TaskStatus.PROCESSING.value}
        self._database.write(lambda connection: connection.execute(_MOVE, values).rowcount)

    def get(self, task_id: str, owner: str | None) -> Task:
        """See the port."""
        values = {"is_id": task_id, "is_owner": owner}
        rows = self._database.read(self._get[owner is not None], values)
        task = _task_of(rows[0][0]) if rows else None
        # MySQL finds an id that is written in other letters, too.
        if task is None or task.id != task_id:
            raise NotFound("task", task_id)
        return task

    def page(self, query: TaskQuery, now: datetime) -> list[Task]:
        """See the port."""
        marker = query.marker
        value = getattr(marker, query.sort_key) if marker is not None else None
        given = {name: getattr(query, name) for name in _FILTERS}
        values: dict[str, object] = {f"is_{name}": str(value) for name, value in given.items() if value}
        values |= {"now": self._plain(now), "limit": query.limit}
        if marker is not None:
            values |= {"after": self._plain(value), "after_id": marker.id}
        names = tuple(name for name, wanted in given.items() if wanted)
        statement = self._page(names, query.sort_key, query.descending, marker is not None, value is None)
        return [_task_of(document) for (document,) in self._database.read(statement, values)]

    def of_image(self, image_id: str, owner: str | None, now: datetime) -> list[Task]:
        """See the port."""
        values = {"is_image_id": image_id, "is_owner": owner, "now": self._plain(now)}
        rows = self._database.read(self._of_image[owner is not None], values)
        return [_task_of(document) for (document,) in rows]

    def _build(
        self, names: tuple[str, ...], sort_key: str, descending: bool, marker: bool, absent: bool
    ) -> Prepared:
        sql, column = self._database.sql, tasks.c[sort_key]
        after: BindParameter[Any] = bindparam("after", type_=column.type)
        keys = [Key(column, after, descending, sort_key in _NULLABLE, absent)]
        if sort_key != "id":
            last: BindParameter[Any] = bindparam("after_id", type_=tasks.c.id.type)
            keys.append(Key(tasks.c.id, last, descending, False, False))
        statement = _present(sql, *names).limit(bindparam("limit"))
        statement = statement.order_by(
            *(sql.ordered(key.column, descending=key.descending, nullable=key.nullable) for key in keys)
        )
        return self._prepared(statement.where(or_(*segments(sql, keys))) if marker else statement)

    def _prepared(self, statement: Select[Any]) -> Prepared:
        return self._database.prepare(statement)

    def _plain(self, value: object) -> object:
        if isinstance(value, datetime):
            return self._database.sql.moment(value)
        return str(value) if isinstance(value, str) else value


def note_task(connection: Connection, task: Task) -> None:
    """Insert a task, in a transaction that somebody else began."""
    row = {column.name: getattr(task, column.name) for column in _COLUMNS[:10]}
    plain = {name: str(value) if isinstance(value, str) else value for name, value in row.items()}
    connection.execute(insert(tasks), plain | {"deleted": False, "deleted_at": None})
    details = {"input": _text(task.input), "result": _text(task.result), "message": task.message}
    connection.execute(insert(task_info), {"task_id": task.id, **details})


def settle_task(
    connection: Connection,
    task_id: str,
    status: TaskStatus,
    message: str,
    expires_at: datetime,
    now: datetime,
    result: Mapping[str, Any] | None = None,
) -> None:
    """End a task that has not ended, in a transaction that somebody else began."""
    values = {"task": task_id, "now": now, "new": status.value, "expires": expires_at}
    if connection.execute(_SETTLE, values).rowcount:
        connection.execute(_EXPLAIN, {"task": task_id, "text": message, "outcome": _text(result)})


def _tasks(sql: Sql, *names: str) -> Select[Any]:
    """Tasks, of which these columns are what `is_<name>` says."""
    joined = tasks.outerjoin(task_info, task_info.c.task_id == tasks.c.id)
    wanted = (tasks.c[name] == bindparam(f"is_{name}", type_=tasks.c[name].type) for name in names)
    return (
        select(sql.text(sql.array(*_COLUMNS))).select_from(joined).where(tasks.c.deleted == false(), *wanted)
    )


def _present(sql: Sql, *names: str) -> Select[Any]:
    now: BindParameter[Any] = bindparam("now", type_=tasks.c.expires_at.type)
    return _tasks(sql, *names).where(or_(tasks.c.expires_at.is_(None), tasks.c.expires_at > now))


def _task_of(document: str | bytes) -> Task:
    row = dict(zip((column.name for column in _COLUMNS), orjson.loads(document), strict=True))
    created_at = datetime.fromisoformat(row["created_at"])
    times = {
        "created_at": created_at,
        "updated_at": datetime.fromisoformat(row["updated_at"]) if row["updated_at"] else created_at,
        "expires_at": datetime.fromisoformat(row["expires_at"]) if row["expires_at"] else None,
    }
    details = {
        "type": TaskType(row["type"]),
        "status": TaskStatus(row["status"]),
        "input": _document(row["input"]),
        "result": _document(row["result"]),
        "message": row["message"] or "",
    }
    return Task(**{**row, **times, **details})


def _text(document: object) -> str | None:
    return None if document is None else orjson.dumps(document).decode()


def _document(text: str | None) -> Any:
    """What a service wrote; what is not JSON counts as nothing."""
    try:
        return orjson.loads(text or "null")
    except orjson.JSONDecodeError:
        return None
