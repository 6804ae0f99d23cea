"""Bringing metadata definitions in from files, inside a transaction that somebody else began."""

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from glimpse.catalog.metadef_ports import LoadMode, Outcome
from glimpse.domain.metadefs import Definition, PartKind
from glimpse.records import metadef_changes as changes
from glimpse.records.dialects import Sql
from glimpse.records.metadef_rows import TABLES
from glimpse.records.tables import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_resource_types,
)

_LINK = metadef_namespace_resource_types.c


def load(connection: Connection, sql: Sql, definition: Definition, mode: LoadMode, now: datetime) -> Outcome:
    """See the port."""
    row = metadef_namespaces.c
    same = sql.same(row.namespace, bindparam("name", type_=row.namespace.type))
    key = {"name": definition.namespace.namespace}
    namespace_id = connection.execute(select(row.id).where(same).with_for_update(), key).scalar()
    if namespace_id is None:
        changes.create(connection, definition, now)
        return Outcome.CREATED
    if mode is LoadMode.SKIP:
        return Outcome.SKIPPED
    if mode is LoadMode.OVERWRITE:
        changes.delete_contents(connection, namespace_id)
    if mode is not LoadMode.MERGE:
        changes.change(connection, replace(definition.namespace, id=namespace_id), now)
    prefer_new = mode is LoadMode.PREFER_NEW
    _merge_associations(connection, namespace_id, definition, now, prefer_new=prefer_new)
    _merge_parts(connection, sql, namespace_id, definition, now, prefer_new=prefer_new)
    return Outcome.OVERWRITTEN if mode is LoadMode.OVERWRITE else Outcome.MERGED


def _merge_parts(
    connection: Connection,
    sql: Sql,
    namespace_id: int,
    definition: Definition,
    now: datetime,
    *,
    prefer_new: bool,
) -> None:
    for kind, table in TABLES.items():
        here = table.c.namespace_id == namespace_id
        known = set(connection.execute(select(table.c.name).where(here)).scalars())
        parts = definition.of(kind)
        changes.add_parts(connection, namespace_id, [part for part in parts if part.name not in known], now)
        if not prefer_new or kind is PartKind.TAG:
            continue
        statement = update(table).where(here, changes.named(sql, table))
        for part in parts:
            if part.name in known:
                changes.change_part(connection, statement, part.name, part, now)


def _merge_associations(
    connection: Connection, namespace_id: int, definition: Definition, now: datetime, *, prefer_new: bool
) -> None:
    types = metadef_resource_types
    names = (
        select(types.c.name, types.c.id)
        .select_from(metadef_namespace_resource_types.join(types))
        .where(_LINK.namespace_id == namespace_id)
    )
    known = {row.name: row.id for row in connection.execute(names)}
    associations = definition.namespace.associations
    new = [item for item in associations if item.name not in known]
    changes.add_associations(connection, namespace_id, new, now)
    for item in associations:
        if prefer_new and item.name in known:
            this = (_LINK.namespace_id == namespace_id, _LINK.resource_type_id == known[item.name])
            values = {"prefix": item.prefix, "properties_target": item.properties_target, "updated_at": now}
            connection.execute(update(metadef_namespace_resource_types).where(*this), values)
