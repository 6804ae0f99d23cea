"""The cache on the road out: hits are sent as files of a store are, and of what is cold there is one read."""

import asyncio
import logging
import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Lock, Thread
from typing import BinaryIO

from glimpse.catalog.cache_ports import CachedImage, CacheRecords, Hits
from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.domain.figures import Figure
from glimpse.domain.image import Image
from glimpse.stores.base import LocalFile
from glimpse.transfer.cache.fetching import Listing, fetch
from glimpse.transfer.cache.fill import Fill
from glimpse.transfer.cache.folder import CacheFolder, is_image_id, is_locked
from glimpse.transfer.download import Window, open_data
from glimpse.transfer.reading import stream
from glimpse.transfer.transfer import Transfer

LOG = logging.getLogger(__name__)

# A range that begins farther than this ahead of a fill is read from the store.
AHEAD_BYTES = 8 * 1024 * 1024
# Fills at once in a process, each of them a thread; what would be one more is read from the store.
MOST_FILLS = 32
# How often a reader looks for another fill when its own is lost.
_TRIES = 3

# What a follower gets in a turn, so that requests that come do not wait until the quickest have all.
TURN_BYTES = 4 * 1024 * 1024

Piece = LocalFile | bytes


@dataclass(frozen=True, slots=True)
class _Known:
    """What a file of the cache must be to be the one that was verified."""

    size: int
    modified: int
    checksum: str | None


