"""Bytes into an image of RBD and out of it: several operations on their way at once, none of them cached."""

import errno
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import rbd

from glimpse.domain.errors import LimitExceeded
from glimpse.stores.holes import Buffer, data_and_holes
from glimpse.stores.rbd.cluster import failure

_MIB = 1024 * 1024

# The largest operation; it never crosses the border of an object.
_PIECE = 4 * _MIB
_IN_FLIGHT = 6

# An image of unknown size grows by as much as it has, between these.
_LEAST_GROWTH = 64 * _MIB
_MOST_GROWTH = 8 * 1024 * _MIB


class Outflow:
    """Writes an image from its beginning. `_IN_FLIGHT` pieces and what fills the next are in memory.

    No more than `room` bytes of data are taken: a pool finds out some seconds later that it is full.
    """

    def __init__(self, store_id: str, image: Any, size: int, room: int | None, *, thin: bool) -> None:
        self.offset = 0
        self._store_id = store_id
        self._image = image
        self._size = size
        self._room = room
        self._sent = 0
        self._thin = thin
        self._piece = min(_PIECE, 1 << int(image.stat()["order"]))
        self._waiting: list[Buffer] = []
        self._waiting_from = 0
        self._flying: deque[Any] = deque()

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append chunks. Failures may be told later. :raises GlimpseError: an earlier piece failed."""
        for run in data_and_holes(chunks) if self._thin else [list[Buffer](chunks)]:
            if isinstance(run, int):
                self._send()
                self.offset += run
                self._waiting_from = self.offset
            else:
                for buffer in run:
                    self._append(buffer)

    def finish(self) -> None:
        """Wait for all of it, and give the image its size. :raises GlimpseError: a piece failed."""
        self._send()
        while self._flying:
            self._land()
        if self._size != self.offset:
            self._image.resize(self.offset)
        self._image.flush()

    def _append(self, buffer: Buffer) -> None:
        left = memoryview(buffer)
        while left:
            part = left[: self._piece - self.offset % self._piece]
            self._waiting.append(part)
            self.offset += len(part)
            if self.offset % self._piece == 0:
                self._send()
            left = left[len(part) :]

    def _send(self) -> None:
        if not self._waiting:
            return
        begin, data = self._waiting_from, b"".join(self._waiting)
        self._waiting.clear()
        self._waiting_from = self.offset
        self._check_room(len(data))
        self._grow()
        if len(self._flying) >= _IN_FLIGHT:
            self._land()
        self._flying.append(self._image.aio_write(data, begin, _nothing))

    def _check_room(self, length: int) -> None:
        self._sent += length
        if self._room is not None and self._sent > self._room:
            raise LimitExceeded("store capacity", self._room, None, "bytes")

    def _grow(self) -> None:
        if self.offset > self._size:
            growth = min(max(self._size, _LEAST_GROWTH), _MOST_GROWTH)
            self._size = max(self.offset, self._size + growth)
            self._image.resize(self._size)

    def _land(self) -> None:
        completion = self._flying.popleft()
        completion.wait_for_complete_and_cb()
        code = completion.get_return_value()
        if code < 0:
            raise failure(self._store_id, -code, None, self.offset)


def open_for_reading(ioctx: Any, name: str, snapshot: str | None) -> tuple[Any, int]:
    """An image, and the size that it has in its snapshot.

    It is opened as if for writing: then it is watched. An image that nobody watches may be removed at once,
    and whoever reads on gets zeros. What is read is the image itself, which nobody writes after its snapshot
    was made: librbd 16.2 ends the process when threads open, read and close snapshots side by side (8 threads
    within 500 rounds; not in 6,000 that open the image as here).

    :raises rbd.ImageNotFound: the image or the snapshot is not there.
    """
    image = rbd.Image(ioctx, name)
    sizes = {None: image.size(), **{found["name"]: found["size"] for found in image.list_snaps()}}
    if snapshot not in sizes:
        image.close()
        raise rbd.ImageNotFound("no such snapshot")
    return image, min(sizes[snapshot], sizes[None])


def inflow(
    store_id: str, image: Any, offset: int, length: int, closed: Callable[[], None]
) -> Iterator[bytes]:
    """`length` bytes from `offset`, read ahead; closes the image, and says so.

    :raises Unavailable: the cluster does not answer, or the image was removed meanwhile.
    """
    piece = min(_PIECE, 1 << int(image.stat()["order"]))
    flying: deque[_Read] = deque()
    try:
        end = offset + length
        while offset < end or flying:
            while offset < end and len(flying) < _IN_FLIGHT:
                step = min(piece - offset % piece, end - offset)
                flying.append(_Read(image, offset, step))
                offset += step
            yield flying.popleft().wait(store_id)
    finally:
        image.close()
        closed()


class _Read:
    def __init__(self, image: Any, offset: int, length: int) -> None:
        self._data: bytes | None = None
        self._length = length
        self._completion = image.aio_read(offset, length, self._done)

    def _done(self, _: Any, data: bytes | None) -> None:
        self._data = data

    def wait(self, store_id: str) -> bytes:
        self._completion.wait_for_complete_and_cb()
        code = self._completion.get_return_value()
        if code < 0:
            raise failure(store_id, -code)
        if self._data is None or len(self._data) != self._length:
            raise failure(store_id, errno.EIO)
        return self._data


def _nothing(_: Any) -> None:
    """What librbd calls when a write has ended."""
