"""Metadata definitions: the port `MetadefRecords` in SQL."""

from collections.abc import Callable, Sequence
from datetime import datetime

from sqlalchemy import Connection, Delete, bindparam, delete, select, update

from glimpse.catalog.metadef_ports import LoadMode, NamespaceQuery, Outcome
from glimpse.domain.caller import Caller
from glimpse.domain.errors import NotFound
from glimpse.domain.metadefs import Association, Definition, Namespace, Part, PartKind, ResourceType
from glimpse.records import metadef_changes as changes
from glimpse.records import metadef_rows as rows
from glimpse.records.database import Database
from glimpse.records.metadef_loading import load
from glimpse.records.metadef_pages import NamespacePages
from glimpse.records.tables import (
    metadef_namespace_resource_types,
    metadef_namespaces,
    metadef_resource_types,
    metadef_tags,
)

_LINK = metadef_namespace_resource_types.c


class SqlMetadefRecords:
    """Metadata definitions in the tables `metadef_*`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        sql = database.sql
        self._database = database
        self._pages = NamespacePages(database)
        column = metadef_namespaces.c.namespace
        named = sql.same(column, bindparam("name", type_=column.type))
        self._get = database.prepare(rows.namespaces(sql).where(named))
        self._all_parts = database.prepare(rows.parts(sql, *PartKind))
        self._parts = {kind: database.prepare(rows.parts(sql, kind)) for kind in PartKind}
        self._part = {kind: database.prepare(rows.part(sql, kind)) for kind in PartKind}
        self._resource_types = database.prepare(rows.resource_types(sql))

    def page(self, query: NamespaceQuery, viewer: Caller) -> list[Namespace]:
        """See the port."""
        return [rows.namespace_of(text) for text in self._pages.read(query, viewer)]

    def get(self, name: str) -> Namespace:
        """See the port."""
        found = self._database.read(self._get, {"name": name})
        if not found:
            raise NotFound("namespace", name)
        return rows.namespace_of(found[0][0])

    def create(self, definition: Definition, now: datetime) -> None:
        """See the port."""
        self._database.write(lambda connection: changes.create(connection, definition, now))

    def change(self, namespace: Namespace, now: datetime) -> None:
        """See the port."""
        self._database.write(lambda connection: changes.change(connection, namespace, now))

    def delete(self, namespace: Namespace) -> None:
        """See the port."""
        self._database.write(lambda connection: changes.delete_namespace(connection, namespace))

    def parts(self, namespace: Namespace, kind: PartKind | None = None) -> list[Part]:
        """See the port."""
        statement = self._all_parts if kind is None else self._parts[kind]
        return [rows.part_of(text) for (text,) in self._database.read(statement, {"of": namespace.id})]

    def part(self, namespace: Namespace, kind: PartKind, name: str) -> Part:
        """See the port."""
        found = self._database.read(self._part[kind], {"of": namespace.id, "name": name})
        if not found:
            raise NotFound(kind, name)
        return rows.part_of(found[0][0])

    def add_parts(self, namespace: Namespace, parts: Sequence[Part], now: datetime) -> None:
        """See the port."""
        self._inside(namespace, lambda connection: changes.add_parts(connection, namespace.id, parts, now))

    def replace_tags(self, namespace: Namespace, tags: Sequence[Part], now: datetime) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            connection.execute(delete(metadef_tags).where(metadef_tags.c.namespace_id == namespace.id))
            changes.add_parts(connection, namespace.id, tags, now)

        self._inside(namespace, work)

    def change_part(self, namespace: Namespace, name: str, part: Part, now: datetime) -> None:
        """See the port."""
        table = rows.TABLES[part.kind]
        this = (table.c.namespace_id == namespace.id, changes.named(self._database.sql, table))
        statement = update(table).where(*this)
        self._inside(
            namespace, lambda connection: changes.change_part(connection, statement, name, part, now)
        )

    def delete_part(self, namespace: Namespace, kind: PartKind, name: str) -> None:
        """See the port."""
        table = rows.TABLES[kind]
        this = (table.c.namespace_id == namespace.id, changes.named(self._database.sql, table))
        self._delete(namespace, delete(table).where(*this), kind, name)

    def delete_parts(self, namespace: Namespace, kind: PartKind) -> None:
        """See the port."""
        table = rows.TABLES[kind]
        statement = delete(table).where(table.c.namespace_id == namespace.id)
        self._inside(namespace, lambda connection: connection.execute(statement), to_delete=True)

    def resource_types(self) -> list[ResourceType]:
        """See the port."""
        return [rows.resource_type_of(text) for (text,) in self._database.read(self._resource_types, {})]

    def associate(self, namespace: Namespace, association: Association, now: datetime) -> None:
        """See the port."""
        self._inside(
            namespace,
            lambda connection: changes.add_associations(connection, namespace.id, [association], now),
        )

    def dissociate(self, namespace: Namespace, name: str) -> None:
        """See the port."""
        types = metadef_resource_types
        number = select(types.c.id).where(changes.named(self._database.sql, types)).scalar_subquery()
        statement = delete(metadef_namespace_resource_types).where(
            _LINK.namespace_id == namespace.id, _LINK.resource_type_id == number
        )
        self._delete(namespace, statement, "resource type", name)

    def load(self, definition: Definition, mode: LoadMode, now: datetime) -> Outcome:
        """See the port."""
        sql = self._database.sql
        return self._database.write(lambda connection: load(connection, sql, definition, mode, now))

    def clear(self) -> None:
        """See the port."""
        self._database.write(changes.clear)

    def _inside(
        self, namespace: Namespace, work: Callable[[Connection], object], *, to_delete: bool = False
    ) -> None:
        def locked(connection: Connection) -> None:
            changes.lock(connection, namespace, to_delete=to_delete)
            work(connection)

        self._database.write(locked)

    def _delete(self, namespace: Namespace, statement: Delete, kind: str, name: str) -> None:
        def work(connection: Connection) -> None:
            if not connection.execute(statement, {"of_name": name}).rowcount:
                raise NotFound(kind, name)

        self._inside(namespace, work, to_delete=True)
