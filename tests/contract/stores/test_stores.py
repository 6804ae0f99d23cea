import errno
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest

from glimpse.metrics.counted import MeasuredStore
from glimpse.stores.base import Store
from glimpse.stores.bounded import BoundedStore
from glimpse.stores.callers import Callers
from glimpse.stores.filesystem import FilesystemStore
from glimpse.stores.folders import Folder
from glimpse.stores.memory import MemoryStore
from tests.contract.stores.suite import MIB, Backend, StoreSuite


class MemoryBackend:
    def __init__(self) -> None:
        self._memory = MemoryStore("memory")
        self._full = MemoryStore("full", capacity=4 * MIB)

    @property
    def store(self) -> Store:
        return self._memory

    def full_store(self) -> Store:
        return self._full

    def truncate(self, url: str, size: int) -> None:
        image_id = url.rpartition("/")[2].partition(".")[0]
        found = self._memory._objects[image_id]
        self._memory._used -= found.size - size
        self._memory._objects[image_id] = replace(found, chunks=(b"".join(found.chunks)[:size],), size=size)

    def leftovers(self) -> Sequence[str]:
        used = [store.usage().used for store in (self._memory, self._full)]
        return [] if used == [0, 0] else [f"bytes in use: {used}"]


class FilesystemBackend:
    def __init__(self, folder: Path, *, thin: bool, several: bool = False, bounded: bool = False) -> None:
        self._thin = thin
        self._bounded = bounded
        self._several = several
        self._folder = folder / "images"
        self._mount = folder / "mount"
        self._small = self._mount / "images"
        self._files = self._made("files", self._folder)

    @property
    def store(self) -> Store:
        return self._files

    def full_store(self) -> Store:
        self._mount.mkdir()
        image = self._mount.with_suffix(".img")
        with image.open("wb") as file:
            file.truncate(8 * MIB)
        commands: list[list[str | Path]]
        commands = [["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, self._mount]]
        for command in commands:
            try:
                subprocess.run(command, check=True, capture_output=True)
            except (OSError, subprocess.CalledProcessError):
                pytest.skip("a small filesystem needs root, mkfs.ext4 and a loop device")
        return self._made("small", self._small)

    def _made(self, name: str, folder: Path) -> Store:
        more = [Folder(folder.with_name("more"), priority=1)] if self._several else []
        store = FilesystemStore(name, folder, *more, thin=self._thin)
        return BoundedStore(store, Callers(name, 10, 10), 60) if self._bounded else store

    def truncate(self, url: str, size: int) -> None:
        os.truncate(url.removeprefix("file://"), size)

    def leftovers(self) -> Sequence[str]:
        return [
            path.name
            for place in (self._folder, self._small)
            for folder in (place, place.with_name("more"))
            if folder.is_dir()
            for path in folder.iterdir()
        ]

    def close(self) -> None:
        if self._mount.is_mount():
            subprocess.run(["umount", self._mount], check=True)


class MeasuredBackend(MemoryBackend):
    @property
    def store(self) -> Store:
        return MeasuredStore(self._memory)

    def full_store(self) -> Store:
        return MeasuredStore(self._full)


class TestMeasured(StoreSuite):
    server = "the memory of the tests, measured"

    @pytest.fixture
    def backend(self) -> Backend:
        return MeasuredBackend()


class TestMemory(StoreSuite):
    server = "the memory of the tests"

    @pytest.fixture
    def backend(self) -> Backend:
        return MemoryBackend()


class TestFilesystem(StoreSuite):
    server = "a folder of this machine"

    @pytest.fixture(params=[True, False], ids=["thin", "thick"])
    def backend(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Backend]:
        backend = FilesystemBackend(tmp_path, thin=request.param)
        yield backend
        backend.close()


class TestFilesystemInTwoFolders(StoreSuite):
    server = "a folder of this machine"

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        backend = FilesystemBackend(tmp_path, thin=True, several=True)
        yield backend
        backend.close()


class TestFilesystemWithDeadlines(StoreSuite):
    server = "a folder of this machine"

    @pytest.fixture
    def backend(self, tmp_path: Path) -> Iterator[Backend]:
        backend = FilesystemBackend(tmp_path, thin=True, bounded=True)
        yield backend
        backend.close()


class TestFilesystemWithoutMarks(StoreSuite):
    """As on NFS 3, which has no extended attributes."""

    server = "a folder of this machine"

    @pytest.fixture
    def backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
        def refuse(*args: object, **kwargs: object) -> NoReturn:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        monkeypatch.setattr(os, "setxattr", refuse)
        monkeypatch.setattr(os, "getxattr", refuse)
        backend = FilesystemBackend(tmp_path, thin=True)
        yield backend
        backend.close()


class TestFilesystemWithoutHardLinks(StoreSuite):
    """As on FAT, and on some FUSE filesystems."""

    server = "a folder of this machine"

    @pytest.fixture
    def backend(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
        def refuse(*args: object, **kwargs: object) -> NoReturn:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
        backend = FilesystemBackend(tmp_path, thin=True)
        yield backend
        backend.close()
