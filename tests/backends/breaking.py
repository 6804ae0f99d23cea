"""A relay in front of a server, which breaks connections as a bad network does."""

import socket
import ssl
import threading
from contextlib import suppress
from urllib.parse import urlsplit


class Relay:
    """Passes bytes on to the server of a URL and back.

    With `tls` it speaks HTTPS to clients.

    `cut_after`: so many bytes of answers pass on the next connections, one number for each; then they break.
    """

    def __init__(self, url: str, tls: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._tls = tls
        port, scheme = self._listener.getsockname()[1], "https" if tls else parts.scheme
        self.url = parts._replace(scheme=scheme, netloc=f"127.0.0.1:{port}").geturl()
        self.cut_after: list[int] = []
        self.connections = 0
        self._closed = False
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Break everything, and refuse new connections."""
        self._closed = True
        address = self._listener.getsockname()
        # Without this the thread that waits would take one connection more.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        # Keep the port, or another server may get it while it is still asked for.
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(address)
        self.break_connections()

    def release(self) -> None:
        """Break everything, and let the port go."""
        self.break_connections()
        self._listener.close()

    def break_connections(self) -> None:
        """Break those that are open."""
        for end in self._open:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        listener = self._listener
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                if self._tls is not None:
                    try:
                        client = self._tls.wrap_socket(client, server_side=True)
                    except OSError:
                        continue
                server = socket.create_connection(self._server)
                self.connections += 1
                limit = self.cut_after.pop(0) if self.cut_after else None
                self._open += [client, server]
                if self._closed:
                    # It was on its way in meanwhile.
                    self.break_connections()
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
