"""`glance-scrubber` as an operator runs it: once, as a daemon, several of them, and to restore an image."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.commands.scrubbing import Place
from tests.contract.records.conftest import empty_url, server

# The databases of the contract suites.
__all__ = ["empty_url", "server"]

SECONDS = 60


@pytest.fixture
def place(tmp_path: Path, empty_url: str) -> Iterator[Place]:
    if "program_name" in empty_url:
        pytest.skip("the records' own suite looks at PyMySQL's words")
    made = Place(tmp_path, empty_url)
    yield made
    made.stop()


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Place]:
    """A place on SQLite."""
    made = Place(tmp_path, f"sqlite:///{tmp_path}/db")
    yield made
    made.stop()


def wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_one_run_removes_what_is_old_enough(place: Place) -> None:
    old, recent = place.pending(3, age=900), place.pending(1, age=0)
    place.write("scrub_time = 600\nscrub_pool_size = 2")
    status, output = place.run()
    assert (status, "Removed images: 3. Not removed yet: 0." in output) == (0, True), output
    assert (place.statuses(old), place.statuses(recent)) == ({"deleted"}, {"pending_delete"})
    assert [path.name for path in place.images.iterdir()] == recent
    status, output = place.run()
    assert (status, "Removed images: 0. Not removed yet: 0." in output) == (0, True), output


def test_restore(place: Place) -> None:
    [image] = place.pending(1)
    assert place.run("--restore", image)[0] == 0
    assert place.statuses([image]) == {"active"}
    assert "Removed images: 0." in place.run()[1]
    assert [path.name for path in place.images.iterdir()] == [image]
    status, output = place.run("--restore", image)
    assert (status, output) == (1, f"ERROR: Image {image} is not pending_delete, but active.\n")
    assert place.run("--restore", "unknown")[0] == 1


def test_a_restore_is_no_daemon(local: Place) -> None:
    assert local.run("--restore", "x", "--daemon") == (
        1,
        "ERROR: --restore and --daemon exclude each other\n",
    )


def test_without_tables_it_says_what_to_do(tmp_path: Path) -> None:
    made = Place(tmp_path, f"sqlite:///{tmp_path}/db")
    (tmp_path / "db").unlink()
    status, output = made.run()
    assert (status, "glance-manage db sync" in output) == (1, True)


def test_several_share_the_work_and_one_may_die(place: Place) -> None:
    place.write("wakeup_time = 1\nscrub_pool_size = 2")
    images = place.pending(60)
    logs = [place.folder / f"log{number}" for number in range(3)]
    daemons = [place.launch("--daemon", "--log-file", str(log)) for log in logs]
    removed = re.compile(r"removed image (\S+)")

    def told() -> list[str]:
        return [name for log in logs if log.exists() for name in removed.findall(log.read_text())]

    wait(lambda: len(told()) > 5)
    leader = next(
        number for number, log in enumerate(logs) if log.exists() and "has the lead" in log.read_text()
    )
    daemons[leader].kill()
    wait(lambda: place.statuses(images) == {"deleted"})
    assert list(place.images.iterdir()) == []
    names = told()
    assert len(names) == len(set(names))
    # Another takes the lead, and what is deleted now is found.
    later = place.pending(1)
    wait(lambda: place.statuses(later) == {"deleted"})
    for number, daemon in enumerate(daemons):
        daemon.terminate()
        assert daemon.wait(30) == (-signal.SIGKILL if number == leader else 0)


def test_what_cannot_be_removed_is_told_and_can_be_restored(local: Place) -> None:
    local.scheme = "nowhere"
    [image] = local.pending(1)
    for _ in range(2):
        status, output = local.run()
        assert (status, "Removed images: 0. Not removed yet: 1." in output) == (0, True), output
        time.sleep(1.1)
    assert "none is configured here for this 'nowhere' location" in output
    command = [sys.executable, "-m", "glimpse", "job", "list", "--config-file", str(local.config)]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ).stdout
    assert re.search(rf"{image} .*scrub .*waiting for attempt 3 after: .*nowhere", listed)
    assert local.run("--restore", image)[0] == 0
    assert local.statuses([image]) == {"active"}
