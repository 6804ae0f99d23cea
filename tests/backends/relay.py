"""A relay in front of a server, which breaks connections as a bad network does."""

import socket
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on to the server of a URL and back.

    `cut_after`: so many bytes of answers pass on the next connections, one number for each; then they break.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = parts._replace(netloc=f"127.0.0.1:{self._listener.getsockname()[1]}").geturl()
        self.cut_after: list[int] = []
        self.connections = 0
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break everything, and refuse new connections."""
        # Without this the thread that waits would take one connection more.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.break_connections()

    def break_connections(self) -> None:
        """Break those that are open."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                self.connections += 1
                limit = self.cut_after.pop(0) if self.cut_after else None
                self._open += [client, server]
                for source, target, left in ((client, server, None), (server, client, limit)):
                    threading.Thread(target=_pass_on, args=(source, target, left), daemon=True).start()


def _pass_on(source: socket.socket, target: socket.socket, left: int | None) -> None:
    with suppress(OSError):
        while data := source.recv(64 * 1024 if left is None else min(64 * 1024, left)):
            target.sendall(data)
            if left is not None:
                left -= len(data)
                if left == 0:
                    break
    for end in (source, target):
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
