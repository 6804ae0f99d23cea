"""The schema of Glance: the revisions that its releases gave it, and what an older one lacks.

From Queens on, Glance only ever added to its tables, so a schema of any release since is brought to the head
by adding what is described in `tables.glance` and is not there. So is completed what was done half.
"""

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass
from functools import partial

from sqlalchemy import (
    Column,
    Connection,
    Inspector,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    inspect,
    text,
)
from sqlalchemy.schema import CreateColumn

from glimpse.domain.errors import Conflict
from glimpse.records import tables

GLANCE_REVISION = "2024_1_contract01"
EXPANDED = "2024_1_expand01"

# Pike's schema is that of Queens. Stein changed nothing, nor did any release after 2024.1.
_RELEASES = (
    *("pike_{}01", "queens_{}01", "rocky_{}01", "rocky_{}02", "train_{}01", "ussuri_{}01", "wallaby_{}01"),
    *("xena_{}01", "yoga_{}01", "zed_{}01", "2023_1_{}01", "2024_1_{}01"),
)
_EXPANSIONS = frozenset(name.format("expand") for name in _RELEASES)
_CONTRACTIONS = frozenset(name.format("contract") for name in _RELEASES)
_BEFORE = frozenset(
    ("liberty", "mitaka01", "mitaka02", "ocata_expand01", "ocata_contract01", "ocata01", "pike01")
)
# What comes before Alembic had numbers.
_NUMBERED = " (of sqlalchemy-migrate)"

_VERSIONS = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


@dataclass(frozen=True, slots=True)
class Step:
    """One change of the schema, and what it is called. Each is a transaction of its own."""

    text: str
    take: Callable[[Connection], None]


def found(connection: Connection) -> set[str]:
    """The revisions at which the schema is; none where it was never made."""
    names = set(inspect(connection).get_table_names())
    if _VERSIONS.name in names:
        return set(connection.execute(_VERSIONS.select()).scalars())
    if "migrate_version" in names:
        numbers = connection.execute(text("SELECT version FROM migrate_version")).scalars()
        return {f"{number}{_NUMBERED}" for number in numbers}
    return set()


def is_known(revision: str) -> bool:
    """Whether Glance has, or had, a revision of that name."""
    return revision in _EXPANSIONS | _CONTRACTIONS | _BEFORE


def require_usable(connection: Connection) -> set[str]:
    """The revisions of a schema that can be brought to the head.

    :raises Conflict: it is newer than what is known here, or from before Queens; names its revision.
    """
    revisions = found(connection)
    named = ", ".join(sorted(revisions))
    if any(not is_known(revision) and not revision.endswith(_NUMBERED) for revision in revisions):
        raise Conflict(
            f"The Glance schema in the database has the revision {named}, which this version does not know: "
            f"it is newer than {GLANCE_REVISION}. Nothing was changed; a newer version is needed."
        )
    if (revisions and not revisions & _CONTRACTIONS) or revisions & _BEFORE or _has_is_public(connection):
        raise Conflict(
            f"The Glance schema in the database has the revision {named or 'none'} and is from before "
            f"Queens, but {GLANCE_REVISION} is needed: run `glance-manage db sync` of a Glance since Queens."
        )
    return revisions


def _has_is_public(connection: Connection) -> bool:
    """Whether a column of images is there that Ocata dropped."""
    inspector = inspect(connection)
    return inspector.has_table("images") and any(
        column["name"] == "is_public" for column in inspector.get_columns("images")
    )


def missing(connection: Connection) -> Iterator[Step]:
    """The steps that the schema lacks to be expanded, in order. The last one notes that there are no more."""
    revisions = found(connection)
    if revisions & {EXPANDED, GLANCE_REVISION}:
        return
    inspector = inspect(connection)
    if inspector.has_table(tables.images.name):
        for table in tables.glance.sorted_tables:
            yield from _missing_of(inspector, table)
    else:
        yield Step("make the tables of Glance", tables.glance.create_all)
    noted = revisions - _EXPANSIONS | {EXPANDED} if revisions else {GLANCE_REVISION}
    yield Step(f"note the revision {', '.join(sorted(noted))}", partial(note, revisions=noted))


def _missing_of(inspector: Inspector, table: Table) -> Iterator[Step]:
    if not inspector.has_table(table.name):
        yield Step(f"make the table {table.name}", partial(table.create, checkfirst=True))
        return
    columns = {column["name"] for column in inspector.get_columns(table.name)}
    for column in table.columns:
        if column.name not in columns:
            yield Step(f"add the column {table.name}.{column.name}", partial(_add_column, table.name, column))
    indexes = {index["name"] for index in inspector.get_indexes(table.name)}
    for index in sorted(table.indexes, key=lambda index: str(index.name)):
        if index.name not in indexes:
            yield Step(f"make the index {index.name} of {table.name}", index.create)


def _add_column(table: str, column: Column[object], connection: Connection) -> None:
    definition = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {table} ADD COLUMN {definition}")


def note(connection: Connection, revisions: Set[str]) -> None:
    """Write down at which revisions the schema is from now on."""
    _VERSIONS.create(connection, checkfirst=True)
    connection.execute(_VERSIONS.delete())
    connection.execute(_VERSIONS.insert(), [{"version_num": revision} for revision in sorted(revisions)])
