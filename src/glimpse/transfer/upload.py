"""Bytes in: source → meter → inspection, digests and store side by side → commit."""

import hashlib
from collections.abc import AsyncIterator, Callable, Sequence

from glimpse.catalog.data import Write, begin_upload, commit_write
from glimpse.catalog.ports import WrittenData
from glimpse.domain.caller import Caller
from glimpse.domain.errors import LimitExceeded, SizeMismatch
from glimpse.domain.image import Digests, Location
from glimpse.stores.base import Store, Writer
from glimpse.transfer.inspection import Inspection
from glimpse.transfer.lanes import Lane, Work, pump
from glimpse.transfer.removal import give_up, object_key
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
    transfer.live.add(write.intent.id)
    try:
        data = await _receive(transfer, write, store, source, size)
        await to_the_end(transfer.threads.record(commit_write, transfer.catalog, write, data))
    except BaseException:
        await to_the_end(transfer.threads.bulk(give_up, transfer, write.intent, store))
        raise
    finally:
        transfer.live.discard(write.intent.id)


async def _receive(
    transfer: Transfer, write: Write, store: Store, source: AsyncIterator[bytes], size: int | None
) -> WrittenData:
    writer = await transfer.threads.bulk(store.open_writer, object_key(write.intent), size)
    try:
        md5 = hashlib.md5(usedforsecurity=False)
        digest = hashlib.new(transfer.hashing_algorithm, usedforsecurity=False)
        inspection = Inspection() if write.image.container_format == "bare" else None
        lanes = [
            Lane(transfer.threads.data, work)
            for work in (updating(md5), updating(digest), _storing(writer, inspection))
        ]
        total = await pump(source, lanes, _meter(write, size))
        if size is not None and total != size:
            raise SizeMismatch(size, total)
        virtual_size = (
            inspection.verdict(write.image.disk_format or "raw", require_match=transfer.require_format_match)
            if inspection and total
            else None
        )
        url = await to_the_end(transfer.threads.bulk(writer.commit))
    except BaseException:
        await to_the_end(transfer.threads.bulk(writer.abort))
        raise
    digests = Digests(md5.hexdigest(), transfer.hashing_algorithm, digest.hexdigest())
    return WrittenData(Location(url, {"store": store.id}), total, virtual_size, digests)


def updating(digest: "hashlib._Hash") -> Work:
    """What a lane does for a digest."""

    def work(chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            digest.update(chunk)

    return work


def _storing(writer: Writer, inspection: Inspection | None) -> Work:
    def work(chunks: Sequence[bytes]) -> None:
        if inspection is not None:
            inspection.watch(chunks)
        writer.write(chunks)

    return work


def _meter(write: Write, size: int | None) -> Callable[[int], None]:
    def check(total: int) -> None:
        if size is not None and total > size:
            raise SizeMismatch(size, total)
        if total > write.ceiling.maximum:
            raise LimitExceeded(write.ceiling.limit, write.ceiling.maximum, None, "bytes")

    return check
