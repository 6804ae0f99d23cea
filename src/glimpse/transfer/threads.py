"""The one place where blocking work meets the event loop.

Two pools, so that bulk transfers never keep a record waiting: `records` for short transactions, `data` for
digests and store calls.
"""

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

# A transaction takes about a millisecond, most of it waiting for the database.
RECORD_THREADS = 16
# Digests and writes of many transfers take turns; more threads than this only fight for the same cores.
DATA_THREADS = 16


@dataclass(frozen=True, slots=True)
class Threads:
    """The two pools."""

    records: Executor
    data: Executor

    async def record(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a transaction."""
        return await _run(self.records, function, *args, **kwargs)

    async def bulk(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run work on bytes, or a call on a store."""
        return await _run(self.data, function, *args, **kwargs)


async def _run(executor: Executor, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(executor, lambda: function(*args, **kwargs))


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
        records=ThreadPoolExecutor(RECORD_THREADS, "records"),
        data=ThreadPoolExecutor(DATA_THREADS, "data"),
    )
