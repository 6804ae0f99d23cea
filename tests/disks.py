"""Disks of a test's own, that can be full, read-only, or hang. They need root and a loop device."""

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Disk:
    """A small ext4 filesystem, mounted at `mount`."""

    mount: Path

    def make_read_only(self) -> None:
        """Refuse to be written."""
        _run("mount", "-o", "remount,ro", self.mount)

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """For the length of a block let all that writes wait, as an NFS mount does whose server is gone."""
        _run("fsfreeze", "--freeze", self.mount)
        try:
            yield
        finally:
            _run("fsfreeze", "--unfreeze", self.mount)


@contextlib.contextmanager
def mounted(folder: Path, mebibytes: int) -> Iterator[Disk]:
    """A disk of that size, for the length of a block. Skips the test where there can be none."""
    image, mount = folder / "disk.img", folder / "disk"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(mebibytes * 2**20)
    try:
        _run("mkfs.ext4", "-q", image)
        _run("mount", "-o", "loop", image, mount)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk of one's own needs root, mkfs.ext4 and a loop device")
    try:
        yield Disk(mount)
    finally:
        _run("umount", "--lazy", mount)


def _run(*words: str | Path) -> None:
    subprocess.run(words, check=True, capture_output=True)
