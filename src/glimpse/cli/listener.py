"""The socket that all workers accept connections from."""

import os
import socket
from collections.abc import Callable
from multiprocessing.reduction import DupFd
from typing import Any

from glimpse.domain.errors import Unavailable


class Listener(socket.socket):
    """A listening socket that gives one connection in each turn of the event loop.

    asyncio takes all connections that wait at once. So the first of several workers to wake up got a whole
    burst of clients, and with clients that keep their connections all their later requests, while the others
    had nothing to do. When each takes one, the least busy worker comes back for the next one first.
    """

    __slots__ = ("_given",)

    def __init__(self, family: int, kind: int, protocol: int, fileno: int | None = None) -> None:
        super().__init__(family, kind, protocol, fileno)
        self._given = False

    def accept(self) -> tuple[socket.socket, object]:
        """The next connection and its peer's address. :raises BlockingIOError: it is the next turn's."""
        if self._given:
            self._given = False
            raise BlockingIOError
        accepted = super().accept()
        self._given = True
        # Another worker that woke up for the next connection runs now, before this one's next turn.
        os.sched_yield()
        return accepted

    def __reduce__(self) -> tuple[Callable[..., "Listener"], tuple[object, ...]]:
        """For the workers, which get it from their parent process."""
        return _rebuild, (int(self.family), int(self.type), self.proto, DupFd(self.fileno()))


def _rebuild(family: int, kind: int, protocol: int, descriptor: Any) -> Listener:
    return Listener(family, kind, protocol, descriptor.detach())


def bind(host: str, port: int) -> Listener:
    """A listener for workers on an address. :raises Unavailable: the address is taken, or not this host's."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol said, asyncio finds out that it is TCP and switches Nagle's delay off; otherwise the
    # second packet of each answer waits 40 ms for the client's acknowledgement of the first.
    listener = Listener(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise Unavailable(f"address {host}:{port}", error.strerror or "it cannot be bound") from None
    listener.set_inheritable(True)
    return listener
