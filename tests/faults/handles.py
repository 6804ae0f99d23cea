"""What a server has open."""

import os
from pathlib import Path

from tests.server import Server


def open_images(server: Server) -> int:
    """How many handles on files of images it has."""
    return _count(server, str(server.state / "images"))


def open_sockets(server: Server) -> int:
    """How many connections it has, and what it listens on."""
    return _count(server, "socket:")


def _count(server: Server, beginning: str) -> int:
    assert server.process is not None
    number = 0
    for handle in Path(f"/proc/{server.process.pid}/fd").iterdir():
        try:
            number += os.readlink(handle).startswith(beginning)
        except FileNotFoundError:  # closed meanwhile
            continue
    return number
