"""The statement for a page of images.

A page is a union of branches (`visibility.py`). Each branch reads its part of an index in the asked order,
starts behind the marker and ends after a page's rows, so that its cost does not depend on how many images
there are. Where a few rows of another table lead to all results (the memberships of a project, a rare
property), the branch starts there instead (`selectivity.py`).

Statements are built from shapes: all that changes a statement's text. A shape is built and compiled once.
"""

import operator as operators
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Integer,
    Select,
    and_,
    bindparam,
    false,
    func,
    literal_column,
    null,
    or_,
    select,
    true,
    union,
)

from glimpse.catalog.ports import Condition, Operator, PageQuery, SortKey, Viewer
from glimpse.domain.image import Image
from glimpse.records.database import Database, Prepared
from glimpse.records.dialects import Sql
from glimpse.records.keyset import Key, segments
from glimpse.records.rows import document
from glimpse.records.selectivity import Lead, Selectivity
from glimpse.records.tables import UNLISTED, image_members, image_properties, image_tags, images, is_present
from glimpse.records.visibility import Branch, branches

Col = ColumnElement[Any]
Lookup = Callable[[str], Col]

# The first sort keys in whose order there are indexes.
_INDEXED = frozenset({"created_at", "name"})


class Shape(NamedTuple):
    """What decides the text of a page's statement."""

    branches: tuple[Branch, ...]
    sort: tuple[tuple[str, bool], ...]
    # For each sort key whether the marker has no value there; None without a marker.
    after: tuple[bool, ...] | None
    # Column, operator, number of values (0: compared with NULL).
    conditions: tuple[tuple[str, Operator, int], ...]
    properties: int
    tags: int
    member_status: bool
    has_project: bool
    few_memberships: bool
    lead: Lead | None
    # How many images each branch gives at most: at least as many as the page.
    batch: int


class Pages:
    """Builds, remembers and fills the statements for pages."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._selectivity = Selectivity(database)
        self._statement = lru_cache(maxsize=512)(self._build)

    def read(self, query: PageQuery, viewer: Viewer) -> Sequence[Sequence[Any]]:
        """The documents of the page, in order."""
        parts = branches(query, viewer)
        if query.limit <= 0 or not parts or not all(map(_can_match, query.conditions)):
            return ()
        shape = self._shape(query, viewer, parts)
        return self._database.read(self._statement(shape), self._values(shape, query, viewer))

    def _build(self, shape: Shape) -> Prepared:
        return self._database.prepare(page_statement(self._database.sql, shape))

    def _shape(self, query: PageQuery, viewer: Viewer, parts: tuple[Branch, ...]) -> Shape:
        sort = _total(query.sort)
        with_viewer = viewer.project_id is not None and any(part.with_viewer for part in parts)
        return Shape(
            parts,
            sort,
            None
            if query.marker is None
            else tuple([getattr(query.marker, name) is None for name, _ in sort]),
            tuple([(where.column, where.operator, _width(where)) for where in query.conditions]),
            len(query.properties),
            len(query.tags),
            query.member_status is not None,
            viewer.project_id is not None,
            with_viewer and self._selectivity.few_memberships(viewer.project_id or ""),
            self._selectivity.lead(query),
            _batch(query.limit),
        )

    def _values(self, shape: Shape, query: PageQuery, viewer: Viewer) -> dict[str, object]:
        values: dict[str, object] = {"limit": query.limit, "hidden": query.os_hidden, "me": viewer.project_id}
        if query.member_status is not None:
            values["member_status"] = query.member_status.value
        for number, (name, value) in enumerate(query.properties):
            values[f"property_{number}_name"] = name
            values[f"property_{number}_value"] = value
        for number, tag in enumerate(query.tags):
            values[f"tag_{number}"] = tag
        self._fill_marker(values, shape, query.marker)
        for number, where in enumerate(query.conditions):
            several = where.value if isinstance(where.value, tuple) else (where.value,)
            for position, value in enumerate(several):
                values[f"where_{number}_{position}"] = self._plain(value)
        return values

    def _fill_marker(self, values: dict[str, object], shape: Shape, marker: Image | None) -> None:
        if marker is not None:
            for number, (name, _) in enumerate(shape.sort):
                values[f"after_{number}"] = self._plain(getattr(marker, name))

    def _plain(self, value: object) -> object:
        """The value as drivers know it: no enumerations, times in the database's form."""
        if isinstance(value, datetime):
            return self._database.sql.moment(value)
        return str(value) if isinstance(value, str) else value


def _total(sort: tuple[SortKey, ...]) -> tuple[tuple[str, bool], ...]:
    """The sort keys, each column once: a second time it cannot change the order any more."""
    keys: dict[str, tuple[str, bool]] = {}
    for key in sort:
        keys.setdefault(key.column, (key.column, key.descending))
    return tuple(keys.values())


