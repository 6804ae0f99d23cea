"""Writing images, inside a transaction that somebody else began.

Every function writes the image's own row first: the lock on it keeps other changes of its children waiting,
so that what is read about the children afterwards stays true until the commit.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    Table,
    bindparam,
    false,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from glimpse.catalog.ports import Intent
from glimpse.domain.errors import Conflict, Duplicate, Invalid, NotFound
from glimpse.domain.image import Image, ImageChange, Location
from glimpse.domain.status import GONE, ImageStatus
from glimpse.records.location_urls import LocationUrls
from glimpse.records.rows import metadata_of
from glimpse.records.tables import (
    image_locations,
    image_members,
    image_properties,
    image_tags,
    images,
    intents,
    is_present,
)

_Rows = list[dict[str, object]]

_FIELDS = tuple(column.name for column in images.c if column.name not in {"deleted", "deleted_at"})

_INSERT_IMAGE = insert(images)
_INSERT = {table: insert(table) for table in (image_properties, image_tags, image_locations)}
_REVIVE_PROPERTY = (
    update(image_properties)
    .where(image_properties.c.id == bindparam("row"))
    .values(value=bindparam("new"), updated_at=bindparam("now"), deleted=False, deleted_at=None)
)
_REVIVE_TAG = (
    update(image_tags)
    .where(image_tags.c.id == bindparam("row"))
    .values(updated_at=bindparam("now"), deleted=False, deleted_at=None)
)
_DROP = {
    table: update(table)
    .where(table.c.id == bindparam("row"))
    .values(updated_at=bindparam("now"), deleted_at=bindparam("now"), deleted=True)
    for table in (image_properties, image_tags)
}
_PROPERTIES_OF = select(image_properties.c.name, image_properties.c.id, image_properties.c.deleted).where(
    image_properties.c.image_id == bindparam("of")
)
_TAGS_OF = select(image_tags.c.value, image_tags.c.id, image_tags.c.deleted).where(
    image_tags.c.image_id == bindparam("of")
)
_LOCATIONS_OF = (
    select(
        image_locations.c.value,
        image_locations.c.meta_data,
        image_locations.c.id,
        image_locations.c.status,
    )
    .where(image_locations.c.image_id == bindparam("of"), is_present(image_locations))
    .order_by(image_locations.c.id)
)
_DROP_LOCATION = (
    update(image_locations)
    .where(image_locations.c.id == bindparam("row"))
    .values(updated_at=bindparam("now"), deleted_at=bindparam("now"), deleted=True, status="deleted")
)
_NOTE_LOCATION = (
    update(image_locations)
    .where(image_locations.c.id == bindparam("row"))
    .values(updated_at=bindparam("now"), meta_data=bindparam("new"))
)
_STATE_OF = select(images.c.status, images.c.protected, images.c.deleted).where(
    images.c.id == bindparam("of")
)


def end_children(table: Table, **values: object) -> Any:
    """The statement that marks what an image (`of`) has in a table deleted (`now`), with `values` besides."""
    times: dict[str, object] = {"deleted_at": bindparam("now"), "updated_at": bindparam("now")}
    return (
        update(table)
        .where(table.c.image_id == bindparam("of"), is_present(table))
        .values(deleted=True, **times, **values)
    )


_DELETE_CHILDREN = (
    *(end_children(table) for table in (image_properties, image_tags, image_members)),
    end_children(image_locations, status="deleted"),
)


def create(connection: Connection, image: Image) -> None:
    """Insert the image with its properties and tags."""
    row = {name: getattr(image, name) for name in _FIELDS} | {"deleted": False, "deleted_at": None}
    try:
        connection.execute(_INSERT_IMAGE, _plain(row))
    except IntegrityError:
        raise Duplicate(f"Image ID {image.id} already exists!") from None
    now = image.created_at
    _insert_properties(connection, image.id, image.properties, now)
    _insert_all(connection, image_tags, [_child(image.id, now, value=tag) for tag in sorted(image.tags)])


def change(
    connection: Connection,
    urls: LocationUrls,
    image_id: str,
    difference: ImageChange,
    statuses: frozenset[ImageStatus],
    now: datetime,
) -> None:
    """Write what `difference` names."""
    update_image(connection, image_id, statuses, {**difference.columns, "updated_at": now})
    if difference.properties or difference.dropped:
        _change_properties(connection, image_id, difference, now)
    if difference.tags_added or difference.tags_removed:
        _change_tags(connection, image_id, difference, now)
    if difference.locations:
        _change_locations(connection, urls, image_id, *difference.locations, now)


def move(
    connection: Connection,
    image_id: str,
    sources: frozenset[ImageStatus],
    target: ImageStatus,
    now: datetime,
) -> None:
    """Change the status."""
    update_image(connection, image_id, sources, {"status": target, "updated_at": now})


def delete(
    connection: Connection,
    urls: LocationUrls,
    image_id: str,
    sources: frozenset[ImageStatus],
    now: datetime,
) -> list[Location]:
    """Mark the image and its children deleted; the locations that it had come back."""
    values = {"status": ImageStatus.DELETED, "deleted": True, "deleted_at": now, "updated_at": now}
    update_image(connection, image_id, sources, values, unprotected=True)
    # Read behind the lock: an upload may have published a location since the caller saw the image.
    rows = connection.execute(_LOCATIONS_OF, {"of": image_id})
    locations = [Location(urls.read(row.value), metadata_of(row.meta_data)) for row in rows]
    for statement in _DELETE_CHILDREN:
        connection.execute(statement, {"of": image_id, "now": now})
    return locations


def _change_locations(
    connection: Connection,
    urls: LocationUrls,
    image_id: str,
    before: tuple[Location, ...],
    after: tuple[Location, ...],
    now: datetime,
) -> None:
    rows = [row for row in connection.execute(_LOCATIONS_OF, {"of": image_id}) if row.status == "active"]
    present = tuple(Location(urls.read(row.value), metadata_of(row.meta_data)) for row in rows)
    if present != before:
        raise Conflict(f"The locations of image {image_id} were changed meanwhile.")
    added = [location for location in after if location not in before]
    for row, location in zip(rows, present, strict=True):
        if location in after:
            continue
        noted = next((other for other in added if other.url == location.url), None)
        if noted is None:
            connection.execute(_DROP_LOCATION, {"row": row.id, "now": now})
        else:
            # The place is the same, and keeps its turn.
            added.remove(noted)
            values = {"row": row.id, "now": now, "new": _metadata(noted)}
            connection.execute(_NOTE_LOCATION, values)
    for location in added:
        add_location(connection, urls, image_id, location, now)


def add_location(
    connection: Connection, urls: LocationUrls, image_id: str, location: Location, now: datetime
) -> None:
    """Insert a location after those that the image has. The image's row must have been written before."""
    values = {"value": urls.kept(location.url), "meta_data": _metadata(location), "status": "active"}
    _insert_all(connection, image_locations, [_child(image_id, now, **values)])


