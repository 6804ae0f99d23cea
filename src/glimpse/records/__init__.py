"""The database: the catalog's port `Records` in SQL, on SQLite, PostgreSQL and MariaDB/MySQL."""

from glimpse.catalog.records import Records
from glimpse.records.cache import SqlCacheRecords
from glimpse.records.database import Database
from glimpse.records.deletions import SqlDeletionRecords
from glimpse.records.images import SqlImageRecords
from glimpse.records.imports import SqlImportRecords
from glimpse.records.intents import SqlIntentRecords
from glimpse.records.jobs import SqlJobRecords
from glimpse.records.location_imports import SqlLocationImportRecords
from glimpse.records.members import SqlMemberRecords
from glimpse.records.metadefs import SqlMetadefRecords
from glimpse.records.tasks import SqlTaskRecords


def open_records(database: Database) -> Records:
    """The records in `database`, whose schema must be current (`schema.upgrade`)."""
    return Records(
        images=SqlImageRecords(database),
        members=SqlMemberRecords(database),
        intents=SqlIntentRecords(database),
        metadefs=SqlMetadefRecords(database),
        tasks=SqlTaskRecords(database),
        jobs=SqlJobRecords(database),
        location_imports=SqlLocationImportRecords(database),
        imports=SqlImportRecords(database),
        cached=SqlCacheRecords(database),
        deletions=SqlDeletionRecords(database),
    )
