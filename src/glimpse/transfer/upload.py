"""Bytes in: source → meter → inspection, digests and store side by side → commit."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from glimpse.catalog.data import Write, begin_stage, begin_upload, commit_stage, commit_write
from glimpse.catalog.events import tell_failure
from glimpse.catalog.import_ports import Staged
from glimpse.catalog.ports import WrittenData
from glimpse.domain.caller import Caller
from glimpse.domain.errors import LimitExceeded, SizeMismatch
from glimpse.transfer.copies import Copies, copies_into
from glimpse.transfer.inspection import judge
from glimpse.transfer.removal import give_up
from glimpse.transfer.threads import to_the_end
from glimpse.transfer.transfer import Transfer


async def upload(
    transfer: Transfer,
    caller: Caller,
    image_id: str,
    source: AsyncIterator[bytes],
    *,
    size: int | None = None,
    store_id: str | None = None,
) -> None:
    """Store the bytes of `source` as the data of a queued image, and make it active.

    Whatever is raised, the image is queued again (unless it was deleted meanwhile) and no bytes stay.

    :raises Invalid: `store_id` (None: the default) is no store that takes data.
    :raises SizeMismatch: `size` was announced and is not what came.
    :raises UnsupportedContent: the data is not of the image's disk format, or unsafe.
    :raises LimitExceeded: the size cap, a quota, or the store's capacity.
    :raises Gone: the image was deleted during the upload.

    and what `begin_upload`, the store and the source raise.
    """
    store = transfer.stores.taking(transfer.stores.default if store_id is None else store_id)
    write = await transfer.threads.record(
        begin_upload, transfer.catalog, transfer.worker, caller, image_id, store.id, size
    )
    try:
        async with _writing(transfer, write, size) as copies:
            data = await _receive(transfer, write, copies, source, size)
            await to_the_end(transfer.threads.record(commit_write, transfer.catalog, write, data))
    except BaseException as error:
        tell_failure(transfer.catalog, image_id, error)
        raise


@asynccontextmanager
async def _writing(transfer: Transfer, write: Write, size: int | None) -> AsyncIterator[Copies]:
    """The way into the store of a write that has begun. Left by an error, the write is undone."""
    transfer.live.add(write.intent.id)
    try:
        async with copies_into(transfer, [write.intent], size) as copies:
            yield copies
    except BaseException:
        store = transfer.stores.named(write.intent.store)
        await to_the_end(transfer.threads.bulk(give_up, transfer, write.intent, store))
        raise
    finally:
        transfer.live.discard(write.intent.id)


async def _receive(
    transfer: Transfer, write: Write, copies: Copies, source: AsyncIterator[bytes], size: int | None
) -> WrittenData:
    image = write.image
    received = await copies.receive(source, meter(write, size), inspect=image.container_format == "bare")
    check_size(size, received.size)
    virtual_size = None
    if received.findings is not None and received.size:
        declared = image.disk_format or "raw"
        virtual_size = judge(received.findings, declared, require_match=transfer.require_format_match)
    [location] = await copies.commit()
    return WrittenData(location, received.size, virtual_size, received.digests)


async def stage(
    transfer: Transfer,
    caller: Caller,
    image_id: str,
    source: AsyncIterator[bytes],
    *,
    size: int | None = None,
    apart: bool = False,
) -> None:
    """Keep the bytes of `source` for the import that will make them the data of a queued image.

    They go to where new images go, `apart` if the import will make other data from them. What they are is
    found out now and judged by the import. Whatever is raised, the image is queued again (unless it was
    deleted meanwhile) and no bytes stay.

    :raises SizeMismatch, LimitExceeded, Gone: as `upload`.

    and what `begin_stage`, the store and the source raise.
    """
    store = transfer.stores.taking(transfer.stores.default)
    write = await transfer.threads.record(
        begin_stage, transfer.catalog, transfer.worker, caller, image_id, store.id, size, apart=apart
    )
    async with _writing(transfer, write, size) as copies:
        received = await copies.receive(source, meter(write, size), inspect=True)
        check_size(size, received.size)
        [location] = await copies.commit()
        findings = received.findings.to_document() if received.findings else None
        staged = Staged(
            image_id,
            store.id,
            write.intent.target,
            write.intent.id,
            location.url,
            received.size,
            received.digests,
            findings,
            caller.project_id,
        )
        await to_the_end(transfer.threads.record(commit_stage, transfer.catalog, write, staged))


def check_size(announced: int | None, received: int) -> None:
    """:raises SizeMismatch: so many bytes were announced (None: any number), and others came."""
    if announced is not None and received != announced:
        raise SizeMismatch(announced, received)


def meter(write: Write, size: int | None) -> Callable[[int], None]:
    """What refuses the bytes of a write that are too many."""

    def check(total: int) -> None:
        if size is not None and total > size:
            raise SizeMismatch(size, total)
        if total > write.ceiling.maximum:
            raise LimitExceeded(write.ceiling.limit, write.ceiling.maximum, None, "bytes")

    return check
