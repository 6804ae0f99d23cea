import asyncio
from pathlib import Path

from glimpse.domain.errors import Unavailable
from glimpse.transfer.cache.fill import Fill

SIZE = 1000


def test_readers_wait_for_what_they_need() -> None:
    async def scenario() -> None:
        fill = Fill(SIZE)
        first = asyncio.ensure_future(fill.ready(0, SIZE))
        behind = asyncio.ensure_future(fill.ready(500, 600))
        await asyncio.sleep(0)
        fill.advance(100)
        assert await first == 100
        assert not behind.done()
        fill.advance(600)
        assert await behind == 600

    asyncio.run(scenario())


def test_the_last_byte_comes_with_the_verdict() -> None:
    async def scenario() -> None:
        fill = Fill(SIZE)
        fill.advance(SIZE)
        assert await fill.ready(0, SIZE) == SIZE - 1
        last = asyncio.ensure_future(fill.ready(SIZE - 1, SIZE))
        await asyncio.sleep(0.01)
        assert not last.done()
        fill.succeed()
        assert await last == SIZE

    asyncio.run(scenario())


def test_the_end_is_told_to_all() -> None:
    async def scenario() -> None:
        failed, lost = Fill(SIZE), Fill(SIZE)
        waiting = [asyncio.ensure_future(fill.ready(0, SIZE)) for fill in (failed, lost)]
        gone = asyncio.ensure_future(failed.finished())
        await asyncio.sleep(0)
        failed.fail(Unavailable("store", "away"))
        lost.finish()
        assert await asyncio.gather(*waiting) == [0, 0]
        assert isinstance(failed.failure, Unavailable)
        assert lost.failure is None
        assert not gone.done()
        failed.finish()
        await gone

    asyncio.run(scenario())


def test_a_reader_that_gives_up_does_not_disturb_the_others() -> None:
    async def scenario() -> None:
        fill = Fill(SIZE)
        one, other = (asyncio.ensure_future(fill.ready(0, SIZE)) for _ in range(2))
        await asyncio.sleep(0)
        one.cancel()
        await asyncio.sleep(0)
        fill.advance(10)
        assert await other == 10

    asyncio.run(scenario())


def test_each_reader_has_a_position_of_its_own(tmp_path: Path) -> None:
    async def scenario() -> None:
        fill = Fill(SIZE)
        with (tmp_path / "file").open("w+b", buffering=0) as file:
            file.write(bytes(range(100)))
            fill.begin(file)
            fill.advance(100)
            (tmp_path / "file").unlink()
            with fill.open() as one, fill.open() as other:
                one.seek(50)
                assert other.read(2) == bytes((0, 1))
                assert one.read(1) == bytes((50,))
            assert fill.head() == bytes(range(100))

    asyncio.run(scenario())
