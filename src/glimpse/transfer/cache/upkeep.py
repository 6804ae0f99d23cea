"""Keeping the cache in order, with no cron job: hits are told, the broken goes, what Glance left stays."""

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from typing import BinaryIO

from glimpse.domain.errors import GlimpseError, NotFound
from glimpse.domain.image import Image
from glimpse.transfer.cache.cache import Cache, cacheable
from glimpse.transfer.cache.fetching import digest_of
from glimpse.transfer.cache.prefetch import queue

LOG = logging.getLogger(__name__)

# Seconds between two looks at the hits, and at the folder.
_TELL = 5.0
_CLEAN = 60.0
_PIECE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What a cleaning has removed, and how many files that were not listed it has taken over."""

    removed: int = 0
    adopted: int = 0


async def keep(cache: Cache) -> None:
    """Keep the cache in order until cancelled."""
    bulk, pause = cache.transfer.threads.bulk, 0.0
    while True:
        try:
            await bulk(cache.tell_hits)
            if pause <= 0:
                await bulk(tidy, cache)
                pause = _CLEAN
        except (GlimpseError, OSError) as error:
            LOG.warning("the cache is not kept in order: %s", error)
        except Exception:
            LOG.exception("the cache is not kept in order")
        await asyncio.sleep(_TELL)
        pause -= _TELL


def tidy(cache: Cache) -> None:
    """Take over what Glance has queued, clean and prune; unless another process of this host does."""
    with cache.folder.alone() as alone:
        if alone:
            for image_id in cache.folder.queued():
                queue(cache, image_id)
                cache.folder.unqueue(image_id)
            clean(cache)
            cache.prune()


def clean(cache: Cache, *, verify: bool = False) -> Cleaned:
    """Remove what is invalid, stalled, not listed as it is, or of images that are gone. Files that are not
    listed stay, and are listed, if they prove to be what their names say. With `verify` all do that again.

    :raises OSError: the disk does. :raises Unavailable: the database does not answer.
    """
    # By the clock that dates files, whatever leases go by.
    removed = cache.folder.clean(time.time() - cache.stall_seconds)
    rows = {row.image_id: row for row in cache.listed()}
    for image_id in cache.records.gone(cache.node):
        removed += cache.evict(image_id)
        rows.pop(image_id, None)
    found = set(cache.folder.cached())
    lost = [image_id for image_id in rows.keys() - found if not cache.is_being_filled(image_id)]
    cache.records.remove(cache.node, lost)
    adopted = 0
    for image_id in found:
        row, file = rows.get(image_id), cache.folder.open(image_id)
        if file is None:
            continue
        with file:
            if row is not None and not verify and cache.is_listed(row, file):
                continue
            kept = _adopt(cache, image_id, file)
        adopted += kept and row is None
        removed += not kept and cache.evict(image_id)
    return Cleaned(removed, adopted)


def _adopt(cache: Cache, image_id: str, file: BinaryIO) -> bool:
    """List a file if it is what its name says; whether it is."""
    image = _image(cache, image_id)
    status = os.fstat(file.fileno())
    if image is None or not cacheable(image) or status.st_size != image.size or not _is_data_of(image, file):
        LOG.warning("what the cache has of image %s is not its data: it goes", image_id)
        return False
    cache.list_file(image, file, int(status.st_mtime), accessed=int(status.st_atime))
    return True


def _image(cache: Cache, image_id: str) -> Image | None:
    try:
        return cache.transfer.catalog.records.images.get(image_id, None)
    except NotFound:
        return None


def _is_data_of(image: Image, file: BinaryIO) -> bool:
    digest, value = digest_of(image)
    while chunk := file.read(_PIECE_BYTES):
        digest.update(chunk)
    return digest.hexdigest() == value
