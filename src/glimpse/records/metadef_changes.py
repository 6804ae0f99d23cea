"""Writing metadata definitions, inside a transaction that somebody else began.

Whoever changes what belongs to a namespace locks its row first, so that others wait until the commit.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

import orjson
from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Table,
    Update,
    bindparam,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError

from glimpse.domain.errors import Duplicate, Forbidden, NotFound
from glimpse.domain.metadefs import Association, Definition, Namespace, Part, PartKind
from glimpse.records.dialects import Sql
from glimpse.records.failures import Collision
from glimpse.records.metadef_rows import TABLES
from glimpse.records.tables import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_resource_types,
)

_Result = TypeVar("_Result")

_LINKS = metadef_namespace_resource_types
# In this order nothing refers to a row that is gone.
_ALL = (*TABLES.values(), _LINKS, metadef_namespaces, metadef_resource_types)

_LOCK = (
    select(metadef_namespaces.c.protected).where(metadef_namespaces.c.id == bindparam("of")).with_for_update()
)


def lock(connection: Connection, namespace: Namespace, *, to_delete: bool = False) -> None:
    """Keep others from changing the namespace until the end of the transaction.

    :raises NotFound: it is gone. :raises Forbidden: `to_delete`, and it is protected.
    """
    row = connection.execute(_LOCK, {"of": namespace.id}).one_or_none()
    if row is None:
        raise NotFound("namespace", namespace.namespace)
    if to_delete and row.protected:
        raise Forbidden(f"Namespace {namespace.namespace} is protected; nothing in it can be deleted.")


def create(connection: Connection, definition: Definition, now: datetime) -> None:
    """See the port."""
    namespace = definition.namespace
    values = {**_fields(namespace), "created_at": now, "updated_at": now}
    result = _unless_taken(
        f"A namespace named '{namespace.namespace}' is there already.",
        lambda: connection.execute(insert(metadef_namespaces), values),
    )
    key = result.inserted_primary_key
    assert key is not None  # noqa: S101 - one row was inserted
    add_associations(connection, key[0], namespace.associations, now)
    add_parts(connection, key[0], definition.parts, now)


def change(connection: Connection, namespace: Namespace, now: datetime) -> None:
    """See the port."""
    statement = update(metadef_namespaces).where(metadef_namespaces.c.id == namespace.id)
    changed = _unless_taken(
        f"A namespace named '{namespace.namespace}' is there already.",
        lambda: connection.execute(statement, {**_fields(namespace), "updated_at": now}),
    )
    if not changed.rowcount:
        raise NotFound("namespace", namespace.namespace)


def delete_contents(connection: Connection, namespace_id: int) -> None:
    """Delete the parts and associations of a namespace that is locked."""
    for table in (*TABLES.values(), _LINKS):
        connection.execute(delete(table).where(table.c.namespace_id == namespace_id))


def delete_namespace(connection: Connection, namespace: Namespace) -> None:
    """See the port."""
    lock(connection, namespace, to_delete=True)
    delete_contents(connection, namespace.id)
    connection.execute(delete(metadef_namespaces).where(metadef_namespaces.c.id == namespace.id))


def add_parts(connection: Connection, namespace_id: int, parts: Sequence[Part], now: datetime) -> None:
    """Insert parts into a namespace that is locked. :raises Duplicate: a name is taken."""
    for kind, table in TABLES.items():
        rows = [
            {**_part(part), "namespace_id": namespace_id, "created_at": now, "updated_at": now}
            for part in parts
            if part.kind is kind
        ]
        if rows:
            names = ", ".join(f"'{row['name']}'" for row in rows)
            statement = insert(table)
            _unless_taken(f"The {kind} {names} is there already.", _running(connection, statement, rows))


def change_part(connection: Connection, statement: Update, name: str, part: Part, now: datetime) -> None:
    """Replace the part that `statement` finds by `of_name`. :raises NotFound, Duplicate: see the port."""
    changed = _unless_taken(
        f"The {part.kind} '{part.name}' is there already.",
        lambda: connection.execute(statement, {**_part(part), "updated_at": now, "of_name": name}),
    )
    if not changed.rowcount:
        raise NotFound(part.kind, name)


def named(sql: Sql, table: Table) -> ColumnElement[bool]:
    """Whether the name of a row is `of_name`."""
    return sql.same(table.c.name, bindparam("of_name", type_=table.c.name.type))


def add_associations(
    connection: Connection, namespace_id: int, associations: Iterable[Association], now: datetime
) -> None:
    """Associate types of resource with a namespace that is locked. :raises Duplicate: done already."""
    for item in associations:
        values: dict[str, object] = {
            "resource_type_id": _resource_type(connection, item.name, now),
            "namespace_id": namespace_id,
            "prefix": item.prefix,
            "properties_target": item.properties_target,
            "created_at": now,
            "updated_at": now,
        }
        message = f"The resource type '{item.name}' is associated already."
        _unless_taken(message, _running(connection, insert(_LINKS), [values]))


def _resource_type(connection: Connection, name: str, now: datetime) -> int:
    """The number of a type of resource, which is made if it is new."""
    types = metadef_resource_types
    # On MySQL names that differ in case are the same, here as in Glance.
    found = connection.execute(select(types.c.id).where(types.c.name == name)).scalar()
    if found is not None:
        return int(found)
    values = {"name": name, "protected": False, "created_at": now, "updated_at": now}
    try:
        key = connection.execute(insert(types), values).inserted_primary_key
    except IntegrityError as error:
        # Somebody else has just made it.
        raise Collision from error
    assert key is not None  # noqa: S101 - one row was inserted
    return int(key[0])


def clear(connection: Connection) -> None:
    """Empty all tables of metadata definitions."""
    for table in _ALL:
        connection.execute(delete(table))


def _fields(namespace: Namespace) -> dict[str, object]:
    return {
        "namespace": namespace.namespace,
        "owner": namespace.owner,
        "visibility": namespace.visibility.value,
        "protected": namespace.protected,
        "display_name": namespace.display_name,
        "description": namespace.description,
    }


def _part(part: Part) -> dict[str, object]:
    values: dict[str, object] = {"name": part.name}
    if part.kind is not PartKind.TAG:
        values["json_schema"] = orjson.dumps(part.schema).decode()
    if part.kind is PartKind.OBJECT:
        # Glance keeps these as one text, too.
        values |= {"description": part.description, "required": ",".join(part.required) or None}
    return values


def _running(
    connection: Connection, statement: Insert, rows: list[dict[str, object]]
) -> Callable[[], object]:
    return lambda: connection.execute(statement, rows)


def _unless_taken(message: str, work: Callable[[], _Result]) -> _Result:
    try:
        return work()
    except IntegrityError:
        raise Duplicate(message) from None
