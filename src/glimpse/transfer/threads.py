"""The one place where blocking work meets the event loop.

Three pools, so that bulk transfers never keep a record waiting: `records` for short transactions, `data` for
store calls, `digests` for what only computes. Work has the context of who asked for it, and with it the
request's id.
"""

import asyncio
import os
import weakref
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from queue import SimpleQueue
from threading import Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# A transaction takes about a millisecond, most of it waiting for the database.
RECORD_THREADS = 16
# Writes of many transfers, most of which wait for a disk or a network.
DATA_THREADS = 16
# More threads that compute than there are cores only get into the event loop's way: of a `show` during 100
# imports on two busy cores, the 99th of 100 took 98 ms with 16 threads for all, and 41 ms with four.
DIGEST_THREADS = max(2, os.cpu_count() or 2)


class Crew:
    """Threads for short work. They and the event loop meet once for all the work that ends meanwhile.

    The executors of the standard library wake the event loop up for each piece: a tenth of the processor time
    of a `show`.
    """

    def __init__(self, size: int, name: str) -> None:
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._done: deque[tuple[asyncio.Future[Any], Any, BaseException | None]] = deque()
        # The event loop that will look at what is done; None: it must be told first.
        self._told: asyncio.AbstractEventLoop | None = None
        self._threads = [
            Thread(target=_work_off, args=(self._work,), name=f"{name}_{number}", daemon=True)
            for number in range(size)
        ]
        self._started = False
        # Also called when the crew is forgotten, and at the end of the process.
        self.shutdown = weakref.finalize(self, _dismiss, self._work, size)

    def run(self, function: Callable[[], T]) -> "asyncio.Future[T]":
        """Let a thread call `function`; what it returns or raises comes by the future."""
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        context = copy_context()
        self._work.put(lambda: context.run(self._perform, function, future))
        return future

    def _perform(self, function: Callable[[], Any], future: "asyncio.Future[Any]") -> None:
        try:
            self._done.append((future, function(), None))
        except BaseException as error:
            self._done.append((future, None, error))
        # Whoever is told takes all that is done; what is done after that finds nobody told, and tells again.
        loop = future.get_loop()
        if self._told is not loop:
            self._told = loop
            with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        self._told = None
        while self._done:
            future, result, error = self._done.popleft()
            if future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


def _work_off(queue: "SimpleQueue[Callable[[], None] | None]") -> None:
    while (work := queue.get()) is not None:
        work()
        # An idle thread must not keep alive what it did last.
        del work


def _dismiss(queue: "SimpleQueue[Callable[[], None] | None]", count: int) -> None:
    for _ in range(count):
        queue.put(None)


@dataclass(frozen=True, slots=True)
class Threads:
    """The three pools."""

    records: Crew
    data: Executor
    digests: Executor = field(default_factory=lambda: ThreadPoolExecutor(DIGEST_THREADS, "digests"))

    async def record(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction."""
        return await self.records.run(lambda: function(*args, **kwargs))

    async def bulk(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work on bytes, or a call on a store."""
        loop = asyncio.get_running_loop()
        context = copy_context()
        return await loop.run_in_executor(self.data, lambda: context.run(function, *args, **kwargs))


async def to_the_end(work: Awaitable[T]) -> T:
    """Wait for clean-up work until it is done, however often the waiting task is cancelled meanwhile.

    :raises asyncio.CancelledError: after the work is done, if the task was cancelled.
    """
    task = asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
    return task.result()


def start_threads() -> Threads:
    """Make the pools; their threads start when they are first needed."""
    return Threads(
        records=Crew(RECORD_THREADS, "records"),
        data=ThreadPoolExecutor(DATA_THREADS, "data"),
    )