@dataclass(eq=False)
class Cache:
    """The cache of this host, which is known to others as `node`, as one process has it."""

    transfer: Transfer
    folder: CacheFolder
    node: str
    max_bytes: int
    stall_seconds: int
    _fills: dict[str, Fill] = field(default_factory=dict)
    _known: dict[str, _Known] = field(default_factory=dict)
    _hits: dict[str, Hits] = field(default_factory=dict)
    _counting: Lock = field(default_factory=Lock)

    @property
    def records(self) -> CacheRecords:
        """The list of what is cached."""
        return self.transfer.catalog.records.cached

    async def open(self, image: Image, window: Window) -> LocalFile | AsyncGenerator[Piece, None] | None:
        """The bytes of a window: a file that has them, or what follows a fill as it goes on. None: the image
        is not cached, and the store has to be read.

        A whole image that is cold is filled in; a range joins a fill that has nearly come to its place.
        Files that the generator gives are its own, and stay open until the next piece is asked for.

        :raises Unavailable: the store of an image that is being filled in does not answer.
        """
        whole = window == Window(0, image.size or 0)
        data = await self._open(image, window, begin=whole, tries=_TRIES)
        result = "hit" if isinstance(data, LocalFile) else "miss" if data is None else "followed"
        self.transfer.count(Figure.CACHE_REQUESTS, result, 1)
        return data

    async def _open(
        self, image: Image, window: Window, *, begin: bool, tries: int
    ) -> LocalFile | AsyncGenerator[Piece, None] | None:
        if not cacheable(image):
            return None
        for left in reversed(range(tries)):
            fill = self._fills.get(image.id)
            if fill is None:
                file = await self.transfer.threads.bulk(self._hit, image)
                if file is not None:
                    self._count(image.id)
                    return LocalFile(file, window.offset, window.length)
                begin = begin or await self.transfer.threads.bulk(self.is_being_filled, image.id)
                fill = self._fills.get(image.id) or (self._begin(image) if begin else None)
            if fill is None or window.offset > fill.available() + AHEAD_BYTES:
                return None
            if await fill.ready(window.offset, window.offset + 1) > window.offset:
                return self._follow(image, window, fill, left)
            if fill.failure is not None:
                raise fill.failure
            # It is lost, and what it was lost for may be over: the next look must not find it again.
            self._forget(image.id, fill)
        return None

    def _forget(self, image_id: str, fill: Fill) -> None:
        if self._fills.get(image_id) is fill:
            del self._fills[image_id]

    async def _follow(
        self, image: Image, window: Window, fill: Fill, tries: int
    ) -> AsyncGenerator[Piece, None]:
        at, end = window.offset, window.offset + window.length
        if at == 0:
            # From memory, since many may wait for it; and each of them gets that before one gets more.
            yield (head := fill.head()[:end])
            at = len(head)
            await asyncio.sleep(0)
        with fill.open() as file:
            while at < end and (ready := await fill.ready(at, min(end, at + TURN_BYTES))) > at:
                yield LocalFile(file, at, ready - at)
                at = ready
        if at < end:
            if fill.failure is not None:
                raise fill.failure
            async for piece in self._rest(image, Window(at, end - at), tries):
                yield piece

    async def _rest(self, image: Image, window: Window, tries: int) -> AsyncGenerator[Piece, None]:
        """What a lost fill leaves to do."""
        data = await self._open(image, window, begin=True, tries=tries)
        found = data if data is not None else await open_data(self.transfer, image, window)
        if found is None:
            raise Unavailable("store", "the data is not there any more")
        if isinstance(found, LocalFile):
            with found.file:
                yield found
            return
        pieces = found if isinstance(found, AsyncGenerator) else stream(self.transfer.threads, found)
        async for piece in pieces:
            yield piece

    async def fetch(self, image: Image) -> bool:
        """Have an image in the cache; False if it cannot be cached. Comes back when it is there.

        :raises Unavailable: its store does not answer, or another process that fetched it has ended.
        """
        if not cacheable(image) or image.size is None or image.size > self.max_bytes:
            return False
        file = await self.transfer.threads.bulk(self._hit, image)
        if file is not None:
            file.close()
            return True
        fill = self._fills.get(image.id) or self._begin(image)
        if fill is None:
            raise Unavailable("image cache", "it has no room, or too much is being fetched")
        await fill.finished()
        if fill.failure is not None:
            raise fill.failure
        if not fill.good:
            raise Unavailable("image cache", "the data could not be fetched")
        return True

    def _begin(self, image: Image) -> Fill | None:
        size = image.size or 0
        if len(self._fills) >= MOST_FILLS or size > self.max_bytes:
            return None
        try:
            if size > self.folder.free():
                LOG.warning("image %s is not cached: the disk of the cache is full", image.id)
                return None
        except OSError as error:
            LOG.warning("image %s is not cached: %s", image.id, error)
            return None
        fill = self._fills[image.id] = Fill(size)
        loop = asyncio.get_running_loop()
        stores = self.transfer.stores
        listing = Listing(lambda: self._has(image), lambda file: self._list_new(image, file))

        def work() -> None:
            fetch(fill, self.folder, stores, image, listing)
            result = "good" if fill.good else "failed" if fill.failure else "lost"
            self.transfer.count(Figure.CACHE_FILLS, result, 1)
            self.transfer.count(Figure.CACHE_FILLED_BYTES, result, fill.written)
            with suppress(RuntimeError):  # the loop has been closed: nobody asks any more
                loop.call_soon_threadsafe(self._forget, image.id, fill)
            if fill.good:
                self._make_room()

        try:
            Thread(target=copy_context().run, args=(work,), name=f"fill_{image.id}", daemon=True).start()
        except RuntimeError as error:
            # Too many run on this host.
            LOG.warning("image %s is not cached: %s", image.id, error)
            del self._fills[image.id]
            return None
        return fill

    def _hit(self, image: Image) -> BinaryIO | None:
        """The file that has the image, if it is the one that was verified. Another is removed."""
        try:
            file = self.folder.open(image.id)
            if file is None or self._is_verified(image, file):
                return file
            file.close()
            LOG.warning("image %s was changed in the cache, or is not listed there: it goes", image.id)
            self.evict(image.id)
        except (GlimpseError, OSError) as error:
            LOG.warning("image %s is not read from the cache: %s", image.id, error)
        return None

    def _has(self, image: Image) -> bool:
        file = self._hit(image)
        if file is None:
            return False
        file.close()
        return True

    def _is_verified(self, image: Image, file: BinaryIO) -> bool:
        found = _found(file, image.checksum)
        if self._known.get(image.id) == found:
            return True
        row = self.records.get(self.node, image.id)
        if row is not None and found.size == image.size and _known(row) == found:
            self._known[image.id] = found
            return True
        return False

    def is_being_filled(self, image_id: str) -> bool:
        """Whether any process fetches an image."""
        try:
            file = self.folder.open_incomplete(image_id)
            if file is None:
                return False
            with file:
                return is_locked(file)
        except OSError:
            return False

    def _list_new(self, image: Image, file: BinaryIO) -> None:
        # Else a row might outlive the bytes that it vouches for.
        os.fsync(file.fileno())
        now = int(self.transfer.worker.clock())
        self.list_file(image, file, now, accessed=now)

    def _make_room(self) -> None:
        try:
            self.prune()
        except (GlimpseError, OSError) as error:
            LOG.warning("the cache may be too large: %s", error)

    def list_file(self, image: Image, file: BinaryIO, modified: int, accessed: int) -> None:
        """Note a verified file. What changes it from here on gives it another time, which has a fraction."""
        os.utime(file.fileno(), (accessed, modified))
        row = CachedImage(image.id, image.size or 0, image.checksum, modified, accessed)
        self.records.put(self.node, row)
        self._known[image.id] = _known(row)

    def evict(self, image_id: str) -> bool:
        """Remove an image; whether it was there. Who reads it reads on.

        :raises Unavailable: the disk or the database does not let it go.
        """
        self._known.pop(image_id, None)
        try:
            removed = is_image_id(image_id) and self.folder.evict(image_id)
        except OSError as error:
            raise Unavailable("image cache", type(error).__name__) from error
        return self.records.remove(self.node, [image_id]) > 0 or removed

    def forget(self, image_id: str) -> None:
        """Remove an image that is deleted. What does not work now is done when the cache is cleaned."""
        try:
            self.evict(image_id)
        except GlimpseError as error:
            LOG.warning("image %s is still in the cache: %s", image_id, error)

    def prune(self) -> tuple[int, int]:
        """Evict what was not read for the longest time until the cache is as small as it must be; how many
        images, and how many bytes, that were.
        """
        rows = self.listed()
        total, count, freed = sum(row.size for row in rows), 0, 0
        for row in rows:
            if total - freed <= self.max_bytes:
                break
            self.evict(row.image_id)
            count, freed = count + 1, freed + row.size
        return count, freed

    def is_listed(self, row: CachedImage, file: BinaryIO) -> bool:
        """Whether a file is the one that was listed, as far as can be told without reading it."""
        return _known(row) == _found(file, row.checksum)

    def listed(self) -> list[CachedImage]:
        """All that is cached here, the longest unread first; with the hits of this process."""
        self.tell_hits()
        return self.records.of_node(self.node)

    def tell_hits(self) -> None:
        """Add what was read since the last call to the list. May be called by any thread."""
        with self._counting:
            hits, self._hits = self._hits, {}
        self.records.count(self.node, hits)

    def _count(self, image_id: str) -> None:
        now = int(self.transfer.worker.clock())
        with self._counting:
            before = self._hits.get(image_id)
            self._hits[image_id] = Hits(before.count + 1 if before else 1, now)


def cacheable(image: Image) -> bool:
    """Whether data can be told to be this image's: that needs a checksum, and something to be summed."""
    return bool(image.size and image.checksum and is_image_id(image.id))


def _known(row: CachedImage) -> _Known:
    return _Known(row.size, row.last_modified * 10**9, row.checksum)


def _found(file: BinaryIO, checksum: str | None) -> _Known:
    status = os.fstat(file.fileno())
    return _Known(status.st_size, status.st_mtime_ns, checksum)
