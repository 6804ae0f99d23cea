"""What a project stores, and the lock under which that is compared with a quota."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Connection, bindparam, cast, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from glimpse.catalog.ports import IntentKind
from glimpse.domain.errors import LimitExceeded
from glimpse.records.failures import Collision
from glimpse.records.tables import UNLISTED, image_locations, images, intents, is_present, projects

LIMIT = "user_storage_quota"
USAGE_KEY = "owner"

_owner = bindparam(USAGE_KEY, type_=images.c.owner.type)
_written = (
    select(func.coalesce(func.sum(images.c.size), 0))
    .select_from(images.join(image_locations, image_locations.c.image_id == images.c.id))
    .where(
        images.c.owner == _owner,
        images.c.size > 0,
        images.c.status.not_in(UNLISTED),
        is_present(image_locations),
    )
    .scalar_subquery()
)
_reserved = (
    select(func.coalesce(func.sum(intents.c.reserved_bytes), 0))
    .where(intents.c.project_id == _owner, intents.c.kind == IntentKind.WRITE.value)
    .scalar_subquery()
)
STORED = select(cast(_written + _reserved, BigInteger))

_LOCK = (
    update(projects)
    .where(projects.c.project_id == bindparam("project"))
    .values(project_id=projects.c.project_id)
)


def stored(rows: Sequence[Sequence[Any]]) -> int:
    """The number that `STORED` found."""
    return int(rows[0][0])


def require_room(connection: Connection, project_id: str | None, size: int, quota: int | None) -> None:
    """Check that `size` more bytes fit, and keep others that check the same until this transaction ends.

    :raises LimitExceeded: they do not fit.
    """
    if project_id is None or quota is None:
        return
    _lock_project(connection, project_id)
    total = stored(connection.execute(STORED, {USAGE_KEY: project_id}).all()) + size
    if total > quota:
        raise LimitExceeded(LIMIT, quota, total, "bytes")


def _lock_project(connection: Connection, project_id: str) -> None:
    if connection.execute(_LOCK, {"project": project_id}).rowcount:
        return
    try:
        connection.execute(insert(projects), {"project_id": project_id})
    except IntegrityError:
        # Somebody else made the row at the same time.
        raise Collision from None
