"""Pages of namespaces, by keyset: one statement, whose cost does not grow with what is before the marker."""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    bindparam,
    exists,
    func,
    literal_column,
    or_,
    select,
    true,
)

from glimpse.catalog.metadef_ports import NamespaceQuery
from glimpse.domain.caller import Caller
from glimpse.domain.image import Visibility
from glimpse.records.database import Database, Prepared
from glimpse.records.dialects import Sql
from glimpse.records.keyset import Key, segments
from glimpse.records.metadef_rows import namespaces
from glimpse.records.tables import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_resource_types,
)

_ROW = metadef_namespaces.c
_PUBLIC = Visibility.PUBLIC.value


@dataclass(frozen=True, slots=True)
class _Shape:
    """What decides about the words of a statement; the rest are its parameters."""

    sort_key: str
    descending: bool
    visibility: Visibility | None
    sees_all: bool
    types: int
    marker: bool
    marker_absent: bool


class NamespacePages:
    """Builds, remembers and fills the statements."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._statement = lru_cache(maxsize=128)(self._build)

    def read(self, query: NamespaceQuery, viewer: Caller) -> list[str]:
        """The rows of the page, in order, for `metadef_rows.namespace_of`."""
        marker = query.marker
        value = getattr(marker, query.sort_key) if marker is not None else None
        if marker is not None and query.sort_key == "updated_at":
            value = marker.updated_at or marker.created_at
        shape = _Shape(
            query.sort_key,
            query.descending,
            query.visibility,
            viewer.is_admin,
            len(query.resource_types),
            marker is not None,
            value is None,
        )
        values: dict[str, object] = {"limit": query.limit, "me": viewer.project_id}
        values |= {f"type_{number}": name for number, name in enumerate(query.resource_types)}
        if marker is not None:
            values |= {"after": self._plain(value), "after_id": marker.id}
        rows = self._database.read(self._statement(shape), values)
        return [document for (document,) in rows]

    def _build(self, shape: _Shape) -> Prepared:
        return self._database.prepare(_page(self._database.sql, shape))

    def _plain(self, value: object) -> object:
        if isinstance(value, datetime):
            return self._database.sql.moment(value)
        return str(value) if isinstance(value, str) else value


def _page(sql: Sql, shape: _Shape) -> Select[tuple[str]]:
    column = _sorted_by(shape.sort_key)
    after: BindParameter[object] = bindparam("after", type_=column.type)
    keys = [
        Key(column, after, shape.descending, shape.sort_key == "display_name", shape.marker_absent),
        Key(_ROW.id, bindparam("after_id", type_=Integer), shape.descending, False, False),
    ]
    statement = (
        namespaces(sql)
        .where(_visible(shape))
        .order_by(
            *(sql.ordered(key.column, descending=key.descending, nullable=key.nullable) for key in keys)
        )
        .limit(bindparam("limit", type_=Integer))
    )
    if shape.types:
        statement = statement.where(_associated(sql, shape.types))
    return statement.where(or_(*segments(sql, keys))) if shape.marker else statement


def _sorted_by(name: str) -> ColumnElement[Any]:
    """The column as `metadef_rows.namespace_of` shows it: what Glance left empty has its default."""
    defaults: dict[str, ColumnElement[Any]] = {
        "updated_at": _ROW.created_at,
        "visibility": literal_column("'private'"),
    }
    column = _ROW[name]
    return func.coalesce(column, defaults[name], type_=column.type) if name in defaults else column


def _visible(shape: _Shape) -> ColumnElement[bool]:
    own = _ROW.owner == bindparam("me", type_=_ROW.owner.type)
    public = _ROW.visibility == _PUBLIC
    match shape.visibility:
        case Visibility.PUBLIC:
            return public
        case None:
            return true() if shape.sees_all else or_(public, own)
        case _:
            # Nothing at all counts as private, too.
            private = or_(_ROW.visibility != _PUBLIC, _ROW.visibility.is_(None))
            return private if shape.sees_all else private & own


def _associated(sql: Sql, types: int) -> ColumnElement[bool]:
    link, kind = metadef_namespace_resource_types, metadef_resource_types
    names = [bindparam(f"type_{number}", type_=kind.c.name.type) for number in range(types)]
    rows = select(link.c.namespace_id).select_from(link.join(kind)).where(sql.one_of(kind.c.name, names))
    return exists(rows.where(link.c.namespace_id == _ROW.id).correlate(metadef_namespaces))
