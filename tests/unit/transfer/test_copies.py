"""Data on its way into several stores at once: all of them, all but some, or none."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from uuid import uuid4

import pytest

from glimpse.catalog.ports import Intent, IntentKind
from glimpse.domain.errors import Conflict, GlimpseError, Invalid, LimitExceeded
from glimpse.domain.image import Digests, Location
from glimpse.stores.base import ObjectKey
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.copies import Copies, Received, copies_into
from glimpse.transfer.transfer import Stores, Transfer
from tests.unit.world import Source, run

WORDS = [b"some ", b"", b"words", b"!" * 300_000]
ALL = b"".join(WORDS)
IMAGE = str(uuid4())


class World:
    """Some stores, of which those named in `tight` have room for 1000 bytes."""

    def __init__(self, transfer: Transfer, *tight: str) -> None:
        self.stores = {
            name: MemoryStore(name, capacity=1000 if name in tight else None) for name in ("a", "b", "c")
        }
        self.transfer = replace(transfer, stores=Stores(self.stores, "a", several=True))
        self.copies: Copies | None = None

    def bring(
        self,
        *,
        size: int | None = None,
        alone: bool = False,
        source: Source | None = None,
        inspect: bool = False,
    ) -> tuple[Received, tuple[Location, ...]]:
        """What came in, and where it is."""
        return run(self._bring(size, source or Source(WORDS), alone=alone, inspect=inspect))

    async def _bring(
        self, size: int | None, source: Source, *, alone: bool, inspect: bool
    ) -> tuple[Received, tuple[Location, ...]]:
        async with copies_into(self.transfer, intents(*self.stores), size, alone=alone) as copies:
            self.copies = copies
            received = await copies.receive(aiter(source), lambda _: None, inspect=inspect)
            return received, await copies.commit()

    def failed(self) -> dict[str, type[GlimpseError]]:
        """The stores that failed alone, and how."""
        assert self.copies is not None
        return {name: type(error) for name, error in self.copies.failures.items()}

    def occupy(self, name: str) -> None:
        """Put other data of the image into a store, so that what comes cannot be committed there."""
        writer = self.stores[name].open_writer(ObjectKey(IMAGE, str(uuid4())), None)
        writer.write([b"older"])
        writer.commit()

    def content(self, location: Location) -> bytes:
        """The data at a location."""
        store = self.stores[location.metadata["store"]]
        return b"".join(store.open_reader(location.url, 0, store.stat(location.url)))

    def used(self) -> list[int | None]:
        """The bytes in each store."""
        return [store.usage().used for store in self.stores.values()]


def intents(*names: str) -> Sequence[Intent]:
    return [
        Intent(str(uuid4()), IntentKind.COPY, IMAGE, name, IMAGE, worker="me", lease_until=0.0)
        for name in names
    ]


@pytest.mark.parametrize("size", [None, len(ALL)])
@pytest.mark.parametrize("alone", [True, False])
def test_all_stores(transfer: Transfer, size: int | None, alone: bool) -> None:
    world, source = World(transfer), Source(WORDS)
    received, places = world.bring(size=size, alone=alone, source=source)
    digests = Digests(hashlib.md5(ALL).hexdigest(), "sha512", hashlib.sha512(ALL).hexdigest())
    made = {"md5": digests.checksum, digests.os_hash_algo: digests.os_hash_value}
    by_algorithm = {name: bytes.fromhex(digest) for name, digest in made.items()}
    assert received == Received(len(ALL), digests, None, by_algorithm)
    assert [place.metadata["store"] for place in places] == ["a", "b", "c"]
    assert [world.content(place) for place in places] == [ALL] * 3
    assert (source.taken, world.failed()) == (len(WORDS), {})


def test_data_is_looked_at_on_its_way(transfer: Transfer) -> None:
    received, _ = World(transfer).bring(inspect=True)
    assert received.findings is not None


@pytest.mark.parametrize(("size", "when"), [(None, "while it is written"), (len(ALL), "at once")])
def test_a_store_that_fails_alone(transfer: Transfer, size: int | None, when: str) -> None:
    del when
    world = World(transfer, "a")
    received, places = world.bring(size=size, alone=True)
    assert (received.size, [place.metadata["store"] for place in places]) == (len(ALL), ["b", "c"])
    assert (world.failed(), world.used()) == ({"a": LimitExceeded}, [0, len(ALL), len(ALL)])


@pytest.mark.parametrize("size", [None, len(ALL)])
def test_a_store_that_fails_all(transfer: Transfer, size: int | None) -> None:
    world = World(transfer, "b")
    with pytest.raises(LimitExceeded):
        world.bring(size=size)
    assert world.used() == [0, 0, 0]


@pytest.mark.parametrize("size", [None, len(ALL)])
def test_all_fail_alone(transfer: Transfer, size: int | None) -> None:
    world, source = World(transfer, "a", "b", "c"), Source([bytes(1_000_000)] * 100)
    with pytest.raises(LimitExceeded):
        world.bring(size=size, alone=True, source=source)
    # The rest of the data is not asked for.
    assert source.taken < 100
    assert world.used() == [0, 0, 0]


def test_a_commit_that_fails_alone(transfer: Transfer) -> None:
    world = World(transfer)
    world.occupy("b")
    _, places = world.bring(alone=True)
    assert [place.metadata["store"] for place in places] == ["a", "c"]
    assert (world.failed(), world.used()) == ({"b": Conflict}, [len(ALL), 5, len(ALL)])


def test_commits_that_all_fail_alone(transfer: Transfer) -> None:
    world = World(transfer, "c")
    for name in ("a", "b"):
        world.occupy(name)
    with pytest.raises(Conflict):
        world.bring(alone=True)
    assert world.failed() == {"a": Conflict, "b": Conflict, "c": LimitExceeded}
    assert world.used() == [5, 5, 0]


def test_a_commit_that_fails_all(transfer: Transfer) -> None:
    """What was committed before is left to the intents, which still stand."""
    world = World(transfer)
    world.occupy("b")
    with pytest.raises(Conflict):
        world.bring()
    assert world.used() == [len(ALL), 5, 0]


def test_a_source_that_fails(transfer: Transfer) -> None:
    world = World(transfer)
    with pytest.raises(ConnectionError):
        world.bring(alone=True, source=Source(WORDS, ConnectionError()))
    assert (world.failed(), world.used()) == ({}, [0, 0, 0])


def test_a_meter_that_refuses(transfer: Transfer) -> None:
    world, seen = World(transfer), []

    def meter(total: int) -> None:
        seen.append(total)
        raise LimitExceeded("image_size_cap", 5, total, "bytes")

    async def work() -> None:
        async with copies_into(world.transfer, intents("a", "b"), None, alone=True) as copies:
            await copies.receive(aiter(Source(WORDS)), meter, inspect=False)

    with pytest.raises(LimitExceeded, match="image_size_cap"):
        run(work())
    assert (len(seen), world.used()) == (1, [0, 0, 0])


def test_another_algorithm(transfer: Transfer) -> None:
    async def work() -> Received:
        async with copies_into(transfer, intents("main"), None, algorithm="sha256") as copies:
            return await copies.receive(aiter(Source(WORDS)), lambda _: None, inspect=False)

    digests = run(work()).digests
    assert (digests.os_hash_algo, digests.os_hash_value) == ("sha256", hashlib.sha256(ALL).hexdigest())


def test_a_store_that_is_not_there(transfer: Transfer) -> None:
    world = World(transfer)

    async def work() -> None:
        async with copies_into(world.transfer, intents("a", "absent"), None):
            pytest.fail("it must not begin")

    with pytest.raises(Invalid):
        run(work())
    assert world.used() == [0, 0, 0]
