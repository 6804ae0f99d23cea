"""Whether a condition leads to few images, so that looking at all of them is the quickest way.

The answer only decides how a page is read, never what is in it: that is why it may be a minute old.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, false, func, literal_column, select

from glimpse.catalog.ports import Condition, Operator, PageQuery
from glimpse.records.database import Database, Prepared
from glimpse.records.shapes import Lead
from glimpse.records.tables import image_members, image_properties, image_tags, images

# Reading a row by its id costs about as much as passing some ten rows of an index; a page's worth of
# passing is bought back at this number in catalogs of any size (see `tests/contract/records`).
FEW = 2000
_SECONDS = 60.0
_REMEMBERED = 4096


class Selectivity:
    """Counts, up to a thousand, and remembers for a minute."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._known: OrderedDict[tuple[str, ...], tuple[float, bool]] = OrderedDict()
        sql = database.sql
        member, prop, tag = image_members.c, image_properties.c, image_tags.c
        first, second = (bindparam(name, type_=prop.value.type) for name in ("first", "second"))
        self._memberships = self._count(sql.same(member.member, first), member.deleted == false())
        self._properties = self._count(sql.same(prop.name, first), sql.same_value(prop.value, second))
        self._tags = self._count(sql.same(tag.value, first), tag.deleted == false())
        self._digests = {
            name: self._count(sql.same(images.c[name], first)) for name in ("checksum", "os_hash_value")
        }

    def few_memberships(self, project_id: str) -> bool:
        """Whether few images are shared with the project."""
        return self._few(self._memberships, "member", {"first": project_id})

    def lead(self, query: PageQuery) -> Lead | None:
        """A condition of `query` that few images fulfil."""
        for number, where in enumerate(query.conditions):
            if self._is_few(where):
                return "column", number
        for number, (name, value) in enumerate(query.properties):
            if self._few(self._properties, "property", {"first": name, "second": value}):
                return "property", number
        for number, tag in enumerate(query.tags):
            if self._few(self._tags, "tag", {"first": tag}):
                return "tag", number
        return None

    def _is_few(self, where: Condition) -> bool:
        if where.column == "id":
            return where.operator in {Operator.EQUAL, Operator.ONE_OF}
        if where.operator is not Operator.EQUAL or not isinstance(where.value, str):
            return False
        digests = self._digests.get(where.column)
        return digests is not None and self._few(digests, where.column, {"first": where.value})

    def _count(self, *terms: ColumnElement[bool]) -> Prepared:
        """Counts the rows for which `terms` hold, as far as it matters."""
        some: Select[Any] = (
            select(literal_column("1").label("one")).where(*terms).limit(literal_column(str(FEW)))
        )
        return self._database.prepare(select(func.count()).select_from(some.subquery()))

    def _few(self, statement: Prepared, kind: str, values: Mapping[str, str]) -> bool:
        key = (kind, *values.values())
        known = self._known.get(key)
        now = self._clock()
        if known is not None and now < known[0]:
            return known[1]
        few = bool(self._database.read(statement, values)[0][0] < FEW)
        self._known[key] = (now + _SECONDS, few)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return few
