"""Scratch folders: each is locked as long as its process works in it, so that what the dead left is known."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp

from glimpse.domain.errors import Unavailable

_PREFIX = "import."


@dataclass(frozen=True, slots=True)
class Scratch:
    """A folder of this process. `lock` is the descriptor that keeps others from removing it."""

    folder: Path
    lock: int

    def remove(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.folder, ignore_errors=True)
        os.close(self.lock)


def make_scratch(parent: Path) -> Scratch:
    """Make a scratch folder, and remove those that dead processes left beside it.

    :raises Unavailable: the parent cannot be made or written to.
    """
    try:
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Otherwise a folder could be taken for a dead one's before it is locked itself.
        with _locked(parent, fcntl.LOCK_EX):
            _sweep(parent)
            folder = Path(mkdtemp(prefix=_PREFIX, dir=parent))
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError as error:
        raise Unavailable("scratch folder", error.strerror or "it cannot be used") from error
    return Scratch(folder, lock)


def _sweep(parent: Path) -> None:
    for folder in parent.glob(f"{_PREFIX}*"):
        with suppress(OSError), _locked(folder, fcntl.LOCK_EX | fcntl.LOCK_NB):
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path, how: int) -> Iterator[None]:
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(lock, how)
        yield
    finally:
        os.close(lock)
