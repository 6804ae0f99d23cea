"""A fill: the data of an image on its way into the cache, which any number of readers follow.

A thread brings the bytes into a file, or watches another process do so; readers on the event loop send from
that file what is there. A fill ends in one of three ways: its data is good; it failed, and every reader gets
the error; or it just finishes (the disk is full, or the other process has ended), and readers look for the
rest elsewhere. The last byte of an image is given out when the digest has proved right, and not before.
"""

import asyncio
import os
from contextlib import suppress
from threading import Event
from typing import BinaryIO

from glimpse.domain.errors import GlimpseError
from glimpse.transfer.cache.folder import reopened

# Less than this is not worth a turn of every reader, unless it is the first or the last that there is.
_STEP_BYTES = 256 * 1024
_HEAD_BYTES = 4 * 1024
# While a thousand readers get their first bytes, the thread rests: it and the event loop would take the
# interpreter from each other at every call of the system, and a turn takes 5 ms.
_GREETING_SECONDS = 1.0


class Fill:
    """The fill of an image of `size` bytes. Made on the event loop; `begin`, `advance`, the endings and
    `finish` are called by one thread, all else on the loop.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.written = 0
        self.good = False
        self.ended = False
        self.failure: GlimpseError | None = None
        self._finished = False
        self._head = b""
        self._file: BinaryIO | None = None
        self._loop = asyncio.get_running_loop()
        self._news = asyncio.Event()
        self._told = False
        self._greeted = Event()

    def begin(self, file: BinaryIO) -> None:
        """The bytes come into this file."""
        self._file = file

    def advance(self, written: int) -> None:
        """So many bytes are there."""
        if written > self.written:
            first, self.written = not self.written, written
            self._tell()
            if first:
                self._greeted.wait(_GREETING_SECONDS)

    def succeed(self) -> None:
        """All is there, and right."""
        self.good = True
        self._end()

    def fail(self, error: GlimpseError) -> None:
        """The data cannot be had, or is wrong."""
        self.failure = error
        self._end()

    def open(self) -> BinaryIO:
        """The file, for one reader. There must be something in it. :raises OSError: too many are open."""
        assert self._file is not None  # noqa: S101 - see above
        return reopened(self._file)

    def head(self) -> bytes:
        """The first bytes, up to so many that each reader may keep them: the same for all."""
        length = min(self.available(), _HEAD_BYTES)
        if len(self._head) < length and self._file is not None:
            self._head = os.pread(self._file.fileno(), length, 0)
        return self._head

    def available(self) -> int:
        """How many bytes may be given out."""
        return self.size if self.good else min(self.written, self.size - 1)

    async def ready(self, at: int, end: int) -> int:
        """How far one can read, from `at` on to `end`: waits until there is something, or nothing comes."""
        enough = min(at + (_STEP_BYTES if at else 1), end)
        while self.available() < enough and not self.ended:
            # All but the last byte is worth a turn, too: the verdict may take a while.
            if self.written >= self.size and self.available() > at:
                break
            await self._news.wait()
        return min(self.available(), end)

    async def finished(self) -> None:
        """Wait until the thread has gone home: what is good is listed by then."""
        while not self._finished:
            await self._news.wait()

    def finish(self) -> None:
        """The thread goes home."""
        self._finished = True
        self._end()

    def _end(self) -> None:
        self.ended = True
        # Whoever is told already may have looked before.
        self._told = False
        self._tell()

    def _tell(self) -> None:
        if not self._told:
            self._told = True
            with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._told = False
        news, self._news = self._news, asyncio.Event()
        news.set()
        # Behind all who were woken up.
        self._loop.call_soon(self._greeted.set)
