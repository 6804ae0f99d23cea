"""Whether a condition leads to few images, so that looking at all of them is the quickest way.

The answer only decides how a page is read, never what is in it: that is why it may be a minute old.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Select, bindparam, false, func, literal_column, select

from glimpse.catalog.ports import PageQuery
from glimpse.records.database import Database, Prepared
from glimpse.records.tables import image_members, image_properties, image_tags

# Reading a row by its id costs about as much as passing some ten rows of an index; a page's worth of
# passing is bought back at this number in catalogs of any size (see `tests/contract/records`).
_FEW = 1000
_SECONDS = 60.0
_REMEMBERED = 4096


class Selectivity:
    """Counts, up to a thousand, and remembers for a minute."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[tuple[str, ...], tuple[float, bool]] = OrderedDict()
        sql = database.sql
        member, prop, tag = (table.alias() for table in (image_members, image_properties, image_tags))
        self._memberships = self._count(
            select(member.c.id).where(
                sql.same(member.c.member, bindparam("first", type_=member.c.member.type)),
                member.c.deleted == false(),
            )
        )
        self._properties = self._count(
            select(prop.c.id).where(
                sql.same(prop.c.name, bindparam("first", type_=prop.c.name.type)),
                sql.same_value(prop.c.value, bindparam("second", type_=prop.c.value.type)),
            )
        )
        self._tags = self._count(
            select(tag.c.id).where(
                sql.same(tag.c.value, bindparam("first", type_=tag.c.value.type)), tag.c.deleted == false()
            )
        )

    def few_memberships(self, project_id: str) -> bool:
        """Whether few images are shared with the project."""
        return self._few(self._memberships, "member", {"first": project_id})

    def lead(self, query: PageQuery) -> tuple[str, int] | None:
        """A property or a tag of `query` that few images have: its kind and its place in the query."""
        for number, (name, value) in enumerate(query.properties):
            if self._few(self._properties, "property", {"first": name, "second": value}):
                return "property", number
        for number, tag in enumerate(query.tags):
            if self._few(self._tags, "tag", {"first": tag}):
                return "tag", number
        return None

    def _count(self, rows: Select[Any]) -> Prepared:
        some = rows.limit(literal_column(str(_FEW))).subquery()
        return self._database.prepare(select(func.count()).select_from(some))

    def _few(self, statement: Prepared, kind: str, values: Mapping[str, str]) -> bool:
        key = (kind, *values.values())
        known = self._known.get(key)
        now = self._clock()
        if known is not None and now < known[0]:
            return known[1]
        few = bool(self._database.read(statement, values)[0][0] < _FEW)
        self._known[key] = (now + _SECONDS, few)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return few