def _batch(limit: int) -> int:
    """The least of 25, 100, 400, ... that is enough.

    It stands in the statement as a number, because PostgreSQL plans for a tenth of the table when the limit
    is a parameter; and in few steps, because each number makes another statement.
    """
    batch = 25
    while batch < limit:
        batch *= 4
    return batch


def _width(where: Condition) -> int:
    if isinstance(where.value, tuple):
        return len(where.value)
    return 0 if where.value is None else 1


def _can_match(where: Condition) -> bool:
    return where.value != ()


def page_statement(sql: Sql, shape: Shape) -> Select[Any]:
    """The whole statement: the page's ids and sort keys first, then all about these images."""
    page = _page(sql, shape).subquery("page")
    image = images.alias("image")
    return (
        select(document(sql, image, is_member(sql, image.c.id) if shape.has_project else null()))
        .select_from(page.join(image, image.c.id == page.c.id))
        .order_by(*_order(sql, shape, lambda name: page.c[name]))
    )


def _page(sql: Sql, shape: Shape) -> Select[Any]:
    if shape.lead is not None:
        parts = [_led(sql, shape, shape.lead)]
    else:
        parts = [part for branch in shape.branches for part in _branch(sql, shape, branch)]
    whole = (union(*(select(part.subquery()) for part in parts)) if len(parts) > 1 else parts[0]).subquery()
    return (
        select(whole)
        .order_by(*_order(sql, shape, lambda name: whole.c[name]))
        .limit(bindparam("limit", type_=Integer))
    )


def _branch(sql: Sql, shape: Shape, branch: Branch) -> list[Select[Any]]:
    """The first images of one branch; of each range in which images come after the marker."""
    if branch.with_viewer and shape.few_memberships:
        mine = select(image_members.c.image_id).where(*_membership(sql, shape))
        return [_few(sql, shape, mine).where(_detached("visibility") == _literal(branch.visibility))]
    leading = _leading(branch)
    columns = [images.c[name] for name in leading]
    rows = (
        _matching(sql, shape, _stored)
        .where(*(sql.leads(images.c[name], value) for name, value in leading.items()))
        .order_by(
            *(column.desc() if shape.sort[0][1] else column for column in sql.leading(columns)),
            *_order(sql, shape, _stored),
        )
    )
    if branch.own and branch.visibility is not None:
        rows = rows.where(_detached("visibility") == _literal(branch.visibility))
    if branch.with_viewer:
        rows = rows.where(_has(select(image_members.c.image_id).where(*_membership(sql, shape))))
    return [rows.where(segment) for segment in _segments(sql, shape, _stored)]


def _leading(branch: Branch) -> dict[str, Col]:
    """The columns with which the index for `branch` begins, and their values (`tables.page_indexes`)."""
    begin: dict[str, Col] = {}
    if branch.own:
        begin = {"owner": _me()}
    elif branch.visibility is not None:
        begin = {"visibility": _literal(branch.visibility)}
    return {**begin, "deleted": false(), "os_hidden": _hidden()}


def _led(sql: Sql, shape: Shape, lead: Lead) -> Select[Any]:
    """The page when a condition leads to few images: all of them are looked at."""
    kind, number = lead
    if kind == "column":
        image = images.alias()
        condition = _compared(sql, number, *shape.conditions[number], lambda name: image.c[name])
        found = select(image.c.id).where(condition)
    else:
        found = _property(sql, number) if kind == "property" else _tag(sql, number)
    return _few(sql, shape, found).where(or_(*(_belongs(sql, shape, branch) for branch in shape.branches)))


def _few(sql: Sql, shape: Shape, ids: Select[Any]) -> Select[Any]:
    """The first images among those whose ids are given, which are few."""
    return (
        _matching(sql, shape, _detached)
        .where(
            images.c.id.in_(ids),
            _detached("deleted") == false(),
            _detached("os_hidden") == _hidden(),
            or_(*_segments(sql, shape, _detached)),
        )
        .order_by(*_order(sql, shape, _detached))
    )


def _matching(sql: Sql, shape: Shape, column: Lookup) -> Select[Any]:
    """Id and sort keys of images for which all filters hold."""
    names = dict.fromkeys(["id", *(name for name, _ in shape.sort)])
    return (
        select(*(_stored(name).label(name) for name in names))
        .where(column("status").not_in(UNLISTED), *_filters(sql, shape, column))
        .limit(literal_column(str(shape.batch)))
    )


def _segments(sql: Sql, shape: Shape, column: Lookup) -> list[ColumnElement[bool]]:
    """The ranges in which images come after the marker."""
    if shape.after is None:
        return [true()]
    keys = [
        Key(
            column(name),
            bindparam(f"after_{number}", type_=images.c[name].type),
            descending,
            _nullable(name),
            absent,
        )
        for number, ((name, descending), absent) in enumerate(zip(shape.sort, shape.after, strict=True))
    ]
    found = segments(sql, keys)
    # Without an index in this order each range would be a search through everything.
    return found if shape.sort[0][0] in _INDEXED else [or_(*found)]


