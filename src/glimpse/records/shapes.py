"""What decides the text of a page's statement: statements are built and compiled once for each shape."""

from typing import NamedTuple

from glimpse.catalog.ports import Condition, Operator, PageQuery, SortKey, Viewer
from glimpse.records.visibility import Branch

# A condition that few images fulfil: "column", "property" or "tag", and its place in the query.
Lead = tuple[str, int]


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
    # Whether images are deleted or not.
    deleted: tuple[bool, ...]


def shape_of(
    query: PageQuery,
    viewer: Viewer,
    branches: tuple[Branch, ...],
    *,
    few_memberships: bool,
    lead: Lead | None,
) -> Shape:
    """The shape of the statement for `query`."""
    sort = _total(query.sort)
    return Shape(
        branches,
        sort,
        None if query.marker is None else tuple([getattr(query.marker, name) is None for name, _ in sort]),
        tuple([(where.column, where.operator, _width(where)) for where in query.conditions]),
        len(query.properties),
        len(query.tags),
        query.member_status is not None,
        viewer.project_id is not None,
        few_memberships,
        lead,
        _batch(query.limit),
        (False, True) if query.deleted is None else (query.deleted,),
    )


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
