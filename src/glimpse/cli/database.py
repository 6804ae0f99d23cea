"""The database, for commands that look into it themselves, whether the service runs or not."""

from collections.abc import Iterator
from contextlib import contextmanager

from glimpse.catalog.records import Records
from glimpse.config.settings import Settings
from glimpse.domain.errors import Conflict
from glimpse.parts import records_of
from glimpse.records import open_records
from glimpse.records.database import Database, connect
from glimpse.records.schema import GLIMPSE_REVISION, revisions


@contextmanager
def current_database(settings: Settings) -> Iterator[Database]:
    """:raises Conflict: the tables are not there. :raises Unavailable: the database cannot be used."""
    require_tables(settings)
    database = connect(settings.database_url, settings.location_key)
    try:
        yield database
    finally:
        database.close()


def require_tables(settings: Settings) -> None:
    """:raises Conflict: the tables are not there. :raises Unavailable: the database cannot be used."""
    if settings.registry.link is not None:
        # They are the registry's.
        return
    if revisions(settings.database_url)[1] != {GLIMPSE_REVISION}:
        raise Conflict("The database is not up to date: start the service, or run `glance-manage db sync`.")


@contextmanager
def current_records(settings: Settings) -> Iterator[Records]:
    """The records, of the database or behind the registry. Raises as `current_database`."""
    if settings.registry.link is not None:
        yield records_of(settings)
        return
    with current_database(settings) as database:
        yield open_records(database)
