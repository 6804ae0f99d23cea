from collections.abc import Iterator
from pathlib import Path

import pytest

from glimpse.domain.errors import LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey, Store, Usage
from glimpse.stores.filesystem import FilesystemStore
from glimpse.stores.memory import MemoryStore
from glimpse.stores.trial import Trial, try_store
from tests.unit.stores.helpers import MIB

SIZE = 3 * MIB + 5


class Forgetful(MemoryStore):
    """Gives back other bytes."""

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        return iter([*list(super().open_reader(url, offset, length))[:-1], b"other"])


class Clinging(MemoryStore):
    """Deletes nothing until it must."""

    def delete(self, url: str) -> None:
        pass


class Away(MemoryStore):
    """Was there a moment ago."""

    def delete(self, url: str) -> None:
        raise Unavailable("store memory", "the server hung up")

    def discard(self, key: ObjectKey) -> None:
        raise Unavailable("store memory", "the server hung up")


class Silent(MemoryStore):
    """Does not answer."""

    def usage(self) -> Usage:
        raise Unavailable("store memory", "nobody listens")


class Interrupted(MemoryStore):
    """Somebody types Ctrl-C."""

    def stat(self, url: str) -> int:
        raise KeyboardInterrupt


class Puzzled(MemoryStore):
    """Has a bug."""

    def stat(self, url: str) -> int:
        raise RuntimeError("what now?")


def used(store: Store) -> int | None:
    return store.usage().used


@pytest.mark.parametrize("size", [1, MIB, SIZE])
def test_good_store(tmp_path: Path, size: int) -> None:
    for store in (MemoryStore("memory"), FilesystemStore("files", tmp_path)):
        trial = try_store(lambda store=store: store, size)  # type: ignore[misc]
        assert trial.failure is None
        assert (trial.reachable, trial.writable, trial.readable, trial.deletable) == (True,) * 4
        assert trial.write_rate
        assert trial.read_rate
        assert trial.used is not None
    assert list(tmp_path.iterdir()) == []


def test_store_that_is_only_looked_at() -> None:
    store = MemoryStore("memory")
    assert try_store(lambda: store, None) == Trial(reachable=True, used=0)


def test_store_that_cannot_be_opened() -> None:
    def refuse() -> Store:
        raise Unavailable("store memory", "nobody listens")

    assert try_store(refuse, SIZE) == Trial(
        reachable=False, failure="The store memory is not available: nobody listens"
    )
    assert try_store(lambda: Silent("memory"), SIZE) == try_store(refuse, SIZE)


def test_full_store() -> None:
    store = MemoryStore("memory", capacity=MIB)
    trial = try_store(lambda: store, SIZE)
    assert (trial.reachable, trial.writable, trial.readable) == (True, False, None)
    assert trial.failure == str(LimitExceeded("store capacity", MIB, SIZE, "bytes"))
    assert used(store) == 0


def test_other_bytes() -> None:
    store = Forgetful("memory")
    trial = try_store(lambda: store, SIZE)
    assert (trial.writable, trial.readable, trial.deletable) == (True, False, None)
    assert "other bytes" in (trial.failure or "")
    assert used(store) == 0


def test_what_was_deleted_is_still_there() -> None:
    store = Clinging("memory")
    trial = try_store(lambda: store, SIZE)
    assert (trial.readable, trial.deletable) == (True, False)
    assert "still holds" in (trial.failure or "")
    assert used(store) == 0


def test_what_may_be_left_is_named() -> None:
    trial = try_store(lambda: Away("memory"), SIZE)
    assert trial.reachable
    assert "the server hung up; " in (trial.failure or "")
    assert (trial.failure or "").endswith("may be left there")


def test_interruption() -> None:
    store = Interrupted("memory")
    with pytest.raises(KeyboardInterrupt):
        try_store(lambda: store, SIZE)
    assert used(store) == 0


def test_bug_of_a_store() -> None:
    store = Puzzled("memory")
    assert try_store(lambda: store, SIZE).failure == "unexpected RuntimeError: what now?"
    assert used(store) == 0
