"""The folders of a store of files: which of them takes a new object, and which holds one."""

import errno
import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from glimpse.domain.errors import LimitExceeded, Unavailable
from glimpse.stores.base import StoreObjectMissing, Usage

LOG = logging.getLogger(__name__)

SCHEMES = ("file", "filesystem")


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder and its priority: the highest takes new objects as long as they fit."""

    path: Path
    priority: int = 0


class Folders:
    """The folders of one store, which are made if they are not there.

    A folder that cannot be made is left out of nothing: it may come back, with the objects that it holds.

    :param file_mode: the files' permissions: whoever may use a file may pass through its folder.
    :raises Unavailable: no folder is there, and none can be made.
    """

    def __init__(self, store_id: str, folders: Sequence[Folder], file_mode: int) -> None:
        self._store_id = store_id
        self._folders = sorted(folders, key=lambda folder: -folder.priority)
        failures = [error for folder in folders if (error := self._make(folder.path, file_mode)) is not None]
        if len(failures) == len(folders):
            raise unavailable(store_id, failures[0]) from failures[0]
        # Not found out for each URL: it would mean to ask folders that do not answer.
        self._real = {os.path.realpath(folder.path): folder.path for folder in reversed(self._folders)}
        self._named = {str(folder.path) for folder in folders}

    def __iter__(self) -> Iterator[Path]:
        return iter([folder.path for folder in self._folders])

    def taking(self, size: int | None) -> list[Path]:
        """The folders with room for `size` bytes (None: any number), in the order in which they are to be
        tried: those of a higher priority first, and among equals those with more free space.

        :raises LimitExceeded: none has room. :raises Unavailable: none can tell.
        """
        fitting: list[tuple[int, int, Path]] = []
        full: list[int] = []
        failures: list[OSError] = []
        for folder in self._folders:
            try:
                free = _usage(os.statvfs(folder.path)).free
            except OSError as error:
                self.note(folder.path, error)
                failures.append(error)
                continue
            if free is not None and free < (1 if size is None else size):
                full.append(free)
            else:
                fitting.append((-folder.priority, -(free or 0), folder.path))
        if fitting:
            return [path for _, _, path in sorted(fitting, key=lambda one: one[:2])]
        if full:
            raise LimitExceeded("store capacity", max(full), size, "bytes")
        raise unavailable(self._store_id, failures[0]) from failures[0]

    def path(self, url: str) -> Path:
        """Where the object of that URL lies: directly in a folder, by whatever way the URL goes there.

        URLs are not percent-decoded, and need not have an empty host part: so Glance writes and reads them.

        :raises StoreObjectMissing: the URL leads into no folder.
        """
        scheme, _, text = url.partition("://")
        folder, _, name = text.rpartition("/")
        if scheme not in SCHEMES or not folder.startswith("/") or name[:1] in ("", "."):
            raise StoreObjectMissing(url)
        if folder in self._named:
            return Path(folder, name)
        try:
            return self._real[os.path.realpath(folder)] / name
        except (KeyError, ValueError):
            raise StoreObjectMissing(url) from None

    def usage(self) -> Usage:
        """That of the filesystems which the folders are on, each counted once.

        :raises OSError: no folder can tell.
        """
        counted: dict[int, Usage] = {}
        failure: OSError | None = None
        for folder in self._folders:
            try:
                counted[folder.path.stat().st_dev] = _usage(os.statvfs(folder.path))
            except OSError as error:
                failure = error
        if failure is not None and not counted:
            raise failure
        return Usage(
            _sum(usage.used for usage in counted.values()), _sum(usage.free for usage in counted.values())
        )

    def note(self, folder: Path, error: OSError) -> None:
        """Tell the operator that a folder takes nothing."""
        LOG.warning("store %s: the folder %s takes no data: %s", self._store_id, folder, error.strerror)

    def _make(self, folder: Path, file_mode: int) -> OSError | None:
        try:
            _make_folder(folder, file_mode)
        except OSError as error:
            self.note(folder, error)
            return error
        return None


def _make_folder(folder: Path, file_mode: int) -> None:
    passing = (0o010 if file_mode & 0o070 else 0) | (0o001 if file_mode & 0o007 else 0)
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o750 | passing)
        sync_folder(folder.parent)
        return
    mode = folder.stat().st_mode & 0o7777
    if mode & passing != passing:
        folder.chmod(mode | passing)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. :raises OSError: it cannot be done."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        # Filesystems that have no such thing as syncing a folder say so with EINVAL.
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(fd)


def unavailable(store_id: str, error: OSError) -> Unavailable:
    """The failure without its paths, which are no business of a client."""
    return Unavailable(f"store {store_id}", os.strerror(error.errno) if error.errno else "input/output error")


@contextmanager
def answering(store_id: str) -> Iterator[None]:
    """Makes :class:`Unavailable` of failures."""
    try:
        yield
    except OSError as error:
        raise unavailable(store_id, error) from error


def _usage(status: os.statvfs_result) -> Usage:
    if not status.f_blocks:
        # Some network filesystems cannot tell, and answer with zeros.
        return Usage(None, None)
    return Usage((status.f_blocks - status.f_bfree) * status.f_frsize, status.f_bavail * status.f_frsize)


def _sum(counts: Iterator[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
