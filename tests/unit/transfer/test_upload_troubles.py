"""Uploads that meet others, are cancelled, or whose store or database does not answer."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest

from glimpse.catalog.images import delete
from glimpse.domain.errors import (
    Conflict,
    GlimpseError,
    Gone,
    SizeMismatch,
    Unavailable,
)
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.removal import sweep
from glimpse.transfer.transfer import Stores, Transfer
from glimpse.transfer.upload import upload
from tests.unit.transfer.test_upload import ALL, WORDS, assert_untouched, content, send
from tests.unit.world import MEMBER, Clock, Source, register, reload, run


class Gate:
    """A source that stops in the middle until somebody opens it."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def __aiter__(self) -> AsyncIterator[bytes]:
        yield b"before "
        self.reached.set()
        await self.open.wait()
        yield b"after"


def test_a_second_upload_at_the_same_time(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog)

    async def both() -> None:
        gate = Gate()
        first = asyncio.create_task(upload(transfer, MEMBER, image.id, aiter(gate)))
        await gate.reached.wait()
        assert len(transfer.live) == 1
        with pytest.raises(Conflict):
            await upload(transfer, MEMBER, image.id, aiter(Source([b"other"])))
        gate.open.set()
        await first

    run(both())
    assert content(store, transfer.catalog, image) == b"before after"


def test_an_image_that_is_deleted_meanwhile(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog)

    async def work() -> None:
        gate = Gate()
        uploading = asyncio.create_task(upload(transfer, MEMBER, image.id, aiter(gate)))
        await gate.reached.wait()
        assert delete(transfer.catalog, transfer.worker, MEMBER, image.id) == []
        gate.open.set()
        with pytest.raises(Gone):
            await uploading

    run(work())
    assert reload(transfer.catalog, image.id).status is ImageStatus.DELETED
    assert store.usage().used == 0
    assert transfer.catalog.records.intents.expired(1e12, 10) == []


def test_a_lease_that_ran_out_meanwhile(transfer: Transfer, store: MemoryStore, clock: Clock) -> None:
    image = register(transfer.catalog)
    other = replace(transfer, worker=Worker("other", 10.0, clock), live=set())

    async def work() -> None:
        gate = Gate()
        uploading = asyncio.create_task(upload(transfer, MEMBER, image.id, aiter(gate)))
        await gate.reached.wait()
        clock.pass_by(60)
        await sweep(other)
        assert reload(transfer.catalog, image.id).status is ImageStatus.QUEUED
        gate.open.set()
        with pytest.raises(Conflict):
            await uploading

    run(work())
    assert_untouched(transfer, store, image)


def test_a_late_upload_leaves_the_next_one_alone(
    transfer: Transfer, store: MemoryStore, clock: Clock
) -> None:
    image = register(transfer.catalog)
    other = replace(transfer, worker=Worker("other", 10.0, clock), live=set())

    async def work() -> None:
        gate = Gate()
        late = asyncio.create_task(upload(transfer, MEMBER, image.id, aiter(gate)))
        await gate.reached.wait()
        clock.pass_by(60)
        await sweep(other)
        await upload(other, MEMBER, image.id, aiter(Source([b"the next"])))
        gate.open.set()
        with pytest.raises(GlimpseError):
            await late

    run(work())
    assert content(store, transfer.catalog, image) == b"the next"
    assert reload(transfer.catalog, image.id).status is ImageStatus.ACTIVE


def test_a_cancelled_upload(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog)

    async def work() -> None:
        gate = Gate()
        uploading = asyncio.create_task(upload(transfer, MEMBER, image.id, aiter(gate)))
        await gate.reached.wait()
        uploading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await uploading

    run(work())
    assert_untouched(transfer, store, image)


class Slow:
    """A port of which one call waits, in its thread, until it is let go."""

    def __init__(self, inner: object, name: str) -> None:
        self._inner = inner
        self._name = name
        self.reached = threading.Event()
        self.go = threading.Event()

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        if name != self._name:
            return call

        def slow(*arguments: object) -> object:
            self.reached.set()
            assert self.go.wait(5)
            return call(*arguments)

        return slow


