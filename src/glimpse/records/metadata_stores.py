"""The one migration of data since Queens: locations named their store `backend` until Stein, then `store`.

Glance runs the migrations of its own release alone, so that whoever left releases out has such rows still.
"""

from collections.abc import Iterator

import orjson
from sqlalchemy import Connection, select, update

from glimpse.records.tables import image_locations

BATCH = 500

_OLD, _NEW = "backend", "store"
_ROWS = (
    select(image_locations.c.id, image_locations.c.meta_data)
    .where(image_locations.c.meta_data.like(f'%"{_OLD}"%'))
    .order_by(image_locations.c.id)
    .limit(BATCH)
)


def old_rows(connection: Connection) -> int:
    """How many locations name their store in the old way."""
    return sum(len(changed) for _, changed in _batches(connection))


def migrate_next(connection: Connection, after: int) -> tuple[int, int] | None:
    """Change the next rows behind an id: the last id of the batch, and how many; None when all are done."""
    batch = next(_batches(connection, after), None)
    if batch is None:
        return None
    last, changed = batch
    return last, sum(_change(connection, *row) for row in changed)


def _batches(connection: Connection, after: int = 0) -> Iterator[tuple[int, list[tuple[int, str, str]]]]:
    while rows := connection.execute(_ROWS.where(image_locations.c.id > after)).all():
        after = rows[-1].id
        changed = ((row.id, row.meta_data, _renamed(row.meta_data)) for row in rows)
        yield after, [(key, old, new) for key, old, new in changed if new is not None]


def _renamed(text: str) -> str | None:
    try:
        metadata = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(metadata, dict) or _OLD not in metadata:
        return None
    store = metadata.pop(_OLD)
    return orjson.dumps({_NEW: store, **metadata}).decode()


def _change(connection: Connection, key: int, old: str, new: str) -> int:
    # Whoever changed it since has written it in the new way.
    same = (image_locations.c.id == key, image_locations.c.meta_data == old)
    return connection.execute(update(image_locations).where(*same).values(meta_data=new)).rowcount
