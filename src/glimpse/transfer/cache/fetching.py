"""The work of a fill's thread: fetch the data of an image into the cache, or watch another process do it."""

import hashlib
import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.domain.image import Image
from glimpse.stores.base import LocalFile
from glimpse.transfer.cache.fill import Fill
from glimpse.transfer.cache.folder import CacheFolder, Place, is_locked, unlock
from glimpse.transfer.download import Window, file_chunks, open_blocking
from glimpse.transfer.transfer import Stores

LOG = logging.getLogger(__name__)

# How often a fill of another process is looked at, in seconds.
_POLL = 0.005

_OTHER_DATA = "the data is not what it was when the image was made"


@dataclass(frozen=True, slots=True)
class Listing:
    """The list of what is cached, as a fill needs it: `has` tells whether the image came to be there
    meanwhile, `add` makes a verified file durable and lists it, before it gets its name.
    """

    has: Callable[[], bool]
    add: Callable[[BinaryIO], None]


def fetch(fill: Fill, folder: CacheFolder, stores: Stores, image: Image, listing: Listing) -> None:
    """Do a fill to its end. Never raises."""
    try:
        file = folder.begin(image.id)
        if file is None:
            _watch(fill, folder, image.id)
        else:
            _fill(fill, folder, stores, image, file, listing)
    except GlimpseError as error:
        LOG.warning("image %s is not cached: %s", image.id, error)
        fill.fail(error)
    except OSError as error:
        # The cache is in trouble, and no reader shall be.
        LOG.warning("image %s is not cached: %s", image.id, error)
    except Exception:
        LOG.exception("image %s is not cached", image.id)
    finally:
        fill.finish()


def _fill(
    fill: Fill, folder: CacheFolder, stores: Stores, image: Image, file: BinaryIO, listing: Listing
) -> None:
    try:
        if listing.has():
            return
        data = open_blocking(stores, image, Window(0, fill.size))
        if data is None:
            return
        fill.begin(file)
        if not _receive(fill, image, file, data):
            folder.reject(image.id, file)
            raise Unavailable("store", _OTHER_DATA)
        fill.succeed()
        listing.add(file)
        folder.publish(image.id, file)
    finally:
        folder.give_up(image.id, file)
        # Readers may still have the file, and its last one closes it.
        unlock(file)


def _receive(fill: Fill, image: Image, file: BinaryIO, data: LocalFile | Iterator[bytes]) -> bool:
    """Write all of the data; whether it is that of the image."""
    digest, value = digest_of(image)
    chunks = file_chunks(data) if isinstance(data, LocalFile) else data
    written = 0
    for chunk in chunks:
        _write(file, chunk)
        written += len(chunk)
        fill.advance(written)
        digest.update(chunk)
    return written == fill.size and digest.hexdigest() == value


def _write(file: BinaryIO, chunk: bytes) -> None:
    left = memoryview(chunk)
    while left:
        left = left[file.write(left) :]


def _watch(fill: Fill, folder: CacheFolder, image_id: str) -> None:
    """Follow what another process fetches. When it dies, this fill is lost, and the next begins anew."""
    file = folder.open_incomplete(image_id)
    if file is None:
        return
    fill.begin(file)
    while True:
        # In this order, for the other process may do its last steps between any two of these lines.
        alive = is_locked(file)
        place = folder.place(image_id, file)
        fill.advance(min(os.fstat(file.fileno()).st_size, fill.size))
        if place is Place.CACHED:
            fill.succeed()
            return
        if place is Place.INVALID:
            raise Unavailable("store", _OTHER_DATA)
        if not alive or place is Place.GONE:
            return
        time.sleep(_POLL)


def digest_of(image: Image) -> tuple["hashlib._Hash", str]:
    """The digest by which an image's data is known, not yet updated, and the value that it must have."""
    if image.os_hash_algo and image.os_hash_value:
        try:
            return hashlib.new(image.os_hash_algo, usedforsecurity=False), image.os_hash_value
        except ValueError:
            # Another service made it, of a library that has more.
            pass
    return hashlib.md5(usedforsecurity=False), image.checksum or ""