@pytest.mark.parametrize("times", [1, 2])
def test_a_commit_is_not_cancelled_halfway(transfer: Transfer, store: MemoryStore, times: int) -> None:
    """Either the image is active with all its bytes, or it is queued without any."""
    image = register(transfer.catalog)
    intents: Any = Slow(transfer.catalog.records.intents, "commit_write")
    records = replace(transfer.catalog.records, intents=intents)
    slow = replace(transfer, catalog=replace(transfer.catalog, records=records))

    async def work() -> None:
        uploading = asyncio.create_task(upload(slow, MEMBER, image.id, aiter(Source(WORDS))))
        await asyncio.to_thread(intents.reached.wait, 5)
        for _ in range(times):
            uploading.cancel()
            await asyncio.sleep(0.01)
        intents.go.set()
        await asyncio.gather(uploading, return_exceptions=True)
        await asyncio.sleep(0.05)

    run(work())
    if reload(transfer.catalog, image.id).status is ImageStatus.ACTIVE:
        assert content(store, transfer.catalog, image) == ALL
    else:
        assert_untouched(transfer, store, image)


class Unsure(MemoryStore):
    """Stores well, but some calls say that they did not."""

    def __init__(self, *failing: str) -> None:
        super().__init__("main")
        self.failing = set(failing)

    def discard(self, key: Any) -> None:
        if "discard" in self.failing:
            raise Unavailable("store", "no answer")
        super().discard(key)

    def open_writer(self, key: Any, size: int | None) -> Any:
        if "open_writer" in self.failing:
            raise Unavailable("store", "no answer")
        writer = super().open_writer(key, size)
        store = self

        class Writer:
            def write(self, chunks: Sequence[bytes]) -> None:
                if "write" in store.failing:
                    raise Unavailable("store", "no answer")
                writer.write(chunks)

            def commit(self) -> str:
                url = writer.commit()
                if "commit" in store.failing:
                    raise Unavailable("store", "no answer")
                return url

            def abort(self) -> None:
                writer.abort()

        return Writer()


@pytest.mark.parametrize("call", ["open_writer", "write", "commit"])
def test_a_store_that_does_not_answer(transfer: Transfer, call: str) -> None:
    store = Unsure(call)
    unsure = replace(transfer, stores=Stores({"main": store}, "main"))
    image = register(transfer.catalog)
    with pytest.raises(Unavailable):
        send(unsure, image)
    assert_untouched(unsure, store, image)


def test_bytes_that_cannot_be_discarded_now_are_discarded_later(transfer: Transfer, clock: Clock) -> None:
    store = Unsure("commit", "discard")
    unsure = replace(transfer, stores=Stores({"main": store}, "main"))
    image = register(transfer.catalog)
    with pytest.raises(Unavailable):
        send(unsure, image)
    assert store.usage().used == len(ALL)
    assert reload(transfer.catalog, image.id).status is ImageStatus.QUEUED
    assert unsure.live == set()
    store.failing.clear()
    clock.pass_by(11)
    run(sweep(unsure))
    assert_untouched(unsure, store, image)


def test_a_commit_whose_answer_is_lost_keeps_its_bytes(
    transfer: Transfer, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = register(transfer.catalog)
    intents = type(transfer.catalog.records.intents)
    commit = intents.commit_write

    def commit_unheard(*arguments: Any) -> None:
        commit(*arguments)
        raise Unavailable("database", "the connection was lost")

    monkeypatch.setattr(intents, "commit_write", commit_unheard)
    with pytest.raises(Unavailable):
        send(transfer, image)
    assert reload(transfer.catalog, image.id).status is ImageStatus.ACTIVE
    assert content(store, transfer.catalog, image) == ALL


def test_what_cannot_be_written_down_now_is_written_down_later(
    transfer: Transfer, store: MemoryStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = register(transfer.catalog)

    def no_answer(*_: object, **__: object) -> None:
        raise Unavailable("database", "no answer")

    with monkeypatch.context() as patched:
        patched.setattr(type(transfer.catalog.records.intents), "undo_write", no_answer)
        with pytest.raises(SizeMismatch):
            send(transfer, image, size=5)
    assert reload(transfer.catalog, image.id).status is ImageStatus.SAVING
    clock.pass_by(11)
    run(sweep(transfer))
    assert_untouched(transfer, store, image)
