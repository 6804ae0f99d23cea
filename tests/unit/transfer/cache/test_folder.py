from pathlib import Path

import pytest

from glimpse.domain.errors import Invalid
from glimpse.transfer.cache.folder import CacheFolder, Place, is_image_id, is_locked, unlock

ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    folder = CacheFolder(tmp_path / "cache")
    folder.prepare()
    return folder


def names(folder: CacheFolder, sub: str) -> list[str]:
    return sorted(path.name for path in (folder.root / sub).iterdir())


def test_one_fills(folder: CacheFolder) -> None:
    file = folder.begin(ID)
    assert file is not None
    with file:
        assert folder.begin(ID) is None
        assert names(folder, "incomplete") == [ID]
        seen = folder.open_incomplete(ID)
        assert seen is not None
        with seen:
            assert is_locked(seen)
            unlock(file)
            assert not is_locked(seen)


def test_what_was_left_makes_room_for_a_new_file(folder: CacheFolder) -> None:
    left = folder.begin(ID)
    assert left is not None
    left.write(b"half")
    reader = folder.open_incomplete(ID)
    assert reader is not None
    left.close()
    new = folder.begin(ID)
    assert new is not None
    with new, reader:
        assert new.read() == b""
        assert reader.read() == b"half"
        assert folder.place(ID, reader) is Place.GONE


def test_publish(folder: CacheFolder) -> None:
    file = folder.begin(ID)
    assert file is not None
    with file:
        file.write(b"data")
        assert folder.open(ID) is None
        assert folder.publish(ID, file)
        assert folder.place(ID, file) is Place.CACHED
        assert not folder.evict(ID)  # its filler still has the lock
        folder.give_up(ID, file)
        assert list(folder.cached()) == [ID]
    assert folder.evict(ID)
    assert not folder.evict(ID)


def test_rejected_and_given_up(folder: CacheFolder) -> None:
    for end, left in ((folder.reject, [ID]), (folder.give_up, [])):
        file = folder.begin(ID)
        assert file is not None
        with file:
            end(ID, file)
            assert not folder.publish(ID, file)
        assert (names(folder, "incomplete"), names(folder, "invalid")) == ([], left)
        folder.clean(0.0)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Invalid, match="image_cache_dir"):
        CacheFolder(tmp_path / "file" / "cache").prepare()


def test_one_process_does_what_is_done_once(folder: CacheFolder) -> None:
    with folder.alone() as first, folder.alone() as second:
        assert (first, second) == (True, False)
    with folder.alone() as again:
        assert again


@pytest.mark.parametrize("name", ["incomplete", "x", "", "../x", ID.upper() + "a", f"{ID}/x", "cache.db"])
def test_other_names_are_no_images(name: str) -> None:
    assert not is_image_id(name)
