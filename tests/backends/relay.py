"""A way to a server, through which it is reached by another address, by TLS, or badly."""

import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Relay:
    """Passes on what comes to its own port.

    `cut_after`: every connection breaks when so many bytes have come back through it. `swallow`: the answer
    to the next request that begins so is lost, with its connection; `swallowed` counts them.
    """

    def __init__(self, target: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "", parts.port or 80)
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self.cut_after: int | None = None
        self.swallow: bytes | None = None
        self.swallowed = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Let nobody in any more."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                threading.Thread(target=self._join, args=(near,), daemon=True).start()

    def _join(self, near: socket.socket) -> None:
        with suppress(OSError):
            near = self._tls.wrap_socket(near, server_side=True) if self._tls else near
            far = socket.create_connection(self._target)
            self.connections += 1
            doomed = threading.Event()
            threading.Thread(target=self._bring, args=(near, far, doomed), daemon=True).start()
            self._bring_back(far, near, doomed)

    def _bring(self, near: socket.socket, far: socket.socket, doomed: threading.Event) -> None:
        with suppress(OSError), near, far:
            while data := near.recv(65536):
                if self.swallow is not None and data.startswith(self.swallow):
                    self.swallow = None
                    self.swallowed += 1
                    doomed.set()
                far.sendall(data)

    def _bring_back(self, far: socket.socket, near: socket.socket, doomed: threading.Event) -> None:
        left = self.cut_after
        with suppress(OSError), near, far:
            while data := far.recv(65536):
                if doomed.is_set() and not data.startswith(b"HTTP/1.1 100"):
                    break
                near.sendall(data if left is None else data[:left])
                if left is not None:
                    left -= len(data)
                    if left <= 0:
                        break
            for end in (near, far):
                end.shutdown(socket.SHUT_RDWR)
