"""Bytes in: source → meter → inspection, digests and store side by side → commit."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from glimpse.catalog.data import Write, begin_stage, begin_upload, commit_stage, commit_write
from glimpse.catalog.events import tell_failure
from glimpse.catalog.import_ports import Staged
from glimpse.catalog.ports import WrittenData
from glimpse.domain.caller import Caller
from glimpse.domain.errors import ChecksumMismatch, LimitExceeded, SignatureInvalid, SizeMismatch
from glimpse.domain.image import Location
from glimpse.domain.status import ImageStatus
from glimpse.signing.verify import Verifier
from glimpse.transfer.copies import Copies, Received, copies_into
from glimpse.transfer.inspection import judge
from glimpse.transfer.removal import give_up
from glimpse.transfer.signatures import needed, verify
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
    checksum: str | None = None,
    failed: ImageStatus = ImageStatus.QUEUED,
) -> None:
    """Store the bytes of `source` as the data of a queued image, and make it active.

    Whatever is raised, no bytes stay, and the image is queued again (unless it was deleted meanwhile), or
    `failed` if the upload had begun. It is killed if the data is not what its signature is of.

    :raises Invalid: `store_id` (None: the default) is no store that takes data, or the image has a signature
        that cannot be verified.
    :raises SizeMismatch: `size` was announced and is not what came.
    :raises SignatureInvalid: the image has a signature, which is not of this data.
    :raises ChecksumMismatch: `checksum` was announced and is not that of the data.
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
        async with _writing(transfer, write, failed):
            verifier = await transfer.signatures.verifier(write.image.properties, caller)
            async with copies_into(transfer, [write.intent], size) as copies:
                data = await _receive(transfer, write, copies, source, size, checksum, verifier)
                await to_the_end(transfer.threads.record(commit_write, transfer.catalog, write, data))
    except BaseException as error:
        tell_failure(transfer.catalog, image_id, error)
        raise


@asynccontextmanager
async def _writing(
    transfer: Transfer, write: Write, failed: ImageStatus = ImageStatus.QUEUED
) -> AsyncIterator[None]:
    """The length of a write that has begun. Left by an error, the write is undone, and the image `failed`."""
    transfer.live.add(write.intent.id)
    try:
        yield
    except BaseException as error:
        status = ImageStatus.KILLED if isinstance(error, SignatureInvalid) else failed
        store = transfer.stores.named(write.intent.store)
        await to_the_end(transfer.threads.bulk(give_up, transfer, write.intent, store, status))
        raise
    finally:
        transfer.live.discard(write.intent.id)


async def _receive(
    transfer: Transfer,
    write: Write,
    copies: Copies,
    source: AsyncIterator[bytes],
    size: int | None,
    checksum: str | None,
    verifier: Verifier | None,
) -> WrittenData:
    image, also = write.image, needed(verifier)
    inspect = image.container_format == "bare"
    received = await copies.receive(source, meter(write, size), inspect=inspect, also=also)
    check_size(size, received.size)
    check_checksum(checksum, received.digests.checksum)
    await verify(transfer.threads, verifier, received.by_algorithm)
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
    found out now and judged by the import; a signature is of the data that the image will have, so that it is
    verified now unless they are `apart`. Whatever is raised, the image is queued again (unless it was deleted
    meanwhile), or killed, and no bytes stay.

    :raises Invalid: the image has a signature that cannot be verified.
    :raises SizeMismatch, SignatureInvalid, LimitExceeded, Gone: as `upload`.

    and what `begin_stage`, the store and the source raise.
    """
    store = transfer.stores.taking(transfer.stores.default)
    write = await transfer.threads.record(
        begin_stage, transfer.catalog, transfer.worker, caller, image_id, store.id, size, apart=apart
    )
    async with _writing(transfer, write):
        properties = {} if apart else write.image.properties
        verifier = await transfer.signatures.verifier(properties, caller)
        async with copies_into(transfer, [write.intent], size) as copies:
            received = await copies.receive(source, meter(write, size), inspect=True, also=needed(verifier))
            check_size(size, received.size)
            await verify(transfer.threads, verifier, received.by_algorithm)
            [location] = await copies.commit()
            staged = _staged(caller, write, location, received)
            await to_the_end(transfer.threads.record(commit_stage, transfer.catalog, write, staged))


def _staged(caller: Caller, write: Write, location: Location, received: Received) -> Staged:
    intent = write.intent
    return Staged(
        write.image.id,
        intent.store,
        intent.target,
        intent.id,
        location.url,
        received.size,
        received.digests,
        received.to_document(),
        caller.project_id,
    )


def check_size(announced: int | None, received: int) -> None:
    """:raises SizeMismatch: so many bytes were announced (None: any number), and others came."""
    if announced is not None and received != announced:
        raise SizeMismatch(announced, received)


def check_checksum(announced: str | None, received: str) -> None:
    """:raises ChecksumMismatch: this MD5 was announced (None: any), and the data has another."""
    if announced is not None and announced.lower() != received:
        raise ChecksumMismatch(announced, received)


def meter(write: Write, size: int | None) -> Callable[[int], None]:
    """What refuses the bytes of a write that are too many."""

    def check(total: int) -> None:
        if size is not None and total > size:
            raise SizeMismatch(size, total)
        if total > write.ceiling.maximum:
            raise LimitExceeded(write.ceiling.limit, write.ceiling.maximum, None, "bytes")

    return check
