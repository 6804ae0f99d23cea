"""The statement for a page of images.

A page is a union of branches (`visibility.py`). Each branch reads its part of an index in the asked order,
starts behind the marker and ends after a page's rows, so that its cost does not depend on how many images
there are. Where a few rows of another table lead to all results (the memberships of a project, a rare
property), the branch starts there instead (`selectivity.py`).

Statements are built from shapes: all that changes a statement's text. A shape is built and compiled once.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

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

from glimpse.catalog.ports import Condition, PageQuery, Viewer
from glimpse.domain.image import Image
from glimpse.records.database import Database, Prepared
from glimpse.records.dialects import Sql
from glimpse.records.filters import (
    Col,
    Lookup,
    compared,
    filters,
    has_image,
    is_member,
    membership,
    viewer_project,
    with_property,
    with_tag,
)
from glimpse.records.keyset import Key, segments
from glimpse.records.rows import document
from glimpse.records.selectivity import Selectivity
from glimpse.records.shapes import Lead, Shape, shape_of
from glimpse.records.tables import KILLED, UNLISTED, image_members, images
from glimpse.records.visibility import Branch, branches

# The first sort keys in whose order there are indexes.
_INDEXED = frozenset({"created_at", "name"})


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
        project_id = viewer.project_id
        with_viewer = project_id is not None and any(part.with_viewer for part in parts)
        few = with_viewer and self._selectivity.few_memberships(project_id or "")
        return shape_of(query, viewer, parts, few_memberships=few, lead=self._selectivity.lead(query))

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
        parts = [
            part
            for gone in shape.deleted
            for branch in shape.branches
            for part in _branch(sql, shape, branch, gone)
        ]
    whole = (union(*(select(part.subquery()) for part in parts)) if len(parts) > 1 else parts[0]).subquery()
    return (
        select(whole)
        .order_by(*_order(sql, shape, lambda name: whole.c[name]))
        .limit(bindparam("limit", type_=Integer))
    )


def _branch(sql: Sql, shape: Shape, branch: Branch, gone: bool) -> list[Select[Any]]:
    """The first images of one branch; of each range in which images come after the marker."""
    if branch.with_viewer and shape.few_memberships:
        mine = select(image_members.c.image_id).where(*membership(sql, shape))
        return [_few(sql, shape, mine).where(_detached("visibility") == _literal(branch.visibility))]
    leading = _leading(branch, gone)
    column = partial(_indexed, sql, branch)
    columns = [images.c[name] for name in leading]
    rows = (
        _matching(sql, shape, column)
        .where(*(sql.leads(images.c[name], value) for name, value in leading.items()))
        .order_by(
            *(first.desc() if shape.sort[0][1] else first for first in sql.leading(columns)),
            *_order(sql, shape, column),
        )
    )
    if branch.own and branch.visibility is not None:
        rows = rows.where(sql.aside(images.c.visibility) == _literal(branch.visibility))
    if branch.with_viewer:
        rows = rows.where(has_image(select(image_members.c.image_id).where(*membership(sql, shape))))
    return [rows.where(segment) for segment in _segments(sql, shape, column)]


def _leading(branch: Branch, gone: bool) -> dict[str, Col]:
    """The columns with which the index for `branch` begins, and their values (`page_indexes`)."""
    begin: dict[str, dict[str, Col]] = {
        "owner": {"owner": viewer_project()},
        "visibility": {"visibility": _literal(branch.visibility)},
        "all": {},
    }
    return {**begin[_scope(branch)], "deleted": _truth(gone), "os_hidden": _hidden()}


def _truth(gone: bool) -> Col:
    return true() if gone else false()


def _led(sql: Sql, shape: Shape, lead: Lead) -> Select[Any]:
    """The page when a condition leads to few images: all of them are looked at."""
    kind, number = lead
    if kind == "column":
        image = images.alias()
        condition = compared(sql, number, *shape.conditions[number], lambda name: image.c[name])
        found = select(image.c.id).where(condition)
    else:
        found = with_property(sql, number) if kind == "property" else with_tag(sql, number)
    return _few(sql, shape, found).where(or_(*(_belongs(sql, shape, branch) for branch in shape.branches)))


def _few(sql: Sql, shape: Shape, ids: Select[Any]) -> Select[Any]:
    """The first images among those whose ids are given, which are few."""
    return (
        _matching(sql, shape, _detached)
        .where(
            images.c.id.in_(ids),
            or_(*(_detached("deleted") == _truth(gone) for gone in shape.deleted)),
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
        .where(
            column("status").not_in(KILLED if any(shape.deleted) else UNLISTED), *filters(sql, shape, column)
        )
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
    # Glance allows no time of update; the image then counts as unchanged since it was made.
    if name == "updated_at":
        return func.coalesce(images.c.updated_at, images.c.created_at, type_=images.c.updated_at.type)
    return images.c[name]


def _indexed(sql: Sql, branch: Branch, name: str) -> Col:
    """The column in the form in which it is in the index for `branch`."""
    return sql.pinned(images.c[name], name, _scope(branch)) if name in _INDEXED else _stored(name)


def _scope(branch: Branch) -> str:
    if branch.own:
        return "owner"
    return "all" if branch.visibility is None else "visibility"


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
        terms.append(sql.same(_detached("owner"), viewer_project()))
    if branch.with_viewer:
        terms.append(has_image(select(image_members.c.image_id).where(*membership(sql, shape))))
    return and_(true(), *terms)


def _literal(visibility: str | None) -> Col:
    return literal_column(f"'{visibility}'")


def _hidden() -> BindParameter[bool]:
    return bindparam("hidden", type_=images.c.os_hidden.type)


def _order(sql: Sql, shape: Shape, column: Lookup) -> list[Col]:
    return [
        sql.ordered(column(name), descending=descending, nullable=_nullable(name))
        for name, descending in shape.sort
    ]


def _nullable(name: str) -> bool:
    return bool(images.c[name].nullable) and name != "updated_at"
