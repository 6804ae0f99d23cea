"""A worker that ends while its supervisor waits for a sign of life."""

import os
import signal
import time
from pathlib import Path

import pytest

from tests.faults.promises import wait_until
from tests.server import running

pytestmark = pytest.mark.faults


def workers(supervisor: int) -> set[int]:
    """The processes that serve requests."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return {int(child) for child in children if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()}


def test_nobody_waits_for_it(tmp_path: Path) -> None:
    """The supervisor does as it is told, in less time than it would wait for that sign."""
    with running(tmp_path / "glimpse", "workers = 2\n") as server:
        assert server.process is not None
        supervisor = server.process.pid
        wait_until("all are there", lambda: len(workers(supervisor)) == 2)
        silent = min(workers(supervisor))
        os.kill(silent, signal.SIGSTOP)
        # It is asked every half second.
        time.sleep(2)
        os.kill(silent, signal.SIGKILL)
        server.stop()
