"""Requests whose sender decides about every byte, on plain sockets."""

import contextlib
import socket
from types import TracebackType
from typing import Self

from tests.server import Server

# How long a test waits for an answer that must come: generous, because machines are busy.
ANSWER_SECONDS = 60.0


class Exchange:
    """One request on a connection of its own. What the peer does to the connection is no error here."""

    def __init__(self, server: Server, request: str, *headers: str) -> None:
        self.connection = socket.create_connection(("127.0.0.1", server.port), timeout=ANSWER_SECONDS)
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.received = b""
        lines = [f"{request} HTTP/1.1", "Host: glimpse", *headers]
        lines += [f"{name}: {value}" for name, value in server.authorization.items()]
        self.write("\r\n".join([*lines, "", ""]).encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def write(self, data: bytes) -> bool:
        """Send bytes; False if the peer does not take them any more."""
        try:
            self.connection.sendall(data)
        except (ConnectionError, TimeoutError):
            return False
        return True

    def status(self) -> int | None:
        """The status of the answer; None if the connection ends without one."""
        with contextlib.suppress(ConnectionError):
            while b"\r\n\r\n" not in self.received:
                piece = self.connection.recv(65536)
                if not piece:
                    break
                self.received += piece
        if b"\r\n\r\n" not in self.received:
            return None
        return int(self.received.split(b" ", 2)[1])

    def close(self) -> None:
        """Go away, politely or in the middle of something."""
        self.connection.close()


class Upload(Exchange):
    """A PUT of an image's data, piece by piece."""

    resource = "file"

    def __init__(self, server: Server, image: str, body: bytes, *, chunked: bool = False) -> None:
        self.image = image
        self.body = body
        self.sent = 0
        self._chunked = chunked
        framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {len(body)}"
        media = "Content-Type: application/octet-stream"
        super().__init__(server, f"PUT /v2/images/{image}/{self.resource}", framing, media)

    def send(self, count: int) -> bool:
        """Send the next bytes; False if the server does not take them any more."""
        piece = self.body[self.sent : self.sent + count]
        self.sent += len(piece)
        if not self._chunked:
            return self.write(piece)
        end = b"0\r\n\r\n" if self.sent == len(self.body) else b""
        return self.write(b"%x\r\n%b\r\n%b" % (len(piece), piece, end))

    def finish(self) -> int | None:
        """Send what is left; the status of the answer."""
        if self.sent < len(self.body):
            self.send(len(self.body))
        return self.status()
