import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glimpse.domain.errors import Conflict, GlimpseError, Invalid, LimitExceeded, Unavailable
from glimpse.stores import filesystem
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.filesystem import FilesystemStore, FileWriter
from tests.unit.stores.helpers import MIB, NOISE, failing, new_key, path_of, put

# --- names and permissions ---


def test_object_has_upstreams_name(store: FilesystemStore, folder: Path) -> None:
    key = new_key()
    assert put(store, b"x", key=key) == f"file://{folder}/{key.image_id}"
    assert [path.name for path in folder.iterdir()] == [key.image_id]


def test_incoming_file_is_hidden_in_the_same_folder(store: FilesystemStore, folder: Path) -> None:
    key = new_key()
    writer = store.open_writer(key, None)
    assert [path.name for path in folder.iterdir()] == [f".incoming.{key}"]
    writer.abort()


@pytest.mark.parametrize(("mode", "expected"), [(0, 0o640), (-1, 0o640), (0o600, 0o600), (0o664, 0o664)])
def test_file_permissions(folder: Path, mode: int, expected: int) -> None:
    old = os.umask(0o022)
    try:
        url = put(FilesystemStore("files", folder, file_mode=mode), b"x")
    finally:
        os.umask(old)
    assert path_of(url).stat().st_mode & 0o7777 == expected


@pytest.mark.parametrize(("mode", "expected"), [(0, 0o750), (0o640, 0o750), (0o644, 0o751)])
def test_folder_permissions(folder: Path, mode: int, expected: int) -> None:
    FilesystemStore("files", folder / "deep" / "er", file_mode=mode)
    assert (folder / "deep" / "er").stat().st_mode & 0o7777 == expected


def test_existing_folder_keeps_its_permissions(folder: Path) -> None:
    folder.mkdir(mode=0o700)
    FilesystemStore("files", folder)
    assert folder.stat().st_mode & 0o7777 == 0o700


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable) as caught:
        FilesystemStore("files", tmp_path / "file" / "images")
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize("image_id", ["../x", "a/b", ".x", "a\0b"])
def test_image_id_that_is_no_file_name(store: FilesystemStore, image_id: str) -> None:
    with pytest.raises(Invalid):
        store.open_writer(ObjectKey(image_id, "1"), None)


# --- URLs, symlinks and other traps ---


def test_upstreams_other_scheme_is_read(store: FilesystemStore) -> None:
    url = put(store, b"x")
    assert store.stat(url.replace("file://", "filesystem://")) == 1


def test_url_through_a_symlink_to_the_folder(store: FilesystemStore, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    name = path_of(put(store, b"x")).name
    assert store.stat(f"file://{tmp_path}/alias/{name}") == 1
    assert store.stat(f"file://{tmp_path}/images/../alias/{name}") == 1


def test_owns_what_leads_into_the_folder(store: FilesystemStore, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "alias").symlink_to(folder)
    for path in ("images/x", "alias/x", "images/../alias/x"):
        assert store.owns(f"file://{tmp_path}/{path}")
    for path in ("x", "images/", "images/below/x", "images/.x", "images/../x"):
        assert not store.owns(f"file://{tmp_path}/{path}")


@pytest.mark.parametrize("in_its_place", [None, "a file"])
def test_without_its_folder_it_is_away(
    store: FilesystemStore, folder: Path, in_its_place: str | None
) -> None:
    url = put(store, b"x")
    away = folder.rename(folder.with_name("away"))
    if in_its_place:
        folder.write_text(in_its_place)
    assert store.owns(url)
    calls: list[Callable[[], object]] = [
        lambda: store.open_reader(url, 0, 1),
        lambda: store.stat(url),
        lambda: store.delete(url),
    ]
    for call in calls:
        with pytest.raises(Unavailable) as refused:
            call()
        assert str(folder) not in str(refused.value)
    folder.unlink(missing_ok=True)
    away.rename(folder)
    assert store.stat(url) == 1


def test_folder_that_is_a_symlink(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "alias").symlink_to(folder)
    url = put(FilesystemStore("files", tmp_path / "alias"), b"x")
    assert url.startswith(f"file://{tmp_path}/alias/")
    assert FilesystemStore("files", tmp_path / "alias").stat(url) == 1


@pytest.mark.parametrize(
    "url",
    [
        "file://{folder}/../outside",
        "file://{folder}/sub/x",
        "file://{folder}/sub/../../outside",
        "file://{folder}/..",
        "file://{folder}/.hidden",
        "file://{folder}/",
        "file://{folder}",
        "file://{parent}/outside",
        "file://outside",
        "file:{folder}/x",
        "rbd://{folder}/x",
        "file://{folder}/\ud800",
        "file://{folder}/" + 300 * "x",
        "file://{folder}/loop/x",
        "file://{folder}/link",
        "file://{folder}/sub",
        "file://{folder}/pipe",
    ],
)
def test_all_else_is_refused(store: FilesystemStore, folder: Path, url: str) -> None:
    outside = folder.parent / "outside"
    for path in (outside, folder / ".hidden"):
        path.write_bytes(b"secret")
    (folder / "sub").mkdir()
    (folder / "sub" / "x").write_bytes(b"secret")
    (folder / "link").symlink_to(outside)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "pipe")
    url = url.format(folder=folder, parent=folder.parent)
    for call in (lambda: store.open_reader(url, 0, 0), lambda: store.stat(url), lambda: store.delete(url)):
        with pytest.raises(StoreObjectMissing):
            call()
    assert (folder / "link").is_symlink()
    assert outside.exists()


