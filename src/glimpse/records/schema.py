"""Making, checking and upgrading the schema.

Two independent histories live in one database: Glance's tables (version table `alembic_version`, the same
that `glance-manage` keeps, see `glance_history.py`) and what Glimpse adds (`glimpse_alembic_version`, by
Alembic).

Whatever is done here may be done by several processes at once, which wait for each other, and be killed at
any time: each step is a transaction (on MySQL a statement), and the next run goes on with what is missing.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.records import engines, glance_history, metadata_stores
from glimpse.records.database import Database
from glimpse.records.failures import describe
from glimpse.records.glance_history import GLANCE_REVISION, Step

GLIMPSE_REVISION = "0004"

_HEADS = {"alembic_version": GLANCE_REVISION, "glimpse_alembic_version": GLIMPSE_REVISION}
_OURS = "glimpse_alembic_version"
_SCRIPTS = Path(__file__).parent / "migrations" / "glimpse"

# Seconds that a step may take, or the wait for another process: an index on a large table takes minutes.
_PATIENCE = 3600
# The name of the advisory lock, any number.
_LOCK_NUMBER = 7_212_018_316

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done: the steps of `expand`, how many rows `migrate` changes, whether to `contract`."""

    steps: tuple[str, ...]
    rows: int
    contract: bool


def upgrade(url: str) -> None:
    """Make the schema, or complete one that Glance has at its head.

    :raises Conflict: there is a Glance schema of another revision.
    :raises Unavailable: the database does not answer.
    """
    with _using(engines.reader(url)) as engine:
        if is_current(engine):
            return
        with engine.connect() as connection:
            found = glance_history.require_usable(connection)
    if found - {GLANCE_REVISION}:
        raise Conflict(
            f"The Glance schema in the database has the revision {', '.join(sorted(found))}, but "
            f"{GLANCE_REVISION} is needed: run `glance-manage db sync`."
        )
    expand(url, lambda _: None)


def expand(url: str, tell: Tell) -> None:
    """Add what the schema lacks. The Glance for which it was made may go on using it.

    `tell` is called with the name of each step before it is taken.

    :raises Conflict: the schema is newer than what is known, or from before Queens.
    :raises Unavailable: the database does not answer.
    """
    with _using(engines.writer(url, _PATIENCE)) as engine, engine.connect() as connection:
        _wait_for_others(connection)
        while True:
            # Looked at again for each: where the transaction is the lock, another process may have taken it.
            with connection.begin():
                step = next(_steps(connection), None)
                if step is None:
                    return
                tell(step.text)
                step.take(connection)


def migrate(database: Database, tell: Callable[[int], None]) -> int:
    """Migrate data, in batches; how many rows were changed. `tell` is called with that after each batch.

    :raises Conflict: the schema is not expanded. :raises Unavailable: the database does not answer.
    """
    if database.write(lambda connection: next(_steps(connection), None)):
        raise Conflict("The database is not expanded: run `glance-manage db expand` first.")
    count = last = 0
    while batch := database.write(lambda connection: metadata_stores.migrate_next(connection, last)):  # noqa: B023
        last, changed = batch
        count += changed
        tell(count)
    return count


def contract(url: str) -> None:
    """Note that all is done. What earlier releases of Glance need stays; nothing that they had is in the way.

    :raises Conflict: the schema is not expanded, or data not migrated.
    :raises Unavailable: the database does not answer.
    """
    with _using(engines.writer(url, _PATIENCE)) as engine, engine.connect() as connection, connection.begin():
        todo = _plan(connection)
        if todo.steps:
            raise Conflict("The database is not expanded: run `glance-manage db expand` first.")
        if todo.rows:
            raise Conflict(f"{todo.rows} rows are not migrated: run `glance-manage db migrate` first.")
        glance_history.note(connection, {GLANCE_REVISION})


