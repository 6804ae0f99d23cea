"""What readers of compressed data are made of.

A reader is a generator. It yields the pieces that come out, and b"" when it cannot go on before more has
come in. So it is written as if it could wait for its data, and whoever runs it decides when that comes, and
how much is made at a time.
"""

import zlib
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")
Reader = Generator[bytes, None, T]

# What comes out at once: the memory that a bomb can cost.
PIECE_BYTES = 256 * 1024
# What goes in at once. What comes behind a stream's end is copied each time, and a stream may be very short.
_BITE_BYTES = 16 * 1024


@dataclass
class Broken(Exception):
    """The data cannot be read, for a reason that a client may be told."""

    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(slots=True)
class Incoming:
    """What has come in and is not used yet; whether all has come; and how many bytes were used."""

    ended: bool = False
    used: int = 0
    _data: bytes = b""
    _at: int = 0

    def put(self, chunk: bytes) -> None:
        """More has come."""
        self._data, self._at = self._data[self._at :] + chunk, 0

    def peek(self, count: int) -> Reader[bytes]:
        """The next bytes, fewer than `count` only at the end; they stay."""
        while len(self._data) - self._at < count and not self.ended:
            yield b""
        return self._data[self._at : self._at + count]

    def exactly(self, count: int) -> Reader[bytes]:
        """The next `count` bytes. :raises Broken: there are fewer."""
        head = yield from self.peek(count)
        if len(head) < count:
            raise Broken("it ends too early")
        self._use(count)
        return head

    def more(self, at_most: int) -> Reader[bytes]:
        """Some of what has come; b"" at the end."""
        yield from self.peek(1)
        data = self._data[self._at : self._at + at_most]
        self._use(len(data))
        return data

    def give_back(self, count: int) -> None:
        """The last bytes that `more` returned are not used after all."""
        self._use(-count)

    def _use(self, count: int) -> None:
        self._at += count
        self.used += count


class Stream(Protocol):
    """The manners of the library's decompressors (bz2, lzma, zstd)."""

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""

    @property
    def needs_input(self) -> bool:
        """Whether nothing comes out before something goes in."""

    @property
    def unused_data(self) -> bytes:
        """What came behind the end."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """What comes out, no more than that."""


class Inflate:
    """The decompressor of zlib, with the manners of its siblings."""

    def __init__(self, window_bits: int) -> None:
        self._plain = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._plain.eof

    @property
    def unused_data(self) -> bytes:
        """What came behind the end."""
        return self._plain.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """What comes out, no more than that. :raises zlib.error: the data is damaged."""
        piece = self._plain.decompress(self._plain.unconsumed_tail + data, max_length)
        # Without input left, zlib may still hold back what there was no room for.
        self.needs_input = not self._plain.unconsumed_tail and len(piece) < max_length
        return piece


def read_stream(incoming: Incoming, stream: Stream, error: type[Exception]) -> Reader[None]:
    """The pieces of one compressed stream; what comes behind it stays. `error` is what `stream` raises.

    :raises Broken: it is damaged, or ends too early.
    """
    try:
        while not stream.eof:
            data = b""
            if stream.needs_input and not (data := (yield from incoming.more(_BITE_BYTES))):
                raise Broken("it ends too early")
            if piece := stream.decompress(data, PIECE_BYTES):
                yield piece
    except error:
        raise Broken("it is damaged") from None
    incoming.give_back(len(stream.unused_data))


def read_streams(incoming: Incoming, make: Callable[[], Stream], error: type[Exception]) -> Reader[None]:
    """The pieces of one stream after the other. Zeros may lie between and behind them, as on tapes.

    :raises Broken: one of them is damaged or ends too early, or something else comes behind them.
    """
    while data := (yield from incoming.more(_BITE_BYTES)):
        if left := len(data.lstrip(b"\0")):
            incoming.give_back(left)
            yield from read_stream(incoming, make(), error)