def test_symlink_in_place_of_the_incoming_file_is_not_followed(store: FilesystemStore, folder: Path) -> None:
    key = new_key()
    outside = folder.parent / "outside"
    (folder / f".incoming.{key}").symlink_to(outside)
    with pytest.raises(Unavailable):
        store.open_writer(key, None)
    assert not outside.exists()


def test_symlink_in_place_of_the_object_is_not_followed(store: FilesystemStore, folder: Path) -> None:
    key = new_key()
    outside = folder.parent / "outside"
    outside.write_bytes(b"precious")
    (folder / key.image_id).symlink_to(outside)
    with pytest.raises(Conflict):
        put(store, b"x", key=key)
    store.discard(key)
    assert outside.read_bytes() == b"precious"


# --- ownership ---


def test_discard_keeps_a_file_of_somebody_else(store: FilesystemStore, folder: Path) -> None:
    key = new_key()
    (folder / key.image_id).write_bytes(b"from Glance")
    with pytest.raises(Conflict):
        put(store, b"x", key=key)
    store.discard(key)
    assert [path.read_bytes() for path in folder.iterdir()] == [b"from Glance"]


def test_file_of_somebody_else_where_there_are_no_marks(
    store: FilesystemStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "setxattr", failing(errno.EOPNOTSUPP))
    test_discard_keeps_a_file_of_somebody_else(store, folder)


def test_object_where_there_are_no_marks(
    store: FilesystemStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "setxattr", failing(errno.EOPNOTSUPP))
    key = new_key()
    assert put(store, b"x", key=key) == f"file://{folder}/{key}"


