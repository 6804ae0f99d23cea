"""How long a connection may keep a thread: what bounds every single wait by one deadline.

A timeout for each read is not enough. Who sends a byte now and then, of headers or of the frame around a
chunk, never runs into it, and holds the thread for as long as it pleases.
"""

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

# What is read at once where there is as much. The library asks for 64 KiB, which costs more than twice the
# processor time with large bodies.
READ_BYTES = 512 * 1024


class Deadline:
    """A moment that can be put off."""

    def __init__(self, seconds: float) -> None:
        self._at = 0.0
        self.extend(seconds)

    def extend(self, seconds: float) -> None:
        """Let that much time be left from now."""
        self._at = time.monotonic() + seconds

    def left(self, at_most: float | None = None) -> float:
        """How many seconds are left, never 0. :raises httpcore.ReadTimeout: none are."""
        left = self._at - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left if at_most is None else min(left, at_most)


class PacedNetwork(httpcore.NetworkBackend):
    """Makes connections that heed a deadline."""

    def __init__(self, deadline: Deadline) -> None:
        self._deadline = deadline
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """As the library's own."""
        timeout = self._deadline.left(timeout)
        stream = self._plain.connect_tcp(host, port, timeout, local_address, socket_options)
        return _PacedStream(stream, self._deadline)


class _PacedStream(httpcore.NetworkStream):
    def __init__(self, plain: httpcore.NetworkStream, deadline: Deadline) -> None:
        self._plain = plain
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._plain.read(max(max_bytes, READ_BYTES), self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._plain.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._plain.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        stream = self._plain.start_tls(ssl_context, server_hostname, self._deadline.left(timeout))
        return _PacedStream(stream, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._plain.get_extra_info(info)
