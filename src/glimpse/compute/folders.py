"""Folders and small documents of the compute side: locked across processes, written durably."""

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.stores.folders import sync_folder

# What is being made or taken away has such a name; nobody but its maker looks at it.
_HIDDEN = "."


@contextmanager
def locked(folder: Path, *, shared: bool = False, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a folder, which is made if it is not there. A process that dies lets go of it.

    :raises Conflict: without `wait`: another process holds it. :raises Unavailable: it cannot be made.
    """
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    while True:
        descriptor = _open(folder)
        try:
            _lock(folder, descriptor, how)
            # Whoever held it before may have taken the folder away, and others made it anew.
            if _is_still(folder, descriptor):
                yield
                return
        finally:
            os.close(descriptor)


def _lock(folder: Path, descriptor: int, how: int) -> None:
    try:
        fcntl.flock(descriptor, how)
    except BlockingIOError:
        raise Conflict(f"{folder.name} is in use by another command.") from None


def _open(folder: Path) -> int:
    while True:
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            return os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise Unavailable("state folder", error.strerror or "it cannot be used") from error


def _is_still(folder: Path, descriptor: int) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(folder.stat(), os.fstat(descriptor))
    return False


def folders(parent: Path) -> list[Path]:
    """The folders that are complete, by name."""
    if not parent.is_dir():
        return []
    return sorted(one for one in parent.iterdir() if one.is_dir() and not one.name.startswith(_HIDDEN))


@contextmanager
def in_the_making(folder: Path) -> Iterator[Path]:
    """A hidden folder that becomes `folder` when the block ends well, and else is removed.

    What dead processes left hidden beside it is removed first.
    """
    sweep(folder.parent)
    hidden = folder.with_name(f"{_HIDDEN}{folder.name}")
    with locked(hidden):
        try:
            yield hidden
            sync_folder(hidden)
            hidden.rename(folder)
            sync_folder(folder.parent)
        except BaseException:
            shutil.rmtree(hidden, ignore_errors=True)
            raise


def remove(folder: Path) -> None:
    """Take a folder away at once, then delete what is in it. Call it with the folder locked."""
    hidden = folder.with_name(f"{_HIDDEN}{folder.name}")
    folder.rename(hidden)
    sync_folder(folder.parent)
    shutil.rmtree(hidden)


def sweep(parent: Path) -> None:
    """Delete what dead processes left hidden in a folder."""
    for folder in parent.glob(f"{_HIDDEN}?*/"):
        with suppress(OSError, Conflict), locked(folder, wait=False):
            shutil.rmtree(folder)


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    """Write JSON durably: readers see the whole of it, or what was there before."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(document, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
    sync_folder(path.parent)


def read_document(path: Path) -> dict[str, Any] | None:
    """What `write_document` wrote; None: nothing is there. :raises Unavailable: it is damaged."""
    try:
        found = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValueError:
        raise Unavailable(f"file {path.name}", f"{path} is no JSON document") from None
    if not isinstance(found, dict):
        raise Unavailable(f"file {path.name}", f"{path} is no JSON object")
    return found
