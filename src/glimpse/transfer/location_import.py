"""The job that gives an image its first location: the data is looked at, and its digests are made.

With digests that the client vouched for, the image is active when they have proved right; without, it is
active as soon as the location proves readable, and its digests follow. `do_secure_hash = false` believes the
client, and reads nothing.
"""

import hashlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from glimpse.catalog.events import tell_image_by_id, tell_saved, tell_task_by_id
from glimpse.catalog.location_imports import charge_of
from glimpse.catalog.tasks import expiry
from glimpse.domain.errors import Conflict, Invalid, SizeMismatch
from glimpse.domain.image import Image, ImageChange, Location, changed
from glimpse.domain.status import ImageStatus
from glimpse.jobs.engine import Kind
from glimpse.jobs.ports import Job, Progress
from glimpse.stores.base import LocalFile, StoreObjectMissing
from glimpse.transfer.copies import updating
from glimpse.transfer.download import file_chunks
from glimpse.transfer.inspection import Inspection
from glimpse.transfer.lanes import Lane, pump
from glimpse.transfer.locations import check_location
from glimpse.transfer.reading import stream
from glimpse.transfer.transfer import Transfer


@dataclass(frozen=True, slots=True)
class _Import:
    job: Job
    image: Image
    location: Location
    size: int
    progress: Progress


def location_import(transfer: Transfer, *, do_secure_hash: bool = True) -> Kind:
    """The kind of job."""

    async def run(job: Job, progress: Progress) -> None:
        await _run(transfer, job, progress, do_secure_hash=do_secure_hash)

    async def give_up(job: Job, reason: str) -> None:
        now = transfer.catalog.clock()
        records = transfer.catalog.records.location_imports
        await transfer.threads.record(records.fail, job, reason, expiry(transfer.catalog, now), now)
        await transfer.threads.record(tell_image_by_id, transfer.catalog, job.subject)
        await transfer.threads.record(tell_task_by_id, transfer.catalog, job.id, "task.failure", "task.run")

    return Kind(run, give_up)


async def _run(transfer: Transfer, job: Job, progress: Progress, *, do_secure_hash: bool) -> None:
    catalog, record = transfer.catalog, transfer.threads.record
    await record(catalog.records.tasks.begin, job.id, catalog.clock())
    await record(tell_task_by_id, catalog, job.id, "task.processing")
    location = Location(job.arguments["url"])
    image = await record(catalog.records.images.get, job.subject, None)
    size = await transfer.threads.bulk(_size, transfer, location)
    work = _Import(job, image, location, size, progress)
    progress.total = size
    digests: Mapping[str, object] = job.arguments["digests"]
    if do_secure_hash and digests:
        found = await _read(transfer, work, str(digests["os_hash_algo"]))
        for name, value in digests.items():
            if found[name] != str(value).lower():
                raise Conflict(f"The {name} of the data is not the one that was given.")
        digests = found
    hashing = do_secure_hash and not digests
    if image.status is ImageStatus.IMPORTING:
        # Clients see from the algorithm that the digest is on its way.
        await _publish(transfer, work, {"os_hash_algo": transfer.hashing_algorithm} if hashing else digests)
    if hashing:
        digests = await _read(transfer, work, transfer.hashing_algorithm)
    now = catalog.clock()
    await record(catalog.records.location_imports.complete, job, digests, expiry(catalog, now), now)
    if hashing:
        await record(tell_image_by_id, catalog, image.id)
    await record(tell_task_by_id, catalog, job.id, "task.success", "task.run")


def _size(transfer: Transfer, location: Location) -> int:
    try:
        size = check_location(transfer, location).stat(location.url)
    except StoreObjectMissing as error:
        raise Invalid("url", f"the location cannot be read: {error}") from None
    if size == 0:
        raise Invalid("url", "the location holds no bytes")
    return size


async def _publish(transfer: Transfer, work: _Import, columns: Mapping[str, object]) -> None:
    catalog, now = transfer.catalog, transfer.catalog.clock()
    published = {**columns, "size": work.size}
    await transfer.threads.record(
        catalog.records.location_imports.publish,
        work.job,
        work.location,
        published,
        charge_of(catalog, work.job),
        now,
    )
    change = ImageChange({**published, "status": ImageStatus.ACTIVE})
    tell_saved(catalog, work.image.status, changed(work.image, change, now))


async def _read(transfer: Transfer, work: _Import, algorithm: str) -> Mapping[str, object]:
    """Read all of the data: its digests and virtual size, by the names of the columns.

    :raises UnsupportedContent: the data is unsafe, or not of the image's format.
    :raises SizeMismatch: it is not as long as its store says.
    """
    md5 = hashlib.md5(usedforsecurity=False)
    digest = hashlib.new(algorithm, usedforsecurity=False)
    inspection = Inspection() if work.image.container_format == "bare" else None
    works = [updating(md5), updating(digest), *([inspection.watch] if inspection else [])]
    lanes = [Lane(transfer.threads.digests, one) for one in works]

    def watch(total: int) -> None:
        work.progress.done = total

    total = await pump(_source(transfer, work), lanes, watch)
    if total != work.size:
        raise SizeMismatch(work.size, total)
    found: dict[str, object] = {"checksum": md5.hexdigest(), "os_hash_algo": algorithm}
    found["os_hash_value"] = digest.hexdigest()
    if inspection is not None:
        declared = work.image.disk_format or "raw"
        found["virtual_size"] = inspection.verdict(declared, require_match=transfer.require_format_match)
    return found


async def _source(transfer: Transfer, work: _Import) -> AsyncIterator[bytes]:
    store = transfer.stores.holding(work.location)
    data = await transfer.threads.bulk(store.open_reader, work.location.url, 0, work.size)
    async for chunk in stream(transfer.threads, file_chunks(data) if isinstance(data, LocalFile) else data):
        yield chunk
