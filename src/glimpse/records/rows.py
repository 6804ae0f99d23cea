"""From rows to values: an image, with all that belongs to it, comes as one JSON array from the database."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, FromClause, Table, select

from glimpse.domain.image import Image, Location, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.records.dialects import Sql
from glimpse.records.tables import image_locations, image_properties, image_tags, is_present

_STATUS: Mapping[str, ImageStatus] = {status.value: status for status in ImageStatus}
_VISIBILITY: Mapping[str, Visibility] = {visibility.value: visibility for visibility in Visibility}

# The order of `Image`'s fields, up to the children.
_COLUMNS = (
    "id",
    "status",
    "visibility",
    "created_at",
    "updated_at",
    "name",
    "disk_format",
    "container_format",
    "size",
    "virtual_size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "min_ram",
    "min_disk",
    "owner",
    "protected",
    "os_hidden",
)


def document(sql: Sql, image: FromClause, member: ColumnElement[Any]) -> ColumnElement[str]:
    """One image of `image` (the table or an alias) as JSON; `member` says whether the viewer is one."""
    return sql.text(
        sql.array(
            *(image.c[name] for name in _COLUMNS),
            _children(sql, image, image_properties, "name", "value"),
            _children(sql, image, image_tags, "value"),
            _children(sql, image, image_locations, "id", "value", "meta_data"),
            member,
        )
    )


def _children(sql: Sql, image: FromClause, table: Table, *names: str) -> ColumnElement[Any]:
    child = table.alias()
    statement = select(sql.rows(*(child.c[name] for name in names))).where(
        child.c.image_id == image.c.id, is_present(child)
    )
    if table is image_locations:
        statement = statement.where(child.c.status == "active")
    return statement.correlate(image).scalar_subquery()


def image_of(text: str | bytes, project_id: str | None) -> Image:
    """The image that `document` gave; `project_id` is whose membership was asked for."""
    values = orjson.loads(text)
    properties, tags, locations, member = values[18:]
    created_at = datetime.fromisoformat(values[3])
    # By position, since naming two dozen fields takes twice as long.
    fields: tuple[Any, ...] = (
        values[0],
        _STATUS[values[1]],
        _VISIBILITY[values[2]],
        created_at,
        datetime.fromisoformat(values[4]) if values[4] else created_at,
        *values[5:16],
        bool(values[16]),
        bool(values[17]),
        dict(properties) if properties else {},
        frozenset([tag for (tag,) in tags]) if tags else frozenset(),
        _locations(locations) if locations else (),
        project_id if member else None,
    )
    return Image(*fields)


def _locations(rows: list[list[Any]]) -> tuple[Location, ...]:
    rows.sort()
    return tuple([Location(url, metadata_of(text)) for _id, url, text in rows])


def metadata_of(text: str | None) -> Mapping[str, str]:
    """The metadata of a location; what is not a JSON object counts as none."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        value = None
    return value if isinstance(value, dict) else {}