def _metadata(location: Location) -> str:
    return orjson.dumps(dict(location.metadata)).decode()


def update_image(
    connection: Connection,
    image_id: str,
    statuses: frozenset[ImageStatus],
    values: Mapping[str, object],
    *,
    unprotected: bool = False,
) -> None:
    """Write columns of an image that is in one of `statuses`.

    :raises NotFound: the image is gone.
    :raises Conflict: the image is in another status, or is protected although it must not be.
    """
    statement = update(images).where(
        images.c.id == image_id,
        images.c.deleted == false(),
        images.c.status.in_(sorted(status.value for status in statuses)),
    )
    if unprotected:
        statement = statement.where(images.c.protected == false())
    if connection.execute(statement.values(_plain(values))).rowcount == 0:
        raise _refusal(connection, image_id, statuses)


def _refusal(connection: Connection, image_id: str, statuses: frozenset[ImageStatus]) -> Exception:
    row = connection.execute(_STATE_OF, {"of": image_id}).one_or_none()
    if row is None or row.deleted or row.status in GONE:
        return NotFound("image", image_id)
    if row.status in statuses:
        return Conflict(f"Image {image_id} is protected and cannot be deleted.")
    return Conflict(f"Image {image_id} is in the status '{row.status}', which does not allow this.")


def note_intents(connection: Connection, wanted: Iterable[Intent]) -> None:
    """Write intents down."""
    rows = [{column.name: getattr(intent, column.name) for column in intents.c} for intent in wanted]
    if rows:
        connection.execute(insert(intents), [_plain(row) for row in rows])


def _change_properties(connection: Connection, image_id: str, difference: ImageChange, now: datetime) -> None:
    known = {row.name: row.id for row in connection.execute(_PROPERTIES_OF, {"of": image_id})}
    revived = [
        {"row": known[name], "new": value, "now": now}
        for name, value in difference.properties.items()
        if name in known
    ]
    dropped = [{"row": known[name], "now": now} for name in difference.dropped if name in known]
    fresh = {name: value for name, value in difference.properties.items() if name not in known}
    _execute_all(connection, _REVIVE_PROPERTY, revived)
    _execute_all(connection, _DROP[image_properties], dropped)
    _insert_properties(connection, image_id, fresh, now)


def _change_tags(connection: Connection, image_id: str, difference: ImageChange, now: datetime) -> None:
    rows = connection.execute(_TAGS_OF, {"of": image_id}).all()
    present = {row.value for row in rows if not row.deleted}
    asleep = {row.value: row.id for row in rows if row.deleted}
    added = sorted(difference.tags_added - present)
    revived = [{"row": asleep[tag], "now": now} for tag in added if tag in asleep]
    dropped = [
        {"row": row.id, "now": now}
        for row in rows
        if not row.deleted and row.value in difference.tags_removed
    ]
    fresh = [_child(image_id, now, value=tag) for tag in added if tag not in asleep]
    _execute_all(connection, _REVIVE_TAG, revived)
    _execute_all(connection, _DROP[image_tags], dropped)
    _insert_all(connection, image_tags, fresh)


def _insert_properties(
    connection: Connection, image_id: str, properties: Mapping[str, str | None], now: datetime
) -> None:
    rows = [_child(image_id, now, name=name, value=value) for name, value in properties.items()]
    try:
        _insert_all(connection, image_properties, rows)
    except IntegrityError:
        # The image's row is locked, so it is not another change that brought these names.
        reason = "two names differ only in ways that this database does not tell apart"
        raise Invalid("properties", reason) from None


def _insert_all(connection: Connection, table: Table, rows: _Rows) -> None:
    if rows:
        connection.execute(_INSERT[table], rows)


def _execute_all(connection: Connection, statement: Any, rows: _Rows) -> None:
    if rows:
        connection.execute(statement, rows)


def _child(image_id: str, now: datetime, **values: object) -> dict[str, object]:
    times = {"created_at": now, "updated_at": now, "deleted_at": None, "deleted": False}
    return {"image_id": image_id, **times, **values}


def _plain(row: Mapping[str, object]) -> dict[str, object]:
    """The values as drivers know them: texts instead of enumerations."""
    return {name: str(value) if isinstance(value, str) else value for name, value in row.items()}