def plan(url: str) -> Plan:
    """What `expand`, `migrate` and `contract` would do. Raises as `expand`."""
    with _using(engines.reader(url)) as engine, engine.connect() as connection:
        return _plan(connection)


def stamp(url: str, revision: str, *, dry_run: bool) -> None:
    """Say at which revision of Glance a schema is that has none, or only whether it has one.

    :raises Conflict: it has another one. :raises Unavailable: the database does not answer.
    """
    with _using(engines.writer(url, _PATIENCE)) as engine, engine.connect() as connection, connection.begin():
        found = glance_history.found(connection)
        if found - {revision}:
            raise Conflict(f"The database is under version control already, at {', '.join(sorted(found))}.")
        if not dry_run:
            glance_history.note(connection, {revision})


def revisions(url: str) -> tuple[set[str], set[str]]:
    """The revisions at which Glance's tables and ours are; none where they were never made.

    :raises Unavailable: the database does not answer.
    """
    with _using(engines.reader(url)) as engine, engine.connect() as connection:
        return glance_history.found(connection), _our_revisions(connection)


def is_current(engine: Engine) -> bool:
    """Whether both histories are at the revision that this version needs."""
    try:
        with engine.connect() as connection:
            return all(_revisions(connection, table) == {head} for table, head in _HEADS.items())
    except DBAPIError:
        return False


@contextmanager
def _using(engine: Engine) -> Iterator[Engine]:
    try:
        yield engine
    except SQLAlchemyError as error:
        raise Unavailable("database", describe(getattr(error, "orig", None) or error)) from error
    finally:
        engine.dispose()


def _revisions(connection: Connection, version_table: str) -> set[str]:
    return set(connection.execute(text(f"SELECT version_num FROM {version_table}")).scalars())  # noqa: S608


def _our_revisions(connection: Connection) -> set[str]:
    return _revisions(connection, _OURS) if inspect(connection).has_table(_OURS) else set()


def _wait_for_others(connection: Connection) -> None:
    """Keep other processes out until the connection is closed. On SQLite the transaction itself does."""
    match connection.dialect.name:
        case "sqlite":
            return
        case "postgresql":
            connection.execute(text(f"SELECT pg_advisory_lock({_LOCK_NUMBER})"))
        case _:
            # Named after the schema, for the names are shared by the whole server.
            lock = text(f"SELECT GET_LOCK(CONCAT('glimpse.', SCHEMA()), {_PATIENCE - 1})")
            if connection.execute(lock).scalar() != 1:
                raise Unavailable("database", "another process has been upgrading it for an hour")
    connection.commit()


def _plan(connection: Connection) -> Plan:
    steps = tuple(step.text for step in _steps(connection))
    found = glance_history.found(connection)
    rows = metadata_stores.old_rows(connection) if inspect(connection).has_table("image_locations") else 0
    return Plan(steps, rows, bool(found) and found != {GLANCE_REVISION})


def _steps(connection: Connection) -> Iterator[Step]:
    """What is to be done to expand the schema, in order; it is found out as it is asked for."""
    glance_history.require_usable(connection)
    found = _our_revisions(connection)
    ours = [] if found == {GLIMPSE_REVISION} else _our_steps(found)
    yield from glance_history.missing(connection)
    yield from ours


def _our_steps(found: set[str]) -> list[Step]:
    # Alembic takes longer to import than all else at start, and it is needed here only.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    scripts = list(ScriptDirectory.from_config(config).walk_revisions())
    if found - {script.revision for script in scripts}:
        raise Conflict(
            f"What Glimpse added to the database has the revision {', '.join(sorted(found))}, which this "
            f"version does not know: it is newer than {GLIMPSE_REVISION}. Nothing was changed; a newer "
            "version is needed."
        )
    config.attributes["version_table"] = _OURS

    def take(revision: str, connection: Connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    todo = takewhile(lambda script: script.revision not in found, scripts)
    return [Step(f"add to Glimpse's part: {script.doc}", partial(take, script.revision)) for script in todo][
        ::-1
    ]
