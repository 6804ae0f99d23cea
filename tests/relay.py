"""A way to a server, through which it is reached by another address, by TLS, badly, or not at all."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit


class Relay:
    """Passes on what comes to a port of its own to the server of a URL, and back. With `tls` it speaks HTTPS.

    `cut_after`: of each new connection, how many bytes of answers pass before it breaks; all, when none is
    left. `swallow`: the answer to the next request that begins so is lost, with its connection; `swallowed`
    counts them.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._address = self._listener.getsockname()
        place = f"127.0.0.1:{self._address[1]}"
        self.url = parts._replace(scheme="https" if tls else parts.scheme, netloc=place).geturl()
        self.cut_after: Iterator[int] = iter(())
        self.swallow: bytes | None = None
        self.swallowed = 0
        self.connections = 0
        self._open: list[socket.socket] = []
        self._start()

    def cut(self) -> None:
        """Nobody is there any more; nor does another server get the port."""
        # Without this the thread that waits would take one connection more.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(self._address)
        self.break_connections()

    def join(self) -> None:
        """Let everybody through again."""
        self._listener.listen()
        self._start()

    def close(self) -> None:
        """Break everything, and let the port go."""
        self.cut()
        self._listener.close()

    def break_connections(self) -> None:
        """Break those that are open."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _start(self) -> None:
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                limit = next(self.cut_after, None)
                threading.Thread(target=self._connect, args=(listener, near, limit), daemon=True).start()

    def _connect(self, listener: socket.socket, near: socket.socket, limit: int | None) -> None:
        with suppress(OSError):
            near = self._tls.wrap_socket(near, server_side=True) if self._tls else near
            far = socket.create_connection(self._server)
            self.connections += 1
            self._open += [near, far]
            if listener is not self._listener:
                # It was on its way in meanwhile.
                self.break_connections()
            doomed = threading.Event()
            threading.Thread(target=self._bring, args=(near, far, doomed), daemon=True).start()
            _bring_back(far, near, limit, doomed)

    def _bring(self, near: socket.socket, far: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError):
            while data := near.recv(64 * 1024):
                if self.swallow is not None and data.startswith(self.swallow):
                    self.swallow = None
                    self.swallowed += 1
                    doomed.set()
                far.sendall(data)
        _end(near, far)


def _bring_back(far: socket.socket, near: socket.socket, left: int | None, doomed: threading.Event) -> None:
    with suppress(OSError):
        while left != 0 and (data := far.recv(64 * 1024 if left is None else min(64 * 1024, left))):
            if doomed.is_set() and not data.startswith(b"HTTP/1.1 100"):
                break
            near.sendall(data)
            left = None if left is None else left - len(data)
    _end(near, far)


def _end(*sockets: socket.socket) -> None:
    for end in sockets:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
