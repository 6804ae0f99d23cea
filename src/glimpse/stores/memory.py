"""Images in the memory of one process: for trying out and for tests. They end with the process."""

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from glimpse.domain.errors import Conflict, Invalid, LimitExceeded
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage

# A reader gets no more than this at once, however large the chunks were that the writer gave.
_WINDOW = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Object:
    attempt: str
    chunks: tuple[bytes, ...]
    size: int


class MemoryStore:
    """Images in memory, at most `capacity` bytes of them, those on their way in included."""

    schemes = ("memory",)

    def __init__(self, id: str, *, capacity: int | None = None) -> None:  # noqa: A002
        self.id = id
        self._capacity = capacity
        self._lock = threading.Lock()
        self._objects: dict[str, _Object] = {}
        self._incoming: dict[ObjectKey, MemoryWriter] = {}
        self._used = 0

    def open_writer(self, key: ObjectKey, size: int | None) -> "MemoryWriter":
        """Begin an object. Room for `size` is checked now, but kept for nobody."""
        with self._lock:
            self._check_room(size or 0, size)
            writer = self._incoming[key] = MemoryWriter(self, key, size)
        return writer

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """The chunks as they were written, cut at 1 MiB. A reader gets all of them, deleted or not."""
        found = self._find(url)
        if found.size < offset + length:
            raise StoreObjectMissing(url)
        return _clip(found.chunks, offset, length)

    def owns(self, url: str) -> bool:
        """Whether the URL names this store."""
        return url.startswith(f"memory://{self.id}/")

    def stat(self, url: str) -> int:
        """The object's size."""
        return self._find(url).size

    def delete(self, url: str) -> None:
        """Forget the object."""
        with self._lock:
            found = self._find(url)
            del self._objects[_parse(self.id, url).image_id]
            self._used -= found.size

    def discard(self, key: ObjectKey) -> None:
        """Forget what `key` left. Its writer finds itself unknown when it tries to commit."""
        with self._lock:
            writer = self._incoming.pop(key, None)
            if writer is not None:
                self._used -= writer.written
            found = self._objects.get(key.image_id)
            if found is not None and found.attempt == key.attempt:
                del self._objects[key.image_id]
                self._used -= found.size

    def check_url(self, url: str) -> None:  # noqa: ARG002 - the contract's signature
        """:raises Invalid: always: what this process holds came through it."""
        raise Invalid("url", "locations of this scheme are not taken")

    def usage(self) -> Usage:
        """Bytes kept, and how many more are allowed."""
        with self._lock:
            return Usage(self._used, None if self._capacity is None else self._capacity - self._used)

    def append(self, writer: "MemoryWriter", length: int) -> None:
        """Book `length` more bytes for `writer`, for nothing once it was discarded."""
        with self._lock:
            if self._incoming.get(writer.key) is writer:
                self._check_room(length, writer.size)
                self._used += length
                writer.written += length

    def publish(self, writer: "MemoryWriter", chunks: tuple[bytes, ...]) -> str:
        """Make an object of what `writer` brought, and return its URL."""
        with self._lock:
            if self._incoming.get(writer.key) is not writer:
                raise Conflict("The upload was given up meanwhile.")
            if writer.key.image_id in self._objects:
                raise Conflict("The store holds data of this image already.")
            del self._incoming[writer.key]
            self._objects[writer.key.image_id] = _Object(writer.key.attempt, chunks, writer.written)
        return f"memory://{self.id}/{writer.key}"

    def drop(self, writer: "MemoryWriter") -> None:
        """Forget an unfinished writer."""
        with self._lock:
            if self._incoming.get(writer.key) is writer:
                del self._incoming[writer.key]
                self._used -= writer.written

    def _check_room(self, length: int, size: int | None) -> None:
        if self._capacity is not None and self._used + length > self._capacity:
            raise LimitExceeded("store capacity", self._capacity, size, "bytes")

    def _find(self, url: str) -> _Object:
        key = _parse(self.id, url)
        found = self._objects.get(key.image_id)
        if found is None or found.attempt != key.attempt:
            raise StoreObjectMissing(url)
        return found


class MemoryWriter:
    """An image on its way into a `MemoryStore`."""

    def __init__(self, store: MemoryStore, key: ObjectKey, size: int | None) -> None:
        self.key = key
        self.size = size
        self.written = 0
        self._store = store
        self._chunks: list[bytes] = []

    def write(self, chunks: Sequence[bytes]) -> None:
        """Keep the chunks themselves; nothing is copied."""
        self._store.append(self, sum(map(len, chunks)))
        self._chunks += chunks

    def commit(self) -> str:
        """Hand the chunks to the store."""
        try:
            return self._store.publish(self, tuple(self._chunks))
        except Conflict:
            self.abort()
            raise

    def abort(self) -> None:
        """Let the chunks go."""
        self._store.drop(self)
        self._chunks.clear()


def _parse(store_id: str, url: str) -> ObjectKey:
    prefix = f"memory://{store_id}/"
    if not url.startswith(prefix) or "." not in url[len(prefix) :]:
        raise StoreObjectMissing(url)
    return ObjectKey.parse(url[len(prefix) :])


def _clip(chunks: Sequence[bytes], offset: int, length: int) -> Iterator[bytes]:
    """`length` bytes from `offset` of the chunks, window by window."""
    for chunk in chunks:
        begin, end = offset, min(offset + length, len(chunk))
        offset = max(offset - len(chunk), 0)
        for at in range(begin, end, _WINDOW):
            piece = chunk[at : min(at + _WINDOW, end)]
            length -= len(piece)
            yield piece
        if not length:
            return
