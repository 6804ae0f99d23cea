import asyncio
import threading

import pytest

from glimpse.transfer.threads import Crew, start_threads, to_the_end
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


def test_a_crew_brings_what_came_of_each_work() -> None:
    crew = Crew(3, "crew")

    def half(number: int) -> int:
        if number % 2:
            raise ValueError(number)
        return number // 2

    async def work() -> list[int | BaseException]:
        futures = [crew.run(lambda n=number: half(n)) for number in range(100)]  # type: ignore[misc]
        return await asyncio.gather(*futures, return_exceptions=True)

    # Each event loop is told by itself.
    for _ in range(2):
        found = run(work())
        assert found[::2] == list(range(50))
        assert [str(error) for error in found[1::2]] == [str(number) for number in range(1, 100, 2)]
    crew.shutdown()


def test_work_that_nobody_waits_for_any_more_is_done() -> None:
    crew, gate, done = Crew(1, "crew"), threading.Event(), threading.Event()

    def work() -> None:
        gate.wait(5)
        done.set()

    async def leave() -> None:
        future = crew.run(work)
        future.cancel()
        gate.set()
        assert await crew.run(lambda: "next") == "next"

    run(leave())
    assert done.is_set()
    crew.shutdown()


def test_a_crew_that_is_dismissed_ends_its_threads() -> None:
    crew = Crew(2, "short-lived")

    async def work() -> str:
        return await crew.run(lambda: threading.current_thread().name)

    name = run(work())
    crew.shutdown()
    for thread in [thread for thread in threading.enumerate() if thread.name.startswith("short-lived")]:
        thread.join(5)
    assert name not in {thread.name for thread in threading.enumerate()}


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
