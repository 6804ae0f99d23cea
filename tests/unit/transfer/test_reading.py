"""A blocking reader seen from the event loop."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.transfer.reading import WINDOW_BYTES, stream
from glimpse.transfer.threads import Threads, start_threads
from tests.unit.world import run

DEADLINE = 10.0


@pytest.fixture(scope="module")
def threads() -> Iterator[Threads]:
    threads = start_threads()
    yield threads
    threads.records.shutdown()
    threads.data.shutdown()


async def everything(chunks: AsyncIterator[bytes]) -> list[bytes]:
    async with asyncio.timeout(DEADLINE):
        return [chunk async for chunk in chunks]


@given(st.lists(st.binary(min_size=1, max_size=9)))
def test_all_chunks_come_in_order(threads: Threads, chunks: list[bytes]) -> None:
    assert run(everything(stream(threads, iter(chunks)))) == chunks


def test_more_than_a_window(threads: Threads) -> None:
    chunks = [bytes([number]) * 100_000 for number in range(100)]
    assert run(everything(stream(threads, iter(chunks)))) == chunks


def test_what_the_reader_raises_comes_in_its_turn(threads: Threads) -> None:
    def broken() -> Iterator[bytes]:
        yield b"one"
        yield b"two"
        raise ValueError("no more")

    async def read() -> list[bytes]:
        chunks = stream(threads, broken())
        seen = [await anext(chunks), await anext(chunks)]
        with pytest.raises(ValueError, match="no more"):
            await anext(chunks)
        return seen

    assert run(read()) == [b"one", b"two"]


def test_a_chunk_does_not_wait_for_the_next_one(threads: Threads) -> None:
    gate = threading.Event()

    def slow() -> Iterator[bytes]:
        yield b"one"
        assert gate.wait(DEADLINE)
        yield b"two"

    async def read() -> list[bytes]:
        async with asyncio.timeout(DEADLINE):
            seen: list[bytes] = []
            async for chunk in stream(threads, slow()):
                seen.append(chunk)
                gate.set()
            return seen

    assert run(read()) == [b"one", b"two"]


def test_a_slow_receiver_holds_no_thread_and_little_memory(threads: Threads) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1000
            yield bytes(1000)

    async def dawdle() -> None:
        async with asyncio.timeout(DEADLINE), aclosing(stream(threads, endless())) as chunks:
            await anext(chunks)
            before = -1
            while read != before:
                before = read
                await asyncio.sleep(0.05)
            # All threads are free.
            barrier = threading.Barrier(16)
            await asyncio.gather(*(threads.bulk(barrier.wait, DEADLINE) for _ in range(16)))

    run(dawdle())
    assert read <= WINDOW_BYTES + 2000


def test_who_leaves_early_ends_the_reading(threads: Threads) -> None:
    read = 0

    def endless() -> Iterator[bytes]:
        nonlocal read
        while True:
            read += 1
            yield b"x"

    async def leave() -> int:
        async with asyncio.timeout(DEADLINE), aclosing(stream(threads, endless())) as chunks:
            await anext(chunks)
        await asyncio.sleep(0.05)
        return read

    before = run(leave())
    assert read == before
