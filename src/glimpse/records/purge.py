"""Purging: removing the rows of what was deleted long ago, for good, while the service runs."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, false, func, not_, select

from glimpse.domain.status import ImageStatus
from glimpse.records.database import Database
from glimpse.records.tables import (
    image_locations,
    image_members,
    image_properties,
    image_tags,
    images,
    task_info,
    tasks,
)

# Rows that one transaction removes: it takes some milliseconds, which others may have to wait.
BATCH = 500

CHILDREN = (image_properties, image_tags, image_locations, image_members)
# What `purge` empties, in this order; the rows of `task_info` go with their tasks.
PURGED = (*CHILDREN, tasks)

_waits = images.c.status == ImageStatus.PENDING_DELETE.value


def purge(
    database: Database, table: Table, before: datetime, max_rows: int | None, tell: Callable[[int], None]
) -> int:
    """Remove rows of `table` that were deleted before a time, at most so many (None: all); how many.

    What belongs to an image that is pending_delete stays, as it may be restored; so does an image to which
    anything belongs. Each batch is a transaction; between two of them others have as long as one took. `tell`
    is called with the number of rows that are gone by then.
    """
    conditions = (*_condition(table, before), *_free(table))
    purged: int = 0
    last: object = None
    while max_rows is None or purged < max_rows:
        began = time.monotonic()
        limit = BATCH if max_rows is None else min(BATCH, max_rows - purged)
        ids = database.write(partial(_take, table, conditions, last, limit))
        if not ids:
            break
        purged, last = purged + len(ids), ids[-1]
        tell(purged)
        time.sleep(time.monotonic() - began)
    return purged


def purgeable(database: Database, table: Table, before: datetime, max_rows: int | None) -> int:
    """How many rows `purge` would remove; nothing is changed."""
    wanted = select(func.count()).select_from(table).where(*_condition(table, before), *_free(table))
    found: int = database.write(lambda connection: connection.execute(wanted).scalar_one())
    return found if max_rows is None else min(found, max_rows)


def held_back(database: Database, before: datetime) -> int:
    """How many images that were deleted before a time stay, since rows of other tables belong to them."""
    wanted = (
        select(func.count())
        .select_from(images)
        .where(*_condition(images, before), not_(and_(*_free(images))))
    )
    return database.write(lambda connection: int(connection.execute(wanted).scalar_one()))


def _take(
    table: Table, conditions: Sequence[ColumnElement[bool]], last: object, limit: int, connection: Connection
) -> list[Any]:
    """Remove the next rows after the id `last`; their ids."""
    page = select(table.c.id).where(*conditions).order_by(table.c.id).limit(limit)
    if last is not None:
        page = page.where(table.c.id > last)
    ids = list(connection.execute(page).scalars())
    if not ids:
        return []
    if table is tasks:
        connection.execute(delete(task_info).where(task_info.c.task_id.in_(ids)))
    # Asked again: an image may have been restored since.
    connection.execute(delete(table).where(table.c.id.in_(ids), *conditions))
    return ids


def _condition(table: Table, before: datetime) -> tuple[ColumnElement[bool], ...]:
    # Glance asks for the time alone, which it leaves in rows that came back to life.
    # Said so that no index on `deleted` is used: the rows of a batch would have to be sorted each time.
    gone = (table.c.deleted.is_not(false()), table.c.deleted_at < before)
    return (*gone, table.c.status == ImageStatus.DELETED.value) if table is images else gone


def _free(table: Table) -> tuple[ColumnElement[bool], ...]:
    if table is tasks:
        return ()
    if table is images:
        # Each on its own: PostgreSQL makes anti-joins of them, but not of "none of these".
        return tuple(~exists().where(child.c.image_id == images.c.id) for child in CHILDREN)
    pending = exists().where(images.c.id == table.c.image_id, _waits)
    if table is image_locations:
        return (~pending, table.c.status != ImageStatus.PENDING_DELETE.value)
    return (~pending,)
