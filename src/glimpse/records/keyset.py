"""What comes after a marker, in any order of sort keys.

NULL is the lowest value everywhere, and each key may go up or down, so that one comparison of rows cannot say
it. The answer is a union of segments instead: equal in the first keys, beyond in the next. Each is one range
of an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, false, or_, tuple_

from glimpse.records.dialects import Sql


@dataclass(frozen=True, slots=True, eq=False)
class Key:
    """A sort key, and the value that the marker has there (`absent`: it has none)."""

    column: ColumnElement[Any]
    value: BindParameter[Any]
    descending: bool
    nullable: bool
    absent: bool


def segments(sql: Sql, keys: Sequence[Key]) -> list[ColumnElement[bool]]:
    """The conditions of which exactly one holds for an image after the marker, and none for the others."""
    first, *rest = keys
    if len({key.descending for key in keys}) == 1 and not any(key.nullable for key in keys):
        return [_beyond_row(sql, keys)]
    here = first.column.is_(None) if first.absent else first.column == first.value
    return [*_beyond(first), *(and_(here, segment) for segment in (segments(sql, rest) if rest else []))]


def _beyond(key: Key) -> list[ColumnElement[bool]]:
    """The ranges of one column beyond the marker's value."""
    if not key.descending:
        return [key.column.is_not(None) if key.absent else key.column > key.value]
    if key.absent:
        return []
    return [key.column < key.value, *([key.column.is_(None)] if key.nullable else [])]


def _beyond_row(sql: Sql, keys: Sequence[Key]) -> ColumnElement[bool]:
    """One direction and no NULL: a plain comparison of rows, where the database reads an index by it."""
    if not sql.compares_rows:
        return _lexicographic(keys)
    here, there = tuple_(*(key.column for key in keys)), tuple_(*(key.value for key in keys))
    return here < there if keys[0].descending else here > there


def _lexicographic(keys: Sequence[Key]) -> ColumnElement[bool]:
    first, *rest = keys
    beyond = or_(false(), *_beyond(first))
    return or_(beyond, and_(first.column == first.value, _lexicographic(rest))) if rest else beyond
