"""What other processes leave behind when they are killed or limited."""

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from glimpse.domain.errors import LimitExceeded
from glimpse.stores import filesystem, folders
from glimpse.stores.base import ObjectKey
from glimpse.stores.filesystem import FilesystemStore
from tests.unit.stores.helpers import MIB, NOISE, failing, new_key


def in_child(action: Callable[[], None]) -> int:
    """Run `action` in a process of its own, and return how that ended: its exit code, or less a signal."""
    child = os.fork()
    if child == 0:
        try:
            action()
        except BaseException:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_file_size_limit(store: FilesystemStore, folder: Path) -> None:
    def upload() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, MIB))
        writer = store.open_writer(new_key(), None)
        with pytest.raises(LimitExceeded):
            writer.write([NOISE] * 20)
        writer.abort()

    assert in_child(upload) == 0
    assert list(folder.iterdir()) == []


def die_at_line(count: int) -> Callable[[FrameType, str, object], Any]:
    """A trace function that kills the process before line `count` of the store's modules is run."""
    left = iter(range(count))

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in (filesystem.__file__, folders.__file__):
            return None
        if event == "line" and next(left, None) is None:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def kills(store: FilesystemStore) -> Iterator[ObjectKey]:
    """Uploads that were killed before each line of commit in turn, until one comes through."""
    for count in range(500):
        key = new_key()

        def upload(key: ObjectKey = key, count: int = count) -> None:
            writer = store.open_writer(key, None)
            writer.write([NOISE])
            sys.settrace(die_at_line(count))
            writer.commit()
            sys.settrace(None)

        ended = in_child(upload)
        assert ended in (0, -signal.SIGKILL)
        yield key
        if ended == 0:
            assert count > 20
            return
    pytest.fail("commit never ended")


@pytest.mark.parametrize("lacking", ["nothing", "marks", "hard links"])
def test_kill_at_any_line_of_commit(
    store: FilesystemStore, folder: Path, monkeypatch: pytest.MonkeyPatch, lacking: str
) -> None:
    if lacking == "marks":
        monkeypatch.setattr(os, "setxattr", failing(errno.EOPNOTSUPP))
    if lacking == "hard links":
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    seen: set[tuple[str, ...]] = set()
    for key in kills(store):
        seen.add(
            tuple(
                sorted(
                    path.name.replace(key.image_id, "ID").replace(key.attempt, "A")
                    for path in folder.iterdir()
                )
            )
        )
        store.discard(key)
        assert list(folder.iterdir()) == []
    # The kills fell before the object had its name and after, and in between where it has two for a moment.
    assert len(seen) == (3 if lacking == "nothing" else 2)
