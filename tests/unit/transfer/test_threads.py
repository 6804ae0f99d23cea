import asyncio
import threading

import pytest

from glimpse.transfer.threads import start_threads, to_the_end
from tests.unit.world import run


def test_each_kind_of_work_has_threads_of_its_own() -> None:
    threads = start_threads()

    async def work() -> tuple[str, str]:
        def name(prefix: str, *, suffix: str) -> str:
            return f"{prefix}{threading.current_thread().name}{suffix}"

        return (
            await threads.record(name, "<", suffix=">"),
            await threads.bulk(name, "<", suffix=">"),
        )

    record, bulk = run(work())
    assert record.startswith("<records")
    assert bulk.startswith("<data")
    threads.records.shutdown()
    threads.data.shutdown()


def test_clean_up_goes_on_however_often_it_is_cancelled() -> None:
    async def work() -> None:
        gate, done = asyncio.Event(), list[str]()

        async def clean() -> str:
            await gate.wait()
            done.append("clean")
            return "clean"

        waiting = asyncio.create_task(to_the_end(clean()))
        for _ in range(3):
            await asyncio.sleep(0)
            waiting.cancel()
        await asyncio.sleep(0)
        assert not waiting.done()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert done == ["clean"]

    run(work())


def test_clean_up_that_nobody_cancels() -> None:
    async def works() -> int:
        return 5

    async def fails() -> int:
        raise ValueError("no")

    assert run(to_the_end(works())) == 5
    with pytest.raises(ValueError, match="no"):
        run(to_the_end(fails()))
