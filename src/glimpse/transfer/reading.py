"""Chunks of a blocking reader, on the event loop.

A thread fills a window while the loop empties it, and goes home when the window is full: a reader that waits
for its client holds no thread, and a quick one does not pay for a hop between threads with each chunk.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterator

from glimpse.transfer.threads import Threads

# How far a thread reads ahead. A hop to a thread and back costs as much as copying 256 KiB.
WINDOW_BYTES = 512 * 1024


class _Window:
    """What was read and not yet taken. One thread at a time fills it, and the event loop empties it."""

    def __init__(self, chunks: Iterator[bytes], size: int) -> None:
        self._chunks = chunks
        self._size = size
        self._loop = asyncio.get_running_loop()
        self._told = False
        # Each is counted by one side alone, so that no lock is needed.
        self._filled = self._taken = 0
        self.waiting: deque[bytes] = deque()
        self.news = asyncio.Event()
        self.ended = False
        self.closed = False

    @property
    def has_room(self) -> bool:
        """Whether a thread would find something to do."""
        return not self.ended and self._filled - self._taken < self._size // 2

    def fill(self) -> None:
        """Read until the window is full. Raises what the reader raises."""
        while self._filled - self._taken < self._size and not self.closed:
            chunk = next(self._chunks, b"")
            if not chunk:
                self.ended = True
                return
            self._filled += len(chunk)
            self.waiting.append(chunk)
            if not self._told:
                self._told = True
                self._loop.call_soon_threadsafe(self._tell)

    def take(self) -> bytes:
        """The next chunk of those that wait."""
        chunk = self.waiting.popleft()
        self._taken += len(chunk)
        return chunk

    def _tell(self) -> None:
        # From here on a chunk that comes is told again.
        self._told = False
        self.news.set()


async def stream(
    threads: Threads, chunks: Iterator[bytes], window_bytes: int = WINDOW_BYTES
) -> AsyncGenerator[bytes, None]:
    """The chunks of a blocking reader, up to its end or an empty one. Raises what it raises, in its turn."""
    window = _Window(chunks, window_bytes)
    filling: asyncio.Future[None] | None = None
    try:
        while True:
            if filling is not None and filling.done() and not (window.waiting and filling.exception()):
                filling.result()
                filling = None
            if filling is None and window.has_room:
                filling = asyncio.ensure_future(threads.bulk(window.fill))
                filling.add_done_callback(lambda _: window.news.set())
            if window.waiting:
                yield window.take()
            elif filling is None:
                return
            else:
                window.news.clear()
                if not window.waiting and not filling.done():
                    await window.news.wait()
    finally:
        window.closed = True
        if filling is not None:
            # It ends with its next chunk, and nobody asks what came of it.
            filling.add_done_callback(lambda done: done.cancelled() or done.exception())
