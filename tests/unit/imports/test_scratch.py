"""Scratch folders: what the dead left goes, what the living use stays."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.imports.scratch import make_scratch

PROGRAM = """
import sys
from pathlib import Path
from glimpse.imports.scratch import make_scratch
scratch = make_scratch(Path(sys.argv[1]))
(scratch.folder / "source").write_bytes(b"words")
print(scratch.folder, flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process(parent: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process with a scratch folder of its own, until it is killed."""
    command = [sys.executable, "-c", PROGRAM, str(parent)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process, Path(process.stdout.readline().strip())
        finally:
            process.kill()


def test_a_folder_comes_and_goes(tmp_path: Path) -> None:
    parent = tmp_path / "a" / "b"
    scratch = make_scratch(parent)
    assert (scratch.folder.parent, parent.stat().st_mode & 0o777) == (parent, 0o700)
    (scratch.folder / "deep").mkdir()
    scratch.remove()
    assert list(parent.iterdir()) == []


def test_folders_of_one_process_leave_each_other_alone(tmp_path: Path) -> None:
    first, second = make_scratch(tmp_path), make_scratch(tmp_path)
    assert first.folder.is_dir()
    first.remove()
    assert list(tmp_path.iterdir()) == [second.folder]
    second.remove()


def test_only_the_dead_are_swept(tmp_path: Path) -> None:
    (tmp_path / "keep").mkdir()
    (tmp_path / "import.file").write_text("not a folder")
    with another_process(tmp_path) as (process, folder):
        make_scratch(tmp_path).remove()
        assert (folder / "source").read_bytes() == b"words"
        process.kill()
        process.wait(10)
        assert folder.is_dir()
        make_scratch(tmp_path).remove()
        assert sorted(path.name for path in tmp_path.iterdir()) == ["import.file", "keep"]


def test_a_parent_that_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Unavailable, match="scratch folder") as refused:
        make_scratch(tmp_path / "file" / "folder")
    assert str(tmp_path) not in str(refused.value)
