"""Folders and mount points of stores of files."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse.config.backends.files import FileBackend, Timeout
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.errors import Invalid
from glimpse.stores.bounded import BoundedStore
from glimpse.stores.folders import Folder

Read = Callable[..., FileBackend]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def backend(*lines: str) -> FileBackend:
        found = settings(tmp_path, *lines).stores[0].backend
        assert isinstance(found, FileBackend)
        return found

    return backend


def settings(folder: Path, *lines: str) -> Settings:
    path = folder / "x.conf"
    path.write_text("\n".join(["[glance_store]", *lines, ""]))
    return read_settings([str(path)], state_dir=folder)


def datadirs(*folders: str) -> list[str]:
    return [f"filesystem_store_datadirs = {folder}" for folder in folders]


def test_folders_and_their_priorities(read: Read, tmp_path: Path) -> None:
    backend = read(*datadirs("/a:200", "/b", "/c:", "/d:-1", "/e : 7"))
    expected = {"/a": 200, "/b": 0, "/c": 0, "/d": -1, "/e": 7}
    assert backend.folders == tuple(Folder(Path(path), number) for path, number in expected.items())
    assert backend.properties()["data_dir"] == "/a, /b, /c, /d, /e"
    assert settings(tmp_path, *datadirs("/a", "/b")).image_folders == ((Path("/a"), Path("/b")),)


@pytest.mark.parametrize(
    "lines",
    [
        datadirs("/a:first"),
        datadirs("/a:1.5"),
        datadirs("/a:1", "/a:2"),
        datadirs("/a", "/b/../a"),
        ["filesystem_store_datadir = /a", *datadirs("/b")],
    ],
)
def test_folders_that_will_not_do(read: Read, lines: list[str]) -> None:
    with pytest.raises(Invalid, match="filesystem_store_datadirs"):
        read(*lines)


def test_stores_that_share_one_of_their_folders(tmp_path: Path) -> None:
    path = tmp_path / "x.conf"
    path.write_text(
        "[DEFAULT]\nenabled_backends = a:file,b:file\n[glance_store]\ndefault_backend = a\n"
        "[a]\nfilesystem_store_datadirs = /one\nfilesystem_store_datadirs = /two\n"
        "[b]\nfilesystem_store_datadir = /two\n"
    )
    with pytest.raises(Invalid, match="would share /two"):
        read_settings([str(path)], state_dir=tmp_path)


MOUNTS = [
    {"id": "all", "mountpoint": "/srv"},
    {"id": "fast", "mountpoint": "/srv/fast/", "share": "nfs.example:/fast"},
]


def mounts(read: Read, folder: Path, text: str) -> FileBackend:
    (folder / "mounts.json").write_text(text)
    return read(f"filesystem_store_metadata_file = {folder}/mounts.json")


def test_innermost_mount_point(read: Read, tmp_path: Path) -> None:
    backend = mounts(read, tmp_path, json.dumps(MOUNTS))
    assert backend.describe("file:///srv/fast/images/x") == MOUNTS[1]
    assert backend.describe("file:///srv/faster/x") == MOUNTS[0]
    assert backend.describe("file:///elsewhere/x") == {}
    one = mounts(read, tmp_path, json.dumps(MOUNTS[0]))
    assert one.describe("file:///srv/fast/x") == MOUNTS[0]
    assert read().describe("file:///srv/fast/x") == {}


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "7",
        "[7]",
        '{"id": "x"}',
        '{"mountpoint": "/x"}',
        '{"id": 7, "mountpoint": "/x"}',
        '{"id": "x", "mountpoint": "x"}',
        '{"id": "x", "mountpoint": "/x", "more": {}}',
    ],
)
def test_mount_points_that_will_not_do(read: Read, tmp_path: Path, text: str) -> None:
    with pytest.raises(Invalid, match="filesystem_store_metadata_file"):
        mounts(read, tmp_path, text)


def test_no_such_file_of_mount_points(read: Read) -> None:
    with pytest.raises(Invalid, match="filesystem_store_metadata_file"):
        read("filesystem_store_metadata_file = /nowhere.json")


def test_deadlines(read: Read, tmp_path: Path) -> None:
    assert read().timeout is None
    folder = f"filesystem_store_datadir = {tmp_path}/images"
    backend = read("filesystem_store_timeout = 30", folder)
    assert backend.timeout == Timeout(30, 10, 7)
    assert isinstance(backend.open("nfs"), BoundedStore)
    few = read(
        "filesystem_store_timeout = 1",
        "filesystem_store_thread_pool_size = 1",
        "filesystem_store_threadpool_threshold = 0",
    )
    assert few.timeout == Timeout(1, 1, 1)
    with pytest.raises(Invalid, match="filesystem_store_timeout"):
        read("filesystem_store_timeout = -1")


@pytest.mark.parametrize("page", ["filesystem", "http"])
def test_the_examples_of_the_pages(tmp_path: Path, page: str) -> None:
    text = (Path(__file__).parents[3] / "docs" / "stores" / f"{page}.md").read_text(encoding="utf-8")
    (tmp_path / "x.conf").write_text(text.partition("```ini\n")[2].partition("```")[0])
    read_settings([str(tmp_path / "x.conf")], state_dir=tmp_path)
    for block in text.split("```json\n")[1:]:
        json.loads(block.partition("```")[0])
