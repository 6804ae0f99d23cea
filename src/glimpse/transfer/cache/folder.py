"""The folder of the cache, as Glance lays it out, shared by all processes of a host.

    <image id>              the data of an image, verified
    incomplete/<image id>   data that is being fetched; whoever fetches it holds a lock on it
    invalid/<image id>      data that was not the image's
    queue/<image id>        where Glance noted what to fetch

Locks are those of `flock`: the system lets go of them when their process ends, however it ends. A name is
taken from a file only by whoever has the lock on it, and only if the name is still that file's.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO
from uuid import UUID, uuid4

from glimpse.domain.errors import Invalid

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL
# Somebody else may take over what a dead process left, or just look whether it is dead.
_TAKE_OVERS = 10
_LOOK_SECONDS = 0.002
_NOT_THERE = frozenset({errno.ENOENT, errno.ELOOP, errno.ENXIO})


class Place(Enum):
    """Where a file that was incomplete is now."""

    INCOMPLETE = "incomplete"
    CACHED = "cached"
    INVALID = "invalid"
    GONE = "gone"


@dataclass(frozen=True, slots=True)
class CacheFolder:
    """The folder. All methods raise OSError if the disk does."""

    root: Path

    def prepare(self) -> None:
        """Make the folders that are missing. :raises Invalid: they cannot be made."""
        try:
            for folder in (self.root, *map(self._sub, ("incomplete", "invalid", "queue"))):
                folder.mkdir(mode=0o750, parents=True, exist_ok=True)
        except OSError as error:
            raise Invalid("image_cache_dir", f"{error.filename}: {error.strerror}") from None

    def open(self, image_id: str) -> BinaryIO | None:
        """The data of an image, if there is any. Whether it will do is for the caller to judge."""
        return _open(self.root / image_id)

    def open_incomplete(self, image_id: str) -> BinaryIO | None:
        """What somebody has begun to fetch."""
        return _open(self._sub("incomplete") / image_id)

    def begin(self, image_id: str) -> BinaryIO | None:
        """An empty file for the data of an image, locked; None while another process has it.

        It is locked before it has its name, so that one without a lock has been left by a process that died.
        That one makes room for a new file, since somebody may still read from it.
        """
        path, born = (
            self._sub("incomplete") / image_id,
            self._sub("incomplete") / f".{image_id}.{uuid4().hex}",
        )
        file = os.fdopen(os.open(born, _NEW, 0o640), "r+b", buffering=0)
        try:
            lock(file)
            for _ in range(_TAKE_OVERS):
                with suppress(FileExistsError):
                    path.hardlink_to(born)
                    return file
                if not _take_away(path):
                    break
        finally:
            born.unlink()
        file.close()
        return None

    def publish(self, image_id: str, file: BinaryIO) -> bool:
        """Give verified data its name; False if somebody gave the file up meanwhile."""
        if self.place(image_id, file) is not Place.INCOMPLETE:
            return False
        (self._sub("incomplete") / image_id).rename(self.root / image_id)
        return True

    def reject(self, image_id: str, file: BinaryIO) -> None:
        """Lay aside data that is not the image's."""
        if self.place(image_id, file) is Place.INCOMPLETE:
            (self._sub("incomplete") / image_id).rename(self._sub("invalid") / image_id)

    def give_up(self, image_id: str, file: BinaryIO) -> None:
        """Remove what was fetched."""
        if self.place(image_id, file) is Place.INCOMPLETE:
            (self._sub("incomplete") / image_id).unlink()

    def place(self, image_id: str, file: BinaryIO) -> Place:
        """Where a file that was opened as incomplete is now."""
        for folder, place in (
            (self._sub("incomplete"), Place.INCOMPLETE),
            (self.root, Place.CACHED),
            (self._sub("invalid"), Place.INVALID),
        ):
            if _is_at(file, folder / image_id):
                return place
        return Place.GONE

    def evict(self, image_id: str) -> bool:
        """Remove the data of an image, unless it is just being published. Who reads it reads on."""
        file = self.open(image_id)
        if file is None:
            return False
        with file:
            return lock(file) and _remove(file, self.root / image_id)

    def cached(self) -> Iterator[str]:
        """The ids of the images that there is data of, be it good or not."""
        return _ids(self.root)

    def queued(self) -> Iterator[str]:
        """The ids of what Glance has left in its queue."""
        return _ids(self._sub("queue"))

    def unqueue(self, image_id: str) -> None:
        """Take a mark out of Glance's queue."""
        (self._sub("queue") / image_id).unlink(missing_ok=True)

    def clean(self, stalled: float) -> int:
        """Remove what is invalid, what nobody fetches any more, and what has got nothing since `stalled`
        (seconds since the epoch); how many files that were.
        """
        removed = 0
        for name in _ids(self._sub("invalid")):
            (self._sub("invalid") / name).unlink(missing_ok=True)
            removed += 1
        for path in self._sub("incomplete").iterdir():
            file = _open(path)
            if file is None:
                continue
            with file:
                if lock(file) or os.fstat(file.fileno()).st_mtime < stalled:
                    removed += _remove(file, path)
        return removed

    def free(self) -> int:
        """How many bytes fit on the disk."""
        status = os.statvfs(self.root)
        return status.f_bavail * status.f_frsize

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Whether no other process is doing for this block what needs to be done once."""
        with (self.root / ".lock").open("ab") as file:
            yield lock(file)

    def _sub(self, name: str) -> Path:
        return self.root / name


def lock(file: BinaryIO) -> bool:
    """Take the lock on a file, until that is closed; False if somebody has it."""
    with suppress(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def is_locked(file: BinaryIO) -> bool:
    """Whether somebody else has the lock on a file."""
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def unlock(file: BinaryIO) -> None:
    """Let go of the lock on a file that stays open."""
    fcntl.flock(file, fcntl.LOCK_UN)


def reopened(file: BinaryIO) -> BinaryIO:
    """The same file, whatever its name is now, with a position and a lock of its own."""
    return open(f"/proc/self/fd/{file.fileno()}", "rb", buffering=0)  # noqa: PTH123 - not a path to walk


def is_image_id(name: str) -> bool:
    """Whether a name is an image's id, as this service makes them."""
    try:
        return str(UUID(name)) == name
    except ValueError:
        return False


def _open(path: Path) -> BinaryIO | None:
    try:
        file = os.fdopen(os.open(path, _READ), "rb", buffering=0)
    except OSError as error:
        if error.errno in _NOT_THERE:
            return None
        raise
    if not S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        return None
    return file


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.lstat())
    except FileNotFoundError:
        return False


def _take_away(path: Path) -> bool:
    """Remove what a dead process left; False if somebody is at it, or it is no file."""
    file = _open(path)
    if file is None:
        return not os.path.lexists(path)
    with file:
        for _ in range(_TAKE_OVERS):
            if lock(file):
                _remove(file, path)
                return True
            time.sleep(_LOOK_SECONDS)
    return False


def _remove(file: BinaryIO, path: Path) -> bool:
    there = _is_at(file, path)
    if there:
        path.unlink(missing_ok=True)
    return there


def _ids(folder: Path) -> Iterator[str]:
    return (name for name in sorted(os.listdir(folder)) if is_image_id(name))  # noqa: PTH208 - names alone
