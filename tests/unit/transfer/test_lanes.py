import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.transfer.lanes import BATCH_BYTES, WINDOW_BYTES, Lane, Work, pump
from tests.unit.world import Source, run


def send(
    source: Source, works: Sequence[Work], meter: Callable[[int], None] = lambda _: None, threads: int = 4
) -> int:
    """Pump a source through lanes that do `works`."""

    async def work() -> int:
        with ThreadPoolExecutor(threads) as executor:
            return await pump(aiter(source), [Lane(executor, work) for work in works], meter)

    return run(work())


class Collector:
    """Work that keeps what it gets, and notices when it is called while it runs."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.batches: list[int] = []
        self._busy = threading.Lock()

    def __call__(self, chunks: Sequence[bytes]) -> None:
        assert self._busy.acquire(blocking=False), "called twice at once"
        self.chunks += chunks
        self.batches.append(sum(map(len, chunks)))
        self._busy.release()


CHUNKS = st.lists(st.integers(0, 300_000).map(lambda size: bytes([size % 251]) * size), max_size=30)


@given(CHUNKS, st.integers(1, 3))
def test_every_lane_gets_every_chunk_in_order(chunks: list[bytes], count: int) -> None:
    collectors = [Collector() for _ in range(count)]
    assert send(Source(chunks), collectors) == sum(map(len, chunks))
    for collector in collectors:
        assert collector.chunks == chunks


def test_chunks_are_shared_not_copied() -> None:
    chunks, collectors = [b"a" * 100, b"b" * 100], [Collector(), Collector()]
    send(Source(chunks), collectors)
    assert all(
        got is sent for collector in collectors for got, sent in zip(collector.chunks, chunks, strict=True)
    )


def test_nothing_to_send() -> None:
    collector = Collector()
    assert send(Source([]), [collector]) == 0
    assert collector.batches == []
    assert send(Source([b"x"]), []) == 1


def test_a_slow_lane_takes_many_chunks_at_once_but_not_too_many() -> None:
    collector = Collector()
    chunk = b"x" * 65536
    send(Source([chunk] * 200), [collector])
    assert max(collector.batches) <= BATCH_BYTES + len(chunk)


def test_the_sender_waits_for_a_lane_that_does_not_keep_up() -> None:
    chunk = b"x" * 300_000
    source = Source([chunk] * 100)

    async def work() -> None:
        gate, taken_while_shut = threading.Event(), []
        with ThreadPoolExecutor(1) as executor:
            lane = Lane(executor, lambda _: (gate.wait(), None)[1])
            pumping = asyncio.create_task(pump(aiter(source), [lane], lambda _: None))
            try:
                for _ in range(1000):
                    await asyncio.sleep(0)
                    taken_while_shut.append(source.taken)
                    assert lane.backlog <= WINDOW_BYTES + len(chunk)
            finally:
                gate.set()
            assert await pumping == 100 * len(chunk)
        bound = WINDOW_BYTES // len(chunk) + 1
        assert taken_while_shut[-1] == bound

    run(work())


def test_the_window_is_what_a_transfer_may_cost() -> None:
    assert WINDOW_BYTES == 4 * BATCH_BYTES <= 8 * 1024 * 1024


def endless(chunk: bytes = b"x" * 65536) -> Iterable[bytes]:
    while True:
        yield chunk


def test_work_that_fails_stops_the_source() -> None:
    def full(_: Sequence[bytes]) -> None:
        raise OSError("full")

    source, other = Source(endless()), Collector()
    with pytest.raises(OSError, match="full"):
        send(source, [full, other])
    assert source.taken <= (WINDOW_BYTES + BATCH_BYTES) // 65536 + 2


def test_work_that_fails_on_the_last_chunk() -> None:
    def picky(chunks: Sequence[bytes]) -> None:
        if b"bad" in chunks:
            raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        send(Source([b"good", b"bad"]), [Collector(), picky])


def test_a_lane_does_nothing_after_it_failed() -> None:
    calls: list[int] = []

    def failing(chunks: Sequence[bytes]) -> None:
        calls.append(len(chunks))
        raise ValueError("once")

    with pytest.raises(ValueError, match="once"):
        send(Source([b"x" * BATCH_BYTES] * 20), [failing])
    assert len(calls) == 1


def test_a_source_that_fails_is_told() -> None:
    collector = Collector()
    with pytest.raises(ConnectionError):
        send(Source([b"x"], ConnectionError()), [collector])


def test_the_meter_is_told_before_a_chunk_goes_on() -> None:
    collector, totals = Collector(), list[int]()

    def meter(total: int) -> None:
        totals.append(total)
        if total > 4:
            raise ValueError("too many")

    with pytest.raises(ValueError, match="too many"):
        send(Source([b"ab", b"cd", b"ef", b"gh"]), [collector], meter)
    assert totals == [2, 4, 6]
    assert b"ef" not in collector.chunks
    idle = Collector()
    with pytest.raises(ValueError, match="too many"):
        send(Source([b"abcde"]), [idle], meter)
    assert idle.chunks == []


@pytest.mark.parametrize("reason", ["failure", "cancellation", "second cancellation"])
def test_no_work_runs_any_more_when_the_pump_is_left(reason: str) -> None:
    async def work() -> None:
        begun, gate, ended = threading.Event(), threading.Event(), threading.Event()

        def slow(_: Sequence[bytes]) -> None:
            begun.set()
            gate.wait(5)
            ended.set()

        async def source() -> AsyncIterator[bytes]:
            yield b"x"
            await asyncio.to_thread(begun.wait, 5)
            if reason == "failure":
                raise ConnectionError
            await asyncio.Event().wait()

        with ThreadPoolExecutor(1) as executor:
            lane = Lane(executor, slow)
            pumping = asyncio.create_task(pump(source(), [lane], lambda _: None))
            await asyncio.to_thread(begun.wait, 5)
            await _turns()
            for _ in range({"failure": 0, "cancellation": 1, "second cancellation": 2}[reason]):
                pumping.cancel()
                await _turns()
            left_early = pumping.done()
            gate.set()
            with pytest.raises((ConnectionError, asyncio.CancelledError)):
                await pumping
            assert not left_early
            assert ended.is_set()

    run(work())


def test_stopping_drops_what_waits() -> None:
    async def work() -> None:
        gate, done = threading.Event(), list[bytes]()
        first = bytes(BATCH_BYTES)

        def slow(chunks: Sequence[bytes]) -> None:
            gate.wait(5)
            done.extend(chunks)

        with ThreadPoolExecutor(1) as executor:
            lane = Lane(executor, slow)
            for chunk in (first, b"second"):
                lane.put(chunk)
            stopping = asyncio.create_task(lane.stop())
            await _turns()
            assert not stopping.done()
            gate.set()
            await stopping
            lane.put(b"third")
        assert done == [first]

    run(work())


def test_a_few_bytes_do_not_wait_for_more_for_long() -> None:
    async def work() -> None:
        collector = Collector()
        with ThreadPoolExecutor(1) as executor:
            lane = Lane(executor, collector)
            lane.put(b"few")
            for _ in range(200):
                await asyncio.sleep(0.01)
                if lane.backlog == 0:
                    break
            await lane.stop()
        assert collector.chunks == [b"few"]

    run(work())


async def _turns(count: int = 20) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def test_a_sender_can_wait_until_a_lane_has_settled() -> None:
    async def work() -> None:
        collector = Collector()
        with ThreadPoolExecutor(1) as executor:
            lane = Lane(executor, collector)
            lane.put(b"")
            lane.put(b"abc")
            await lane.settle(0)
            assert (lane.backlog, collector.chunks) == (0, [b"", b"abc"])

    run(work())