def test_repeated_link_of_a_network_filesystem(
    store: FilesystemStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.link

    def link_twice(*args: Any, **kwargs: Any) -> None:
        real(*args, **kwargs)
        real(*args, **kwargs)

    monkeypatch.setattr(os, "link", link_twice)
    key = new_key()
    assert store.stat(put(store, b"x", key=key)) == 1
    assert [path.name for path in folder.iterdir()] == [key.image_id]


# --- holes ---


def test_zeros_are_holes(store: FilesystemStore) -> None:
    url = put(store, NOISE, *[bytes(MIB)] * 8, NOISE, bytes(8 * MIB), NOISE + bytes(MIB))
    status = path_of(url).stat()
    assert status.st_size == 17 * MIB + 3 * len(NOISE)
    assert status.st_blocks * 512 <= 3 * len(NOISE) + 16 * 1024


def test_zeros_inside_a_chunk_are_a_hole(store: FilesystemStore) -> None:
    url = put(store, NOISE + bytes(4 * MIB) + NOISE)
    assert path_of(url).stat().st_blocks * 512 <= 2 * len(NOISE) + 16 * 1024
    assert path_of(url).read_bytes() == NOISE + bytes(4 * MIB) + NOISE


def test_small_chunks_of_zeros_are_a_hole(store: FilesystemStore) -> None:
    url = put(store, NOISE, *[bytes(10_000)] * 500, NOISE)
    assert path_of(url).stat().st_blocks * 512 <= 2 * len(NOISE) + 16 * 1024


def test_thick_files_have_no_holes(folder: Path) -> None:
    url = put(FilesystemStore("files", folder, thin=False), NOISE, bytes(4 * MIB), NOISE)
    assert path_of(url).stat().st_blocks * 512 >= 4 * MIB + 2 * len(NOISE)


# --- failures ---


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO, errno.ESTALE])
def test_refusal_to_open(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    url = put(store, b"x")
    monkeypatch.setattr(os, "open", failing(code))
    with pytest.raises(Unavailable, match=os.strerror(code)) as caught:
        store.open_writer(new_key(), None)
    assert "/" not in str(caught.value).replace("Input/output", "")
    with pytest.raises(Unavailable):
        store.open_reader(url, 0, 1)


@pytest.mark.parametrize("function", ["fsync", "pwritev"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (errno.ENOSPC, LimitExceeded),
        (errno.EDQUOT, LimitExceeded),
        (errno.EFBIG, LimitExceeded),
        (errno.EIO, Unavailable),
    ],
)
def test_refusal_to_write(
    store: FilesystemStore,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    code: int,
    error: type[GlimpseError],
) -> None:
    writer = store.open_writer(new_key(), None)
    with monkeypatch.context() as patch:
        patch.setattr(os, function, failing(code))
        with pytest.raises(error):
            finish(writer, NOISE)
    writer.abort()
    assert list(folder.iterdir()) == []


def finish(writer: FileWriter, *chunks: bytes) -> str:
    writer.write(chunks)
    return writer.commit()


def test_failure_after_the_object_has_its_name_is_settled_by_discard(
    store: FilesystemStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = new_key()
    writer = store.open_writer(key, None)
    with monkeypatch.context() as patch:
        patch.setattr(filesystem, "sync_folder", failing(errno.EIO))
        with pytest.raises(Unavailable):
            finish(writer, NOISE)
    store.discard(key)
    assert list(folder.iterdir()) == []


def test_mark_that_cannot_be_set(
    store: FilesystemStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "setxattr", failing(errno.ENOSPC))
    with pytest.raises(LimitExceeded):
        store.open_writer(new_key(), None)
    assert list(folder.iterdir()) == []


def test_mark_that_cannot_be_read(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getxattr", failing(errno.EIO))
    with pytest.raises(Unavailable):
        store.discard(new_key())


def test_folder_that_cannot_be_synced(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    url = put(store, b"x")
    monkeypatch.setattr(os, "fsync", failing(errno.EINVAL))
    store.delete(url)


def test_delete_refused(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    url = put(store, b"x")
    monkeypatch.setattr(os, "unlink", failing(errno.EACCES))
    monkeypatch.setattr(Path, "unlink", failing(errno.EACCES))
    with pytest.raises(Unavailable):
        store.delete(url)


def test_partial_writes(store: FilesystemStore, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.pwritev

    def write_little(fd: int, buffers: list[bytes], offset: int) -> int:
        return real(fd, [memoryview(buffers[0])[:1000]], offset)

    monkeypatch.setattr(os, "pwritev", write_little)
    assert path_of(put(store, NOISE, b"", NOISE[:7])).read_bytes() == NOISE + NOISE[:7]


def test_filesystem_that_cannot_tell_its_size(
    store: FilesystemStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = os.statvfs_result([4096, 4096, 0, 0, 0, 0, 0, 0, 0, 255])
    monkeypatch.setattr(os, "statvfs", lambda path: nothing)
    assert store.usage().used is store.usage().free is None
    store.open_writer(new_key(), 1 << 60).abort()
