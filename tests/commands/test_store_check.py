"""`glimpse store check` is interrupted."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SECONDS = 30


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_stays_after_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    words = [sys.executable, "-m", "glimpse", "store", "check", "file", "--size", "4000"]
    process = subprocess.Popen(
        [*words, "--state-dir", str(tmp_path)],
        stderr=subprocess.PIPE,
        text=True,
        # What a shell starts in the background ignores it, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    images, deadline = tmp_path / "images", time.monotonic() + SECONDS
    while not (images.is_dir() and any(images.iterdir())):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(number)
    _, said = process.communicate(timeout=SECONDS)
    assert process.returncode == 1
    assert said.strip() == "Aborted!"
    assert list(images.iterdir()) == []
