"""The job that does an import: source → steps → inspection, digests and stores side by side → publication.

Nothing of it is visible before the transaction that publishes it, which also ends the job; so the job can be
taken over after any of its lines. What an attempt wrote is removed by whoever finds its COPY intents. Staged
data that is to stay as it is where it lies is not written again: it becomes the image's by that transaction.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from glimpse.catalog.events import (
    tell_data,
    tell_failure,
    tell_image_by_id,
    tell_saved,
    tell_task_by_id,
)
from glimpse.catalog.import_ports import Publication
from glimpse.catalog.location_imports import charge_of
from glimpse.catalog.ports import Charge, Intent, IntentKind
from glimpse.catalog.tasks import expiry
from glimpse.domain.errors import Conflict, LimitExceeded, NotFound, SignatureInvalid, SizeMismatch
from glimpse.domain.image import Digests, Image, ImageChange, Location, changed
from glimpse.domain.properties import FAILED_IMPORT, IMPORT_TASK, IMPORTING_TO
from glimpse.domain.status import ImageStatus
from glimpse.imports.ceilings import ceiling_of_copies, meter
from glimpse.imports.remote import adopt
from glimpse.imports.request import Method, without
from glimpse.imports.signed import staged_digests, verifier_of
from glimpse.imports.sources import Source, open_source
from glimpse.imports.steps import Draft, Step, Stream
from glimpse.jobs.engine import Kind
from glimpse.jobs.ports import Job, Progress
from glimpse.signing.verify import Verifier
from glimpse.stores.outbound import Outbound
from glimpse.transfer.copies import Copies, Received, copies_into
from glimpse.transfer.inspection import judge
from glimpse.transfer.removal import drop_copies, remove, settle_writes
from glimpse.transfer.signatures import needed, verify
from glimpse.transfer.threads import to_the_end
from glimpse.transfer.transfer import Transfer
from glimpse.transfer.upload import check_checksum, check_size

_NEW = frozenset({ImageStatus.IMPORTING})
_PRESENT = frozenset({ImageStatus.ACTIVE, ImageStatus.DEACTIVATED})


@dataclass(frozen=True, slots=True)
class Imports:
    """What imports are done with. `extra_properties` are how the names of those properties begin that come
    along from another Glance; `concurrency` is how many imports run in one process at once.
    """

    transfer: Transfer
    outbound: Outbound
    steps: tuple[Step, ...] = ()
    methods: tuple[Method, ...] = ()
    extra_properties: tuple[str, ...] = ()
    concurrency: int = 10

    def steps_for(self, job: Job) -> tuple[Step, ...]:
        """The steps that the data of a job goes through. What is copied went through them when it came in."""
        return () if job.arguments["method"] == Method.COPY_IMAGE else self.steps

    def transforms(self, job: Job) -> bool:
        """Whether the data of a job may become other data on its way."""
        return any(step.transforms for step in self.steps_for(job))


@dataclass(slots=True)
class _Work:
    """One attempt at a job: `draft` is the image as it will be, whose signature the `verifier` judges (None:
    it has none); `copies` are to be written, for which so many bytes are `reserved`; of those that failed,
    `failures` knows why.
    """

    job: Job
    image: Image
    draft: Draft
    charge: Charge
    progress: Progress
    verifier: Verifier | None = None
    copies: int = 0
    reserved: int = 0
    failures: dict[str, str] = field(default_factory=dict)

    @property
    def copying(self) -> bool:
        return bool(self.job.arguments["method"] == Method.COPY_IMAGE)


def import_kind(imports: Imports) -> Kind:
    """The kind of job. What is tried again fails for good after some seconds: somebody waits for it."""

    async def run(job: Job, progress: Progress) -> None:
        try:
            await _run(imports, job, progress)
        except SignatureInvalid as error:
            await _give_up(imports.transfer, job, str(error), ImageStatus.KILLED)

    async def give_up(job: Job, reason: str) -> None:
        # A job that an older release began does not say it.
        await _give_up(imports.transfer, job, reason, ImageStatus(job.arguments.get("failed", "queued")))

    return Kind(run, give_up, imports.concurrency, attempts=4)


async def _run(imports: Imports, job: Job, progress: Progress) -> None:
    transfer = imports.transfer
    catalog, record = transfer.catalog, transfer.threads.record
    await record(catalog.records.tasks.begin, job.id, catalog.clock())
    await record(tell_task_by_id, catalog, job.id, "task.processing")
    image = await record(catalog.records.images.get, job.subject, None)
    await settle_writes(transfer, image.id, job.arguments["stores"])
    roles = frozenset(job.arguments["roles"])
    draft = Draft(image, roles, image.disk_format, image.container_format)
    announced = job.arguments["source"].get("size")
    size = None if announced is None else int(announced)
    if job.arguments["method"] == Method.GLANCE_DOWNLOAD:
        where, prefixes = job.arguments["source"], imports.extra_properties
        size = await transfer.threads.bulk(
            adopt, draft, imports.outbound, where, prefixes, catalog.attributes
        )
    verifier = await verifier_of(transfer, job, {**image.properties, **draft.properties})
    work = _Work(job, image, draft, charge_of(catalog, job), progress, verifier)
    async with open_source(transfer, imports.outbound, job, image) as source:
        told = source if size is None else replace(source, size=size)
        progress.total = told.size
        for store in job.arguments["stores"]:
            tell_data(catalog, "image.prepare", image, store)
        removals = await _import(imports, work, told)
    await record(tell_task_by_id, catalog, job.id, "task.success", "task.run")
    await remove(transfer, removals)


async def _import(imports: Imports, work: _Work, source: Source) -> list[Intent]:
    """Bring the data where it shall be, and publish it; the intents to remove staged data come back."""
    targets: list[str] = list(work.job.arguments["stores"])
    stores = imports.transfer.stores
    staged = None if imports.transforms(work.job) else source.staged
    stays = staged is not None and staged.store in targets
    if staged is not None and stays:
        # No store may fail the others when the data is in one already.
        targets.remove(staged.store)
        _judge(imports, work, Received.staged(staged))
    if not targets:
        assert staged is not None  # noqa: S101 - no target is left only where the staged data stays
        digests = await staged_digests(imports.transfer, source, work.verifier)
        await verify(imports.transfer.threads, work.verifier, digests)
        # They change no data, but what is written about the image.
        async with _stepped(imports, work, _nothing()):
            pass
        location = stores.location(staged.store, staged.url)
        return await _publish(imports, work, Received.staged(staged), (location,), (), keeps_staged=True)
    async with _copies(imports, work, targets, source, stays=stays) as (copies, intents):
        received = await _receive(imports, work, copies, source)
        written = await copies.commit()
        work.failures |= {store: str(error) for store, error in copies.failures.items()}
        if staged is not None and stays:
            written = (stores.location(staged.store, staged.url), *written)
        return await _publish(imports, work, received, written, intents, keeps_staged=stays)


@asynccontextmanager
async def _copies(
    imports: Imports, work: _Work, targets: Sequence[str], source: Source, *, stays: bool
) -> AsyncIterator[tuple[Copies, list[Intent]]]:
    """The way into the target stores. What is not published when this is left is removed."""
    transfer, job = imports.transfer, work.job
    # The size is that of what is read, which a step may change.
    size = None if imports.transforms(job) else source.size
    intents = [_intent(transfer, work, store, size) for store in targets]
    if source.staged is not None and not stays:
        # What is staged counts already, and goes when the copies are there.
        intents[0] = replace(intents[0], reserved_bytes=0)
    work.copies, work.reserved = len(intents), sum(intent.reserved_bytes for intent in intents)
    reserve = transfer.catalog.records.imports.reserve
    ids = {intent.id for intent in intents}
    transfer.live.update(ids)
    algorithm = work.image.os_hash_algo if work.copying else None
    try:
        # Whoever is told to stop meanwhile must know that they are noted.
        await to_the_end(transfer.threads.record(reserve, job, intents, work.charge))
        async with copies_into(
            transfer,
            intents,
            size,
            algorithm=algorithm,
            alone=not job.arguments["must_succeed"],
            least=0 if stays else 1,
        ) as copies:
            yield copies, intents
    finally:
        transfer.live.difference_update(ids)
        # Those that were published are no intents any more, and stay.
        await to_the_end(drop_copies(transfer, intents))


def _intent(transfer: Transfer, work: _Work, store: str, size: int | None) -> Intent:
    worker = transfer.worker
    return Intent(
        id=str(uuid4()),
        kind=IntentKind.COPY,
        image_id=work.image.id,
        store=store,
        target=work.image.id,
        worker=worker.id,
        lease_until=worker.lease_until(),
        project_id=work.charge.project_id,
        reserved_bytes=size or 0,
    )


async def _receive(imports: Imports, work: _Work, copies: Copies, source: Source) -> Received:
    read = _counted(work.progress, source, imports.transfer.catalog.limits.image_size_cap)
    most = await ceiling_of_copies(imports.transfer, work.charge, work.reserved, work.copies)
    async with _stepped(imports, work, read) as chunks:
        inspect, also = work.draft.container_format == "bare", needed(work.verifier)
        received = await copies.receive(chunks, meter(most), inspect=inspect, also=also)
    check_size(source.size, work.progress.done)
    await verify(imports.transfer.threads, work.verifier, received.by_algorithm)
    _judge(imports, work, received)
    if not imports.transforms(work.job):
        check_checksum(work.job.arguments["source"].get("checksum"), received.digests.checksum)
        _compare(work, source, received)
    return received


@asynccontextmanager
async def _stepped(imports: Imports, work: _Work, chunks: Stream) -> AsyncIterator[Stream]:
    """The chunks as the steps give them. When this is left, the steps have ended and hold nothing."""
    async with AsyncExitStack() as steps:
        for step in imports.steps_for(work.job):
            chunks = step.run(work.draft, chunks)
            if isinstance(chunks, AsyncGenerator):
                await steps.enter_async_context(aclosing(chunks))
        yield chunks


async def _nothing() -> Stream:
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


async def _counted(progress: Progress, source: Source, cap: int) -> AsyncIterator[bytes]:
    """What is read of a source, counted, and cut off above the cap."""
    async for chunk in source.chunks:
        progress.done += len(chunk)
        if progress.done > cap:
            raise LimitExceeded("image_size_cap", cap, None, "bytes")
        if source.size is not None and progress.done > source.size:
            raise SizeMismatch(source.size, progress.done)
        yield chunk


def _judge(imports: Imports, work: _Work, received: Received) -> int | None:
    """The size of the disk in the data. :raises UnsupportedContent: it is unsafe, or of another format."""
    if received.findings is None or not received.size or work.draft.container_format != "bare":
        return None
    declared = work.draft.disk_format or "raw"
    return judge(received.findings, declared, require_match=imports.transfer.require_format_match)


def _compare(work: _Work, source: Source, received: Received) -> None:
    """:raises Conflict: the bytes are not those that were staged, or that the image had."""
    image = work.image
    known = source.staged.digests if source.staged else None
    if work.copying and image.checksum:
        known = Digests(image.checksum, image.os_hash_algo or "", image.os_hash_value or "")
    if known is not None and not _same(known, received.digests):
        raise Conflict("The data has changed since it was stored.")


def _same(known: Digests, found: Digests) -> bool:
    by_algorithm = known.os_hash_algo != found.os_hash_algo or known.os_hash_value == found.os_hash_value
    return known.checksum == found.checksum and by_algorithm


async def _publish(
    imports: Imports,
    work: _Work,
    received: Received,
    places: tuple[Location, ...],
    copies: Sequence[Intent],
    *,
    keeps_staged: bool,
) -> list[Intent]:
    transfer, failed = imports.transfer, work.failures
    ended = [copy.id for copy in copies if copy.store not in failed]
    before = work.image.locations
    change = ImageChange(
        columns={} if work.copying else _columns(imports, work, received),
        properties=work.draft.properties
        | {
            IMPORTING_TO: "",
            FAILED_IMPORT: _joined(work.image.properties.get(FAILED_IMPORT), failed),
        },
        dropped=frozenset({IMPORT_TASK}),
        locations=(before, before + places),
    )
    publication = Publication(change, _PRESENT if work.copying else _NEW, ended, keeps_staged)
    catalog, now = transfer.catalog, transfer.catalog.clock()
    removals = await to_the_end(
        transfer.threads.record(
            catalog.records.imports.publish,
            work.job,
            publication,
            work.charge,
            expiry(catalog, now),
            now,
        )
    )
    _tell_published(transfer, work, changed(work.image, change, now))
    return removals


def _tell_published(transfer: Transfer, work: _Work, image: Image) -> None:
    for store in work.job.arguments["stores"]:
        if store in work.failures:
            tell_failure(transfer.catalog, image.id, work.failures[store])
        else:
            tell_data(transfer.catalog, "image.upload", image, store)
    tell_saved(transfer.catalog, work.image.status, image)


def _columns(imports: Imports, work: _Work, received: Received) -> Mapping[str, object]:
    digests = received.digests
    return {
        "status": ImageStatus.ACTIVE,
        "disk_format": work.draft.disk_format,
        "container_format": work.draft.container_format,
        "size": received.size,
        "virtual_size": _judge(imports, work, received),
        "checksum": digests.checksum,
        "os_hash_algo": digests.os_hash_algo,
        "os_hash_value": digests.os_hash_value,
    }


def _joined(names: str | None, more: Mapping[str, str]) -> str:
    return ",".join([name for name in (without(names, more), *more) if name])


async def _give_up(transfer: Transfer, job: Job, reason: str, status: ImageStatus) -> None:
    catalog, record = transfer.catalog, transfer.threads.record
    change = None if job.arguments.get("deletes_image") else await _failure(transfer, job)
    now = catalog.clock()
    fail, expires_at = catalog.records.imports.fail, expiry(catalog, now)
    removals = await record(fail, job, reason, change, expires_at, now, status)
    tell_failure(catalog, job.subject, reason)
    event = "image.delete" if change is None else "image.update"
    await record(tell_image_by_id, catalog, job.subject, event)
    await record(tell_task_by_id, catalog, job.id, "task.failure", "task.run")
    await remove(transfer, removals)


async def _failure(transfer: Transfer, job: Job) -> ImageChange:
    """What an image shows of an import that failed."""
    catalog, record = transfer.catalog, transfer.threads.record
    try:
        image = await record(catalog.records.images.get, job.subject, None)
        failed = image.properties.get(FAILED_IMPORT)
    except NotFound:
        failed = None
    targets = dict.fromkeys(job.arguments["stores"], "")
    return ImageChange(
        properties={IMPORTING_TO: "", FAILED_IMPORT: _joined(failed, targets)},
        dropped=frozenset({IMPORT_TASK}),
    )
