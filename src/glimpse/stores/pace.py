"""How long a connection may keep a thread: what bounds every single wait by one deadline.

A timeout for each read is not enough. Who sends a byte now and then, of headers or of the frame around a
chunk, never runs into it, and holds the thread for as long as it pleases.
"""

import io
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

# How much is read ahead of lines, those of a head and those around the chunks of a body.
_AHEAD_BYTES = 64 * 1024


class Deadline:
    """A moment that can be put off."""

    def __init__(self, seconds: float) -> None:
        self._at = 0.0
        self.extend(seconds)

    def extend(self, seconds: float) -> None:
        """Let that much time be left from now."""
        self._at = time.monotonic() + seconds

    def left(self, at_most: float | None = None) -> float:
        """How many seconds are left, never 0. :raises TimeoutError: none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the deadline has passed")
        return left if at_most is None else min(left, at_most)


class PacedSocket:
    """As much of a socket as `http.client` needs, which heeds a deadline; it is closed by who made it."""

    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline

    def sendall(self, data: bytes) -> None:
        """Send all of it. :raises OSError: as a socket does."""
        self._plain.settimeout(self._deadline.left())
        self._plain.sendall(data)

    def makefile(self, _: str) -> io.BufferedReader:
        """What comes, as a file."""
        return io.BufferedReader(_PacedReader(self._plain, self._deadline), _AHEAD_BYTES)

    def close(self) -> None:
        """Nothing: a body may still be read when its connection is not to be used again."""


class _PacedReader(io.RawIOBase):
    def __init__(self, plain: socket.socket, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer") -> int:
        self._plain.settimeout(self._deadline.left())
        return self._plain.recv_into(buffer)
