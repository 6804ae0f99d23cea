"""What a project stores, and the lock under which that is compared with a quota."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    bindparam,
    cast,
    exists,
    false,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from glimpse.catalog.ports import Allowance, IntentKind, Resource
from glimpse.catalog.quotas import unit
from glimpse.domain.errors import LimitExceeded
from glimpse.domain.status import ImageStatus
from glimpse.records.failures import Collision
from glimpse.records.tables import (
    UNLISTED,
    image_locations,
    image_properties,
    images,
    intents,
    is_present,
    projects,
    staged,
)

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
    .where(
        intents.c.project_id == _owner,
        intents.c.kind.in_([literal_column(f"'{kind}'") for kind in (IntentKind.WRITE, IntentKind.COPY)]),
    )
    .scalar_subquery()
)
_waiting = (
    select(func.coalesce(func.sum(staged.c.size), 0)).where(staged.c.project_id == _owner).scalar_subquery()
)
STORED = select(cast(_written + _reserved + _waiting, BigInteger))

_copying = exists().where(
    image_properties.c.image_id == images.c.id,
    image_properties.c.name == "os_glance_importing_to_stores",
    func.coalesce(image_properties.c.value, "") != "",
    is_present(image_properties),
)


def _among(*statuses: ImageStatus) -> ColumnElement[bool]:
    # Literally, as a list of parameters would have to be bound at each reading.
    return images.c.status.in_([literal_column(f"'{status.value}'") for status in statuses])


_staged = _among(ImageStatus.UPLOADING, ImageStatus.IMPORTING)


def _total(amount: ColumnElement[int], *conditions: ColumnElement[bool]) -> Select[Any]:
    return select(cast(func.coalesce(amount, 0), BigInteger)).where(
        images.c.owner == _owner,
        images.c.deleted == false(),
        images.c.status.not_in(UNLISTED),
        *conditions,
    )


# What a project, named by USAGE_KEY, has of each resource; sizes in bytes.
TOTALS: Mapping[Resource, Select[Any]] = {
    Resource.SIZE_TOTAL: STORED,
    Resource.STAGE_TOTAL: _total(func.sum(images.c.size), images.c.size > 0, or_(_staged, _copying)),
    Resource.COUNT_TOTAL: _total(func.count()),
    Resource.COUNT_UPLOADING: _total(func.count(), or_(_staged, _among(ImageStatus.SAVING), _copying)),
}

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


def require_allowed(
    connection: Connection, allowance: Allowance | None, deltas: Mapping[Resource, int]
) -> None:
    """Check that so much more (bytes, images) is allowed, and keep others waiting as `require_room` does.

    :raises LimitExceeded: it is not.
    """
    limits = {} if allowance is None else {one: allowance.limits.get(one, 0) for one in deltas}
    if allowance is None or all(limit < 0 for limit in limits.values()):
        return
    _lock_project(connection, allowance.project_id)
    for resource, limit in limits.items():
        total = stored(connection.execute(TOTALS[resource], {USAGE_KEY: allowance.project_id}).all())
        total += deltas[resource]
        if 0 <= limit * unit(resource) < total:
            size = unit(resource) > 1
            attempted = -(-total // unit(resource))
            raise LimitExceeded(resource.value, limit, attempted, "MiB" if size else "images")


def _lock_project(connection: Connection, project_id: str) -> None:
    if connection.execute(_LOCK, {"project": project_id}).rowcount:
        return
    try:
        connection.execute(insert(projects), {"project_id": project_id})
    except IntegrityError:
        # Somebody else made the row at the same time.
        raise Collision from None
