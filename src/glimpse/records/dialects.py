"""Where the databases differ in what they are asked, and nothing else."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Float, Text, cast, func, literal_column, or_
from sqlalchemy.types import BINARY

from glimpse.records.page_indexes import INDEXED_VALUE, pinned


class Sql(ABC):
    """The words of one kind of database."""

    # Whether `(a, b) < (x, y)` is answered from an index on (a, b).
    compares_rows = True

    @abstractmethod
    def array(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        """The columns of one row as a JSON array."""

    @abstractmethod
    def rows(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        """The rows of a group as a JSON array of arrays; may be NULL when there is none."""

    @abstractmethod
    def now(self) -> ColumnElement[float]:
        """The time by the database's clock, in seconds since the epoch."""

    def text(self, document: ColumnElement[str]) -> ColumnElement[str]:
        """A JSON document as the text that the driver hands over untouched."""
        return document

    def same(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether two texts are the same, letter by letter."""
        return column == value

    def same_value(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the value of a property is the same, found by its beginning (`page_indexes`)."""
        return (_beginning(column) == _beginning(value)) & (column == value)

    def pinned(self, column: ColumnElement[Any], name: str, scope: str) -> ColumnElement[Any]:
        """`created_at` or `name` as the index for `scope` has it (`page_indexes`)."""
        del name, scope
        return column

    def aside(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """The column in a form for which no index is used."""
        return func.coalesce(column, column, type_=column.type)

    def leads(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether the leading column of an index has the value, while rows are read in its order."""
        return self.same(column, value)

    def leading(self, columns: Sequence[ColumnElement[Any]]) -> Sequence[ColumnElement[Any]]:
        """Those leading columns that must be sort keys, too, for the index to be read in order."""
        del columns
        return ()

    def one_of(self, column: ColumnElement[Any], values: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
        """Whether a text is the same as one of several."""
        return column == values[0] if len(values) == 1 else column.in_(values)

    def ordered(self, column: ColumnElement[Any], *, descending: bool, nullable: bool) -> ColumnElement[Any]:
        """The column as a sort key: NULL is the lowest value."""
        del nullable  # Most databases order NULL so by themselves.
        return column.desc() if descending else column.asc()

    def moment(self, value: datetime) -> object:
        """A time as the driver compares it with a column."""
        return value


def _beginning(value: ColumnElement[Any]) -> ColumnElement[str]:
    # Written out, not as parameters: otherwise it would not be the expression that is indexed.
    return func.substr(value, literal_column("1"), literal_column(str(INDEXED_VALUE)))


class Sqlite(Sql):
    """SQLite 3.38 or later."""

    def array(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_array(*columns)

    def now(self) -> ColumnElement[float]:
        return literal_column("(julianday('now') - 2440587.5) * 86400.0", Float)

    def rows(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_group_array(func.json_array(*columns))

    def same_value(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        # After `column = value` SQLite would put the value for the column in the first half, too.
        return (_beginning(column) == _beginning(value)) & column.is_not_distinct_from(value)

    def moment(self, value: datetime) -> object:
        return value.isoformat(" ", "microseconds")


class Postgresql(Sql):
    """PostgreSQL."""

    def array(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_build_array(*columns)

    def now(self) -> ColumnElement[float]:
        return literal_column("CAST(extract(epoch FROM clock_timestamp()) AS float)", Float)

    def rows(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_agg(func.json_build_array(*columns))

    def pinned(self, column: ColumnElement[Any], name: str, scope: str) -> ColumnElement[Any]:
        return pinned(column, name, scope, "postgresql")

    def aside(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        # The order already decides which index it is, and about an expression nothing is known.
        return column

    def text(self, document: ColumnElement[str]) -> ColumnElement[str]:
        return cast(document, Text)

    def ordered(self, column: ColumnElement[Any], *, descending: bool, nullable: bool) -> ColumnElement[Any]:
        # Only where NULL can be, for an index without the clause could not give that order.
        plain = super().ordered(column, descending=descending, nullable=nullable)
        if not nullable:
            return plain
        return plain.nulls_last() if descending else plain.nulls_first()


class Mysql(Sql):
    """MariaDB 10.5 or later, and MySQL 8."""

    compares_rows = False

    def array(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_array(*columns)

    def now(self) -> ColumnElement[float]:
        return literal_column("timestampdiff(MICROSECOND, '1970-01-01', utc_timestamp(6)) / 1e6", Float)

    def rows(self, *columns: ColumnElement[Any]) -> ColumnElement[str]:
        return func.json_arrayagg(func.json_array(*columns))

    def same(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        # The collations of Glance's tables see no difference between upper and lower case. The first half
        # uses the index, the second is exact.
        return (column == value) & (cast(column, BINARY) == cast(value, BINARY))

    # MariaDB prefers to look up what equals a value over starting behind a marker, where it thinks that most
    # rows are behind it, and passes all those before. What is said to be one of two values cannot be looked
    # up; the other one is nowhere (and the exact half refuses it). The column is then no constant any more,
    # so that it must be named as a sort key.
    def leads(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        if isinstance(column.type, Boolean):
            return column.in_([value, literal_column("2")])
        return column.in_([value, literal_column("''")]) & (cast(column, BINARY) == cast(value, BINARY))

    def leading(self, columns: Sequence[ColumnElement[Any]]) -> Sequence[ColumnElement[Any]]:
        return columns

    def one_of(self, column: ColumnElement[Any], values: Sequence[ColumnElement[Any]]) -> ColumnElement[bool]:
        return or_(*(self.same(column, value) for value in values))

    def same_value(self, column: ColumnElement[Any], value: ColumnElement[Any]) -> ColumnElement[bool]:
        return self.same(column, value)


DIALECTS: dict[str, Sql] = {"sqlite": Sqlite(), "postgresql": Postgresql(), "mysql": Mysql()}
