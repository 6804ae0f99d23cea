"""Making and checking the schema.

Two independent histories live in one database: Glance's tables (version table `alembic_version`, the same
that `glance-manage` keeps) and what Glimpse adds (`glimpse_alembic_version`). A Glance database at its head
is taken over as it is.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.records import engines
from glimpse.records.engines import DEADLINE
from glimpse.records.failures import describe

GLANCE_REVISION = "2024_1_contract01"
GLIMPSE_REVISION = "0004"

# The version table and the head of each history, in the order in which they are run.
_HISTORIES = {
    "glance": ("alembic_version", GLANCE_REVISION),
    "glimpse": ("glimpse_alembic_version", GLIMPSE_REVISION),
}
_SCRIPTS = Path(__file__).parent / "migrations"

# The name of the advisory lock, any number, and the seconds to wait for it.
_LOCK_NUMBER = 7_212_018_316
_LOCK_DEADLINE = 300


def upgrade(url: str) -> None:
    """Make the schema, or complete it. Several processes may do so at once.

    :raises Conflict: there is a Glance schema of another revision.
    :raises Unavailable: the database does not answer.
    """
    engine = engines.writer(url)
    try:
        if is_current(engine):
            return
        # On SQLite and PostgreSQL everything is one transaction; MySQL commits after each statement, and what
        # was interrupted there is completed by the next run.
        with engine.begin() as connection, _alone(connection):
            _require_head(connection)
            for history, (version_table, _) in _HISTORIES.items():
                _run(connection, history, version_table)
    except SQLAlchemyError as error:
        raise Unavailable("database", describe(getattr(error, "orig", None) or error)) from error
    finally:
        engine.dispose()


def revisions(url: str) -> tuple[set[str], set[str]]:
    """The revisions at which Glance's tables and ours are; none where they were never made.

    :raises Unavailable: the database does not answer.
    """
    engine = engines.writer(url)
    try:
        with engine.connect() as connection:
            tables = set(inspect(connection).get_table_names())
            version_table, _ = _HISTORIES["glimpse"]
            ours = _revisions(connection, version_table) if version_table in tables else set()
            return _found_revisions(connection), ours
    except SQLAlchemyError as error:
        raise Unavailable("database", describe(getattr(error, "orig", None) or error)) from error
    finally:
        engine.dispose()


def is_current(engine: Engine) -> bool:
    """Whether both histories are at the revision that this version needs."""
    try:
        with engine.connect() as connection:
            return all(_revisions(connection, table) == {head} for table, head in _HISTORIES.values())
    except DBAPIError:
        return False


def _revisions(connection: Connection, version_table: str) -> set[str]:
    return set(connection.execute(text(f"SELECT version_num FROM {version_table}")).scalars())  # noqa: S608


@contextmanager
def _alone(connection: Connection) -> Iterator[None]:
    """Keep other processes out. On SQLite the transaction itself does."""
    match connection.dialect.name:
        case "sqlite":
            yield
        case "postgresql":
            connection.execute(text(f"SET LOCAL statement_timeout = {_LOCK_DEADLINE * 1000}"))
            connection.execute(text(f"SET LOCAL lock_timeout = {_LOCK_DEADLINE * 1000}"))
            connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_NUMBER})"))
            yield
        case _:
            # Named after the schema, for the names are shared by the whole server.
            name = "CONCAT('glimpse.', SCHEMA())"
            connection.execute(text(f"SELECT GET_LOCK({name}, {DEADLINE - 1})"))
            try:
                yield
            finally:
                connection.execute(text(f"SELECT RELEASE_LOCK({name})"))


def _require_head(connection: Connection) -> None:
    found = _found_revisions(connection)
    if found - {GLANCE_REVISION}:
        raise Conflict(
            f"The Glance schema in the database has the revision {', '.join(sorted(found))}, but "
            f"{GLANCE_REVISION} is needed: run `glance-manage db sync` of Glance 2024.1 or later first."
        )


def _found_revisions(connection: Connection) -> set[str]:
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables:
        return _revisions(connection, "alembic_version")
    if "migrate_version" in tables:
        numbers = connection.execute(text("SELECT version FROM migrate_version")).scalars()
        return {f"{number} (of sqlalchemy-migrate)" for number in numbers}
    return set()


def _run(connection: Connection, history: str, version_table: str) -> None:
    # Alembic takes longer to import than all else at start, and it is needed here only.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS / history).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, version_table=version_table)
    command.upgrade(config, "head")
