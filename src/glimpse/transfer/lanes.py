"""Lanes: what lets digests and the store work on the same bytes side by side.

The event loop appends each chunk to every lane; a lane works through its chunks in order on a worker thread,
as many at a time as have come in meanwhile. A slow client therefore costs one small hop for each chunk, and a
fast one few big hops. Chunks are shared between lanes and never copied.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor

from glimpse.transfer.threads import to_the_end

# What a lane takes at once. Below 1 MiB the hops to the worker thread begin to show (about 80 us each);
# above it a lane would sit idle while its window is filled again.
BATCH_BYTES = 1024 * 1024

# What may wait in front of a lane before the sender has to: the memory that one transfer can cost.
WINDOW_BYTES = 4 * BATCH_BYTES

Work = Callable[[Sequence[bytes]], None]


class Lane:
    """One consumer of a stream of chunks: `work` gets them all, in order, one call at a time."""

    def __init__(self, executor: Executor, work: Work) -> None:
        self._executor = executor
        self._work = work
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._running: asyncio.Future[None] | None = None
        self._moved = asyncio.Event()
        self._failure: BaseException | None = None
        self.backlog = 0

    def put(self, chunk: bytes) -> None:
        """Append a chunk. Never waits: the sender watches `backlog`, in bytes."""
        self._waiting.append(chunk)
        self.backlog += len(chunk)
        self._start()

    async def settle(self, at_most: int) -> None:
        """Wait until at most that many bytes are left to do.

        :raises BaseException: what `work` raised.
        """
        while self._failure is None and (self.backlog > at_most or (at_most == 0 and self._running)):
            self._moved.clear()
            await self._moved.wait()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Drop what waits, and wait until `work` is not running any more. Never raises."""
        self._failure = self._failure or asyncio.CancelledError()
        self._waiting.clear()
        while self._running is not None:
            self._moved.clear()
            await self._moved.wait()

    def _start(self) -> None:
        if self._running is not None or self._failure is not None or not self._waiting:
            return
        batch: list[bytes] = []
        size = 0
        while self._waiting and size < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            size += len(batch[-1])
        self._running = self._loop.run_in_executor(self._executor, self._work, batch)
        self._running.add_done_callback(lambda future: self._finish(future, size))

    def _finish(self, future: asyncio.Future[None], size: int) -> None:
        self._running = None
        self.backlog -= size
        if not future.cancelled() and future.exception() is not None:
            self._failure = self._failure or future.exception()
        self._moved.set()
        self._start()


async def pump(source: AsyncIterator[bytes], lanes: Sequence[Lane], meter: Callable[[int], None]) -> int:
    """Send every chunk of `source` down all lanes; return the number of bytes when all is done.

    `meter` is told the running total before a chunk goes on, and raises to refuse it. Whatever is raised
    (by the source, the meter or a lane), no lane is running any more when this function is left.
    """
    total = 0
    try:
        async for chunk in source:
            total += len(chunk)
            meter(total)
            for lane in lanes:
                lane.put(chunk)
            for lane in lanes:
                if lane.backlog > WINDOW_BYTES:
                    await lane.settle(WINDOW_BYTES)
        for lane in lanes:
            await lane.settle(0)
    finally:
        await to_the_end(asyncio.gather(*(lane.stop() for lane in lanes)))
    return total