def _stored(name: str) -> Col:
    """The column in the form in which it is indexed."""
    # Glance allows no time of update; the image then counts as unchanged since it was made.
    if name == "updated_at":
        return func.coalesce(images.c.updated_at, images.c.created_at, type_=images.c.updated_at.type)
    return images.c[name]


def _detached(name: str) -> Col:
    """The column in a form that no index is used for, so that the database starts from the few ids."""
    column = images.c[name]
    if name == "updated_at":
        return _stored(name)
    return func.coalesce(column, column, type_=column.type)


def _belongs(sql: Sql, shape: Shape, branch: Branch) -> ColumnElement[bool]:
    """Whether an image that was found by its id is of `branch`."""
    terms: list[ColumnElement[bool]] = []
    if branch.visibility is not None:
        terms.append(_detached("visibility") == _literal(branch.visibility))
    if branch.own:
        terms.append(sql.same(_detached("owner"), _me()))
    if branch.with_viewer:
        terms.append(_has(select(image_members.c.image_id).where(*_membership(sql, shape))))
    return and_(true(), *terms)


def _literal(visibility: str | None) -> Col:
    return literal_column(f"'{visibility}'")


def _hidden() -> BindParameter[bool]:
    return bindparam("hidden", type_=images.c.os_hidden.type)


def _me() -> BindParameter[str]:
    return bindparam("me", type_=images.c.owner.type)


def _membership(sql: Sql, shape: Shape) -> list[ColumnElement[bool]]:
    terms = [sql.same(image_members.c.member, _me()), image_members.c.deleted == false()]
    if shape.member_status:
        terms.append(image_members.c.status == bindparam("member_status", type_=image_members.c.status.type))
    return terms


def is_member(sql: Sql, image_id: Col) -> Col:
    """How often the viewer's project is a member of the image."""
    member = image_members.alias()
    return (
        select(func.count())
        .select_from(member)
        .where(member.c.image_id == image_id, sql.same(member.c.member, _me()), member.c.deleted == false())
        .scalar_subquery()
    )


def _filters(sql: Sql, shape: Shape, column: Lookup) -> list[ColumnElement[bool]]:
    found = [_compared(sql, number, *where, column) for number, where in enumerate(shape.conditions)]
    for kind, count, rows in (("property", shape.properties, _property), ("tag", shape.tags, _tag)):
        found += [_has(rows(sql, number)) for number in range(count) if (kind, number) != shape.lead]
    return found


def _has(rows: Select[Any]) -> ColumnElement[bool]:
    """Whether `rows`, which are ids of images, have the image at hand.

    Asked for each image, so that images are read in order until the page is full. An EXISTS would be turned
    into a join by MariaDB and PostgreSQL, and all rows be collected first.
    """
    this = rows.where(rows.selected_columns[0] == images.c.id).limit(literal_column("1"))
    return this.correlate(images).scalar_subquery().is_not(None)


def _property(sql: Sql, number: int) -> Select[Any]:
    """The images that have the property asked for in that place."""
    row = image_properties.alias(f"property_{number}")
    return select(row.c.image_id).where(
        sql.same(row.c.name, bindparam(f"property_{number}_name", type_=row.c.name.type)),
        sql.same_value(row.c.value, bindparam(f"property_{number}_value", type_=row.c.value.type)),
        is_present(row),
    )


def _tag(sql: Sql, number: int) -> Select[Any]:
    """The images that have the tag asked for in that place."""
    row = image_tags.alias(f"tag_{number}")
    return select(row.c.image_id).where(
        sql.same(row.c.value, bindparam(f"tag_{number}", type_=row.c.value.type)), row.c.deleted == false()
    )


def _compared(
    sql: Sql, number: int, name: str, operator: Operator, width: int, lookup: Lookup
) -> ColumnElement[bool]:
    column = lookup(name)
    if width == 0:
        return column.is_not(None) if operator is Operator.NOT_EQUAL else column.is_(None)
    values = [bindparam(f"where_{number}_{place}", type_=images.c[name].type) for place in range(width)]
    if operator in {Operator.EQUAL, Operator.ONE_OF, Operator.NOT_EQUAL}:
        equal = sql.one_of(column, values) if images.c[name].type.python_type is str else column.in_(values)
        return ~equal if operator is Operator.NOT_EQUAL else equal
    return _COMPARISONS[operator](column, values[0])


_COMPARISONS: dict[Operator, Callable[[Col, Col], ColumnElement[bool]]] = {
    Operator.GREATER: operators.gt,
    Operator.GREATER_OR_EQUAL: operators.ge,
    Operator.LESS: operators.lt,
    Operator.LESS_OR_EQUAL: operators.le,
}


def _order(sql: Sql, shape: Shape, column: Lookup) -> list[Col]:
    return [
        sql.ordered(column(name), descending=descending, nullable=_nullable(name))
        for name, descending in shape.sort
    ]


def _nullable(name: str) -> bool:
    return bool(images.c[name].nullable) and name != "updated_at"
