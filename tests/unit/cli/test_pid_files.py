"""Whose processes `glance-control` touches, and where it writes down their numbers."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from glimpse.cli import pid_files
from glimpse.cli.pid_files import VARIABLE, PidFile, find_pid_file, new_pid_file
from glimpse.domain.errors import Unavailable

SLEEP = [sys.executable, "-c", "import time; print(flush=True); time.sleep(60)"]


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """The usual folder, and this user's."""
    usual, own = tmp_path / "run", tmp_path / f"glance-{os.geteuid()}"
    monkeypatch.setattr(pid_files, "FOLDER", usual)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return usual, own


@pytest.mark.parametrize(("leader", "marked"), [(True, True), (False, True), (True, False)])
def test_only_a_server_of_the_file_is_found(tmp_path: Path, leader: bool, marked: bool) -> None:
    file = PidFile(tmp_path / "api.pid")
    mark = str(tmp_path / ("api.pid" if marked else "other.pid"))
    with subprocess.Popen(
        SLEEP, env={VARIABLE: mark}, start_new_session=leader, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        file.path.write_text(f"{process.pid}\n")
        with file.server() as server:
            assert (server is not None) == (leader and marked)
        process.kill()
        process.wait()
        with file.server() as server:
            assert server is None


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "99999999999999999999", "4194305"])
def test_nonsense_is_nobody(tmp_path: Path, text: str) -> None:
    file = PidFile(tmp_path / "api.pid")
    file.path.write_text(text)
    with file.server() as server:
        assert server is None


def test_the_file_of_another_process_is_not_removed(tmp_path: Path) -> None:
    file = PidFile(tmp_path / "api.pid")
    file.path.write_text("12\n")
    file.forget(11)
    assert file.path.exists()
    file.forget(12)
    assert not file.path.exists()


def test_the_usual_folder_is_made(folders: tuple[Path, Path]) -> None:
    usual, _ = folders
    assert new_pid_file("glance-api") == PidFile(usual / "glance-api.pid")
    assert usual.is_dir()


def test_where_that_cannot_be_there_is_a_folder_of_ones_own(
    folders: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, own = folders
    monkeypatch.setattr(pid_files, "FOLDER", Path("/proc/nowhere"))
    assert new_pid_file("glance-api") == PidFile(own / "glance-api.pid") == find_pid_file("glance-api")
    own.chmod(0o777)
    with pytest.raises(Unavailable):
        new_pid_file("glance-api")
    own.rmdir()
    own.symlink_to(own.parent)
    with pytest.raises(Unavailable):
        new_pid_file("glance-api")
