"""A Swift of a test's own, which can be killed, with the programs that are installed for the shared one."""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest

_ROOT = Path(__file__).parents[2]
_SHARED = _ROOT / ".services" / "swift"


class OwnSwift:
    """Swift on other ports. What it tells of itself is in `folder`."""

    def __init__(self, folder: Path) -> None:
        home = folder / "swift"
        home.mkdir(parents=True)
        (home / "environment").symlink_to(_SHARED / "environment")
        shutil.copy(_SHARED / "installed", home / "installed")
        self.folder = folder
        self._environment = os.environ | {
            "GLIMPSE_SERVICES_DIR": str(folder),
            "GLIMPSE_SWIFT_PORT": str(_free_ports(7)),
        }

    def start(self) -> None:
        """Start it, or start it again with what it has on its disk."""
        self._call("up")

    def kill(self) -> None:
        """All its processes at once, as when the power fails."""
        pid = int((self.folder / "swift" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        self._call("down")

    def _call(self, verb: str) -> None:
        command = [str(_ROOT / "services" / verb), "swift"]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)


def _free_ports(count: int) -> int:
    """The first of so many ports that nobody listens to."""
    for first in range(25_900, 26_900, count):
        with suppress(OSError):
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
            return first
    pytest.skip("there are no free ports")
