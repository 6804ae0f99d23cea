"""Stores of files on disks that are read-only, and on disks that hang."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.stores.bounded import BoundedStore
from glimpse.stores.callers import Callers
from glimpse.stores.filesystem import FilesystemStore
from glimpse.stores.folders import Folder
from tests.contract.stores.suite import CONTENT, get, new_key, put
from tests.disks import Disk, mounted

THREADS = 4
SECONDS = 20


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path, 16) as disk:
        yield disk


@pytest.fixture
def images(disk: Disk) -> Path:
    return disk.mount / "images"


@pytest.fixture
def store(images: Path) -> BoundedStore:
    return BoundedStore(FilesystemStore("nfs", images), Callers("nfs", THREADS, THREADS), 0.3, 0.3)


def eventually(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def answers(store: BoundedStore) -> bool:
    try:
        store.usage()
    except Unavailable:
        return False
    return True


def test_read_only_disk(disk: Disk, images: Path, tmp_path: Path) -> None:
    store = FilesystemStore("files", Folder(images, 1), tmp_path / "more")
    url = put(store, CONTENT)
    disk.make_read_only()
    key = new_key()
    other = put(store, CONTENT, key)
    assert url.startswith(f"file://{images}/")
    assert other.startswith(f"file://{tmp_path}/more/")
    store.discard(key)
    assert list((tmp_path / "more").iterdir()) == []
    assert get(store, url) == CONTENT
    with pytest.raises(Unavailable, match="Read-only"):
        store.delete(url)


def test_open_that_hangs_leaves_nothing(disk: Disk, store: BoundedStore, images: Path) -> None:
    with disk.hanging():
        with pytest.raises(Unavailable, match="within"):
            store.open_writer(new_key(), None)
        # From now on nobody waits.
        with pytest.raises(Unavailable, match="still hangs"):
            store.open_writer(new_key(), None)
        with pytest.raises(Unavailable, match="still hangs"):
            store.stat(f"file://{images}/x")
    eventually(lambda: answers(store))
    assert list(images.iterdir()) == []


def test_write_that_hangs_leaves_nothing(disk: Disk, store: BoundedStore, images: Path) -> None:
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([CONTENT])
    with disk.hanging():
        with pytest.raises(Unavailable, match="within"):
            writer.write([CONTENT])
        writer.abort()
        with pytest.raises(Unavailable, match="still hangs"):
            store.discard(key)
    eventually(lambda: list(images.iterdir()) == [])
    eventually(lambda: answers(store))
    url = put(store, CONTENT)
    assert get(store, url) == CONTENT


def test_commit_that_hangs_is_settled_by_discard(disk: Disk, store: BoundedStore, images: Path) -> None:
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([CONTENT])
    with disk.hanging():
        with pytest.raises(Unavailable, match="within"):
            writer.commit()
        writer.abort()
    eventually(lambda: answers(store))
    store.discard(key)
    assert list(images.iterdir()) == []


def test_delete_that_hangs_is_done_later(disk: Disk, store: BoundedStore, images: Path) -> None:
    url = put(store, CONTENT)
    with disk.hanging(), pytest.raises(Unavailable, match="within"):
        store.delete(url)
    eventually(lambda: list(images.iterdir()) == [])
    eventually(lambda: answers(store))


def test_writers_of_others_are_aborted_when_it_goes_on(disk: Disk, store: BoundedStore, images: Path) -> None:
    writers = [store.open_writer(new_key(), None) for _ in range(2 * THREADS)]
    with disk.hanging():
        with pytest.raises(Unavailable, match="within"):
            writers[0].write([CONTENT])
        for writer in writers:
            writer.abort()
    eventually(lambda: list(images.iterdir()) == [])


def test_read_that_hangs(store: BoundedStore, images: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A frozen disk is still read, so it is the system call that waits here."""
    url = put(store, CONTENT)
    go_on = threading.Event()
    monkeypatch.setattr("os.pread", lambda *_: go_on.wait(SECONDS) and b"")
    with pytest.raises(Unavailable, match="within"):
        next(iter(store.open_reader(url, 0, len(CONTENT))))
    with pytest.raises(Unavailable, match="still hangs"):
        store.open_reader(url, 0, 1)
    go_on.set()
    eventually(lambda: answers(store))
