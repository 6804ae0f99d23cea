"""Lanes: what lets digests and the store work on the same bytes side by side.

The event loop appends each chunk to every lane; a lane works through its chunks in order on a worker thread,
a batch at a time. A batch begins when enough has come in, or when the first of it has waited for a moment: so
a fast client costs few hops between threads, and a slow one holds little memory. Chunks are shared between
lanes and never copied.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextvars import copy_context

from glimpse.transfer.threads import to_the_end

# What a lane waits for, and takes at once. A hop to a worker thread and back costs about 80 us: with hops for
# each chunk of 64 KiB, an upload would spend more on them than on its digests.
BATCH_BYTES = 1024 * 1024

# The longest that a chunk waits for others, in seconds.
LINGER_SECONDS = 0.05

# What may wait in front of a lane before the sender has to: the memory that one transfer can cost.
WINDOW_BYTES = 4 * BATCH_BYTES

Work = Callable[[Sequence[bytes]], None]


class Lane:
    """One consumer of a stream of chunks: `work` gets them all, in order, one call at a time."""

    def __init__(self, executor: Executor, work: Work) -> None:
        self._executor = executor
        self._work = work
        self._context = copy_context()
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[bytes] = deque()
        self._running: asyncio.Future[None] | None = None
        self._taken = 0
        self._timer: asyncio.TimerHandle | None = None
        self._moved = asyncio.Event()
        self._failure: BaseException | None = None
        self.backlog = 0

    def put(self, chunk: bytes) -> None:
        """Append a chunk. Never waits: the sender watches `backlog`, in bytes."""
        self._waiting.append(chunk)
        self.backlog += len(chunk)
        self._consider()

    async def settle(self, at_most: int) -> None:
        """Wait until at most that many bytes are left to do.

        :raises BaseException: what `work` raised.
        """
        while self._failure is None and (self.backlog > at_most or (at_most == 0 and self._busy())):
            self._start()
            self._moved.clear()
            await self._moved.wait()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Drop what waits, and wait until `work` is not running any more. Never raises."""
        self._failure = self._failure or asyncio.CancelledError()
        self._waiting.clear()
        self._forget_timer()
        while self._running is not None:
            self._moved.clear()
            await self._moved.wait()

    def _busy(self) -> bool:
        # Empty chunks do not show in the backlog.
        return bool(self._waiting) or self._running is not None

    def _consider(self) -> None:
        """Start if a whole batch waits; else see to it that what waits is started before long."""
        if self.backlog - self._taken >= BATCH_BYTES:
            self._start()
        elif self._waiting and self._timer is None:
            self._timer = self._loop.call_later(LINGER_SECONDS, self._start)

    def _start(self) -> None:
        self._forget_timer()
        if self._running is not None or self._failure is not None or not self._waiting:
            return
        batch: list[bytes] = []
        while self._waiting and self._taken < BATCH_BYTES:
            batch.append(self._waiting.popleft())
            self._taken += len(batch[-1])
        self._running = self._loop.run_in_executor(self._executor, self._context.run, self._work, batch)
        self._running.add_done_callback(self._finish)

    def _finish(self, future: asyncio.Future[None]) -> None:
        self._running = None
        self.backlog -= self._taken
        self._taken = 0
        if not future.cancelled() and future.exception() is not None:
            self._failure = self._failure or future.exception()
        self._moved.set()
        if self._failure is None:
            self._consider()

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
