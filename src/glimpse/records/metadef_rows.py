"""Metadata definitions: what is asked of the tables, and the values that the answers become.

Each row comes as one JSON array, a namespace with its associations in it.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import ColumnElement, Select, Table, bindparam, literal_column, select, union_all

from glimpse.domain.image import Visibility
from glimpse.domain.metadefs import Association, Namespace, Part, PartKind, ResourceType
from glimpse.records.dialects import Sql
from glimpse.records.tables import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_objects,
    metadef_properties,
    metadef_resource_types,
    metadef_tags,
)

TABLES: Mapping[PartKind, Table] = {
    PartKind.PROPERTY: metadef_properties,
    PartKind.OBJECT: metadef_objects,
    PartKind.TAG: metadef_tags,
}

_NAMESPACE = metadef_namespaces.c
_COLUMNS = (
    *(_NAMESPACE.id, _NAMESPACE.namespace, _NAMESPACE.owner, _NAMESPACE.visibility, _NAMESPACE.protected),
    *(_NAMESPACE.display_name, _NAMESPACE.description, _NAMESPACE.created_at, _NAMESPACE.updated_at),
)
_NOTHING: ColumnElement[Any] = literal_column("NULL")


def namespaces(sql: Sql) -> Select[Any]:
    """All namespaces; `namespace_of` reads its rows."""
    link, kind = metadef_namespace_resource_types.c, metadef_resource_types.c
    associations = (
        select(sql.rows(kind.name, link.prefix, link.properties_target, link.created_at, link.updated_at))
        .select_from(metadef_namespace_resource_types.join(metadef_resource_types))
        .where(link.namespace_id == _NAMESPACE.id)
        .correlate(metadef_namespaces)
        .scalar_subquery()
    )
    return select(sql.text(sql.array(*_COLUMNS, associations)))


def parts(sql: Sql, *kinds: PartKind) -> Select[Any]:
    """The parts of these kinds in the namespace `of`, the oldest of each first; `part_of` reads its rows."""
    found = [_parts(sql, kind).where(_owner(kind) == bindparam("of")) for kind in kinds]
    rows = union_all(*found).subquery()
    return select(rows.c.document).order_by(rows.c.kind, rows.c.id)


def part(sql: Sql, kind: PartKind) -> Select[Any]:
    """The part `name` of a kind in the namespace `of`; `part_of` reads its row."""
    table = TABLES[kind]
    named = sql.same(table.c.name, bindparam("name", type_=table.c.name.type))
    rows = _parts(sql, kind).where(table.c.namespace_id == bindparam("of"), named).subquery()
    return select(rows.c.document)


def resource_types(sql: Sql) -> Select[Any]:
    """All types of resource; `resource_type_of` reads its rows."""
    kind = metadef_resource_types.c
    return select(sql.text(sql.array(kind.name, kind.created_at, kind.updated_at))).order_by(kind.name)


def _owner(kind: PartKind) -> ColumnElement[Any]:
    return TABLES[kind].c.namespace_id


def _parts(sql: Sql, kind: PartKind) -> Select[Any]:
    row = TABLES[kind].c
    columns = [row.get(name, _NOTHING) for name in ("json_schema", "description", "required")]
    document = sql.text(sql.array(_word(kind), row.name, *columns, row.created_at, row.updated_at))
    return select(document.label("document"), _word(kind).label("kind"), row.id.label("id"))


def _word(kind: PartKind) -> ColumnElement[Any]:
    return literal_column(f"'{kind.value}'")


def namespace_of(text: str | bytes) -> Namespace:
    """The namespace in a row."""
    values = orjson.loads(text)
    number, name, owner, visibility, protected, display_name, description, created, updated, links = values
    return Namespace(
        name,
        owner,
        # Glance leaves it empty for files that do not say; nobody but the owner sees these.
        Visibility.PUBLIC if visibility == Visibility.PUBLIC else Visibility.PRIVATE,
        bool(protected),
        display_name,
        description,
        tuple(sorted((_association(link) for link in links or ()), key=lambda link: link.name)),
        _moment(created),
        _moment(updated) if updated else None,
        number,
    )


def _association(values: list[Any]) -> Association:
    name, prefix, target, created, updated = values
    return Association(name, prefix, target, _moment(created), _moment(updated) if updated else None)


def part_of(text: str | bytes) -> Part:
    """The part in a row."""
    kind, name, schema, description, required, created, updated = orjson.loads(text)
    return Part(
        PartKind(kind),
        name,
        _document(schema),
        description,
        tuple(required.split(",")) if required else (),
        _moment(created),
        _moment(updated) if updated else None,
    )


def _document(text: str | None) -> dict[str, Any]:
    """The JSON object in a column; what is none counts as empty."""
    try:
        value = orjson.loads(text or "{}")
    except orjson.JSONDecodeError:
        return {}
    if not isinstance(value, dict):
        return {}
    # Glance keeps the name of a property in its schema, too.
    return {name: part for name, part in value.items() if name != "name" or isinstance(part, dict)}


def resource_type_of(text: str | bytes) -> ResourceType:
    """The type of resource in a row."""
    name, created, updated = orjson.loads(text)
    return ResourceType(name, _moment(created), _moment(updated) if updated else None)


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
