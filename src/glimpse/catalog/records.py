"""The records as a whole: what the composition root hands out."""

from dataclasses import dataclass

from glimpse.catalog.cache_ports import CacheRecords
from glimpse.catalog.deletion_ports import DeletionRecords
from glimpse.catalog.import_ports import ImportRecords
from glimpse.catalog.metadef_ports import MetadefRecords
from glimpse.catalog.ports import ImageRecords, IntentRecords, LocationImportRecords, MemberRecords
from glimpse.catalog.task_ports import TaskRecords
from glimpse.jobs.ports import JobRecords


@dataclass(frozen=True, slots=True)
class Records:
    """One part for each kind of record. The promises are those of `catalog/ports.py`."""

    images: ImageRecords
    members: MemberRecords
    intents: IntentRecords
    metadefs: MetadefRecords
    tasks: TaskRecords
    jobs: JobRecords
    location_imports: LocationImportRecords
    imports: ImportRecords
    cached: CacheRecords
    deletions: DeletionRecords
