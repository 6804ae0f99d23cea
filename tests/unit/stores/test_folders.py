"""Which folder takes an object, and which holds one."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse.domain.errors import LimitExceeded, Unavailable
from glimpse.stores.base import StoreObjectMissing
from glimpse.stores.filesystem import FilesystemStore
from glimpse.stores.folders import Folder, Folders
from tests.unit.stores.helpers import MIB, NOISE, new_key, path_of, put

Room = Callable[..., None]


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> Room:
    """Lets folders have so many bytes free, by their names."""
    real = os.statvfs

    def set_room(**free: int | None) -> None:
        def statvfs(path: Path) -> os.statvfs_result:
            real(path)
            left = free[path.name]
            blocks = 0 if left is None else 10**9
            return os.statvfs_result([1, 1, blocks, left or 0, left or 0, 0, 0, 0, 0, 255])

        monkeypatch.setattr(os, "statvfs", statvfs)

    return set_room


def folders(parent: Path, **priorities: int) -> Folders:
    return Folders("files", [Folder(parent / name, number) for name, number in priorities.items()], 0)


def names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_priority_goes_before_free_space(tmp_path: Path, room: Room) -> None:
    several = folders(tmp_path, a=-1, b=5, c=5, d=0)
    room(a=500, b=100, c=200, d=400)
    assert names(several.taking(100)) == ["c", "b", "d", "a"]
    assert names(several.taking(None)) == ["c", "b", "d", "a"]
    assert names(several.taking(101)) == ["c", "d", "a"]
    assert names(several.taking(450)) == ["a"]


def test_none_has_room(tmp_path: Path, room: Room) -> None:
    several = folders(tmp_path, a=0, b=0)
    room(a=500, b=600)
    with pytest.raises(LimitExceeded) as caught:
        several.taking(601)
    assert (caught.value.maximum, caught.value.attempted) == (600, 601)
    room(a=0, b=0)
    with pytest.raises(LimitExceeded):
        several.taking(None)


def test_folder_that_cannot_tell_its_room_is_tried_last(tmp_path: Path, room: Room) -> None:
    several = folders(tmp_path, a=0, b=0)
    room(a=None, b=5)
    assert names(several.taking(4)) == ["b", "a"]
    assert names(several.taking(6)) == ["a"]


def test_folder_that_is_away_takes_nothing(tmp_path: Path) -> None:
    store = FilesystemStore("files", Folder(tmp_path / "a", 9), Folder(tmp_path / "b"))
    (tmp_path / "a").rmdir()
    assert path_of(put(store, NOISE)).parent == tmp_path / "b"
    assert store.usage().used
    (tmp_path / "b").rename(tmp_path / "c")
    with pytest.raises(Unavailable):
        store.open_writer(new_key(), 1)
    with pytest.raises(Unavailable):
        store.usage()


def test_folder_that_refuses_hands_on(tmp_path: Path) -> None:
    store = FilesystemStore("files", Folder(tmp_path / "a", 9), Folder(tmp_path / "b"))
    (tmp_path / "a").rmdir()
    # It has room, as far as anybody can see, but nothing can be made in it.
    (tmp_path / "a").write_text("a file")
    assert path_of(put(store, NOISE)).parent == tmp_path / "b"


def test_one_folder_that_can_be_made_is_enough(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    store = FilesystemStore("files", Folder(tmp_path / "file" / "a", 9), Folder(tmp_path / "b"))
    assert path_of(put(store, b"x")).parent == tmp_path / "b"
    with pytest.raises(Unavailable):
        FilesystemStore("files", tmp_path / "file" / "a", tmp_path / "file" / "b")


def test_objects_of_all_folders_are_found(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    (tmp_path / "alias").symlink_to(b)
    urls = [put(FilesystemStore("files", Folder(folder, 1)), b"xyz") for folder in (a, b)]
    store = FilesystemStore("files", a, b)
    for url in urls:
        assert store.owns(url)
        assert store.stat(url) == 3
    assert store.stat(urls[1].replace("/b/", "/alias/")) == 3
    for url in urls:
        with store.open_reader(url, 1, 2).file as file:
            assert file.read() == b"xyz"
        store.delete(url)
        with pytest.raises(StoreObjectMissing):
            store.stat(url)
    assert not store.owns(f"file://{tmp_path}/x")


def test_discard_reaches_all_folders_that_are_there(tmp_path: Path) -> None:
    a, b = tmp_path / "a", tmp_path / "b"
    store = FilesystemStore("files", Folder(a, 1), b)
    key = new_key()
    FilesystemStore("files", b).open_writer(key, None)
    shutil.rmtree(a)
    with pytest.raises(Unavailable):
        store.discard(key)
    assert list(b.iterdir()) == []
    a.mkdir()
    store.discard(key)


def test_usage_counts_a_filesystem_once(tmp_path: Path) -> None:
    one, two = folders(tmp_path, a=0).usage(), folders(tmp_path, a=0, b=0).usage()
    assert one.free is not None
    assert two.free is not None
    assert two.free < 2 * one.free - 100 * MIB


@pytest.mark.parametrize(
    ("mode", "before", "after"), [(0, 0o700, 0o700), (0o644, 0o700, 0o711), (0o640, 0o700, 0o710)]
)
def test_whoever_may_use_the_files_may_pass_the_folder(
    tmp_path: Path, mode: int, before: int, after: int
) -> None:
    tmp_path.chmod(before)
    FilesystemStore("files", tmp_path, file_mode=mode)
    assert tmp_path.stat().st_mode & 0o7777 == after
