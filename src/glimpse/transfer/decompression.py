"""Compressed images, decompressed on their way: gzip, bzip2, xz, zstd, and zip with one member.

The format is told by the first bytes, and what is none of these passes unchanged. What comes out is not
looked at again: compression within compression stays. Pieces are made as they are taken, and none is large;
so who counts the bytes can stop a bomb.
"""

import bz2
import lzma
import sys
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from dataclasses import dataclass

from glimpse.domain.errors import UnsupportedContent
from glimpse.transfer.lanes import BATCH_BYTES
from glimpse.transfer.pieces import PIECE_BYTES, Broken, Incoming, Inflate, Reader, read_streams
from glimpse.transfer.threads import Threads
from glimpse.transfer.unzip import unzip

# What a decompressor may hold: `xz -9` needs 65 MiB.
_XZ_MEMORY = 128 * 1024 * 1024
_LONGEST_MAGIC = 6


class Decompressor:
    """Decompresses a stream that comes in chunks. What `feed` returns is used up before the next call."""

    def __init__(self) -> None:
        self._incoming = Incoming()
        self._pieces = self._read()
        self.unchanged = False
        """Whether it is known that nothing is to be done: all further chunks come out as they went in."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What comes out for the next bytes, in pieces of at most 1 MiB; made as they are taken.

        :raises UnsupportedContent: while iterating: the data is damaged, or of a kind that is not supported.
        """
        self._incoming.put(chunk)
        return self._drain()

    def finish(self) -> Iterator[bytes]:
        """What is left to come out after the last chunk.

        :raises UnsupportedContent: while iterating: as `feed`, and if the data ends too early.
        """
        self._incoming.ended = True
        return self._drain()

    def _drain(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if not piece:
                return
            yield piece

    def _read(self) -> Reader[None]:
        head = yield from self._incoming.peek(_LONGEST_MAGIC)
        found = next((one for one in _FORMATS if head.startswith(one.magic)), None)
        if found is None:
            self.unchanged = True
            yield from _unchanged(self._incoming)
            return
        try:
            yield from found.read(self._incoming)
        except Broken as error:
            raise UnsupportedContent(f"The {found.name} data cannot be decompressed: {error}.") from None


def _unchanged(incoming: Incoming) -> Reader[None]:
    while data := (yield from incoming.more(PIECE_BYTES)):
        yield data


def _gunzip(incoming: Incoming) -> Reader[None]:
    return read_streams(incoming, lambda: Inflate(16 + zlib.MAX_WBITS), zlib.error)


def _bunzip2(incoming: Incoming) -> Reader[None]:
    return read_streams(incoming, bz2.BZ2Decompressor, OSError)


def _unxz(incoming: Incoming) -> Reader[None]:
    return read_streams(
        incoming, lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY), lzma.LZMAError
    )


def _unzstd(incoming: Incoming) -> Reader[None]:
    # Imported only when used.
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
    return read_streams(incoming, zstd.ZstdDecompressor, zstd.ZstdError)


@dataclass(frozen=True, slots=True)
class _Format:
    name: str
    magic: bytes
    read: Callable[[Incoming], Reader[None]]


_FORMATS = (
    _Format("gzip", b"\x1f\x8b\x08", _gunzip),
    _Format("bzip2", b"BZh", _bunzip2),
    _Format("xz", b"\xfd7zXZ\0", _unxz),
    _Format("zstd", b"\x28\xb5\x2f\xfd", _unzstd),
    _Format("zip", b"PK\3\4", unzip),
    _Format("zip", b"PK\5\6", unzip),
)


async def decompressed(threads: Threads, source: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
    """The chunks of `source`, decompressed; as they are if they are not compressed.

    The work is done on worker threads, about 1 MiB at a time, and only when more is asked for. Closing the
    generator ends it; `source` is closed by who opened it.

    :raises UnsupportedContent: the data is damaged, ends too early, or is of a kind that is not supported.
    """
    decompressor = Decompressor()
    async with aclosing(_batches(source, decompressor)) as batches:
        async for batch in batches:
            if decompressor.unchanged:
                yield batch
                continue
            pieces = decompressor.feed(batch)
            while some := await threads.bulk(_some, pieces):
                for piece in some:
                    yield piece
    pieces = decompressor.finish()
    while some := await threads.bulk(_some, pieces):
        for piece in some:
            yield piece


async def _batches(source: AsyncIterator[bytes], decompressor: Decompressor) -> AsyncGenerator[bytes, None]:
    """The chunks, joined until a hop to another thread is worth it; none is empty."""
    batch: list[bytes] = []
    waiting = 0
    async for chunk in source:
        batch.append(chunk)
        waiting += len(chunk)
        if waiting >= BATCH_BYTES or (waiting and decompressor.unchanged):
            yield b"".join(batch)
            batch, waiting = [], 0
    if waiting:
        yield b"".join(batch)


def _some(pieces: Iterator[bytes]) -> list[bytes]:
    some: list[bytes] = []
    made = 0
    for piece in pieces:
        some.append(piece)
        made += len(piece)
        if made >= BATCH_BYTES:
            break
    return some
