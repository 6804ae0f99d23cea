"""Connections that are kept, to a server on the loopback that counts them."""

import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from glimpse.config.registry import RegistryLink
from glimpse.registry import connections
from glimpse.registry.connections import Connections
from tests.server import free_port


class Echo(BaseHTTPRequestHandler):
    """Answers with what it gets, and ends the connection as it is told."""

    protocol_version = "HTTP/1.1"
    server: "Server"

    def setup(self) -> None:
        """Count connections."""
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        """Send it back."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/silent":
            self.close_connection = True
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        if self.path == "/last":
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)
        # Without a word of it before.
        self.close_connection = self.path == "/gone"

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """The server."""

    daemon_threads = True
    connections = 0


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Echo) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def way(server: Server) -> Iterator[Connections]:
    way = Connections(RegistryLink("127.0.0.1", server.server_port, tls=False, timeout=10))
    yield way
    way.close()


def post(way: Connections, path: str = "/") -> None:
    assert way.post(path, {"x-name": "value"}, b"body") == (200, b"body")


def test_a_connection_is_used_again(way: Connections, server: Server) -> None:
    post(way)
    post(way)
    assert server.connections == 1


@pytest.mark.parametrize("path", ["/last", "/gone"])
def test_one_that_the_other_side_has_closed_is_not(way: Connections, server: Server, path: str) -> None:
    post(way, path)
    if path == "/gone":
        # It is closed a moment after the answer.
        while connections._is_alive(way._idle[-1][1]):
            pass
    post(way)
    assert server.connections == 2


def test_one_that_was_idle_for_long_is_not(
    way: Connections, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_IDLE_SECONDS", 0.0)
    post(way)
    post(way)
    assert server.connections == 2


def test_no_more_are_kept_than_are_of_use(
    way: Connections, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "_IDLE_CONNECTIONS", 0)
    post(way)
    post(way)
    assert server.connections == 2


def test_no_answer(way: Connections) -> None:
    with pytest.raises(ConnectionError):
        way.post("/silent", {}, b"")
    post(way)


def test_nobody_listens() -> None:
    with pytest.raises(ConnectionRefusedError):
        Connections(RegistryLink("127.0.0.1", free_port(), tls=False, timeout=10)).post("/", {}, b"")


def test_an_answer_that_does_not_come_in_time() -> None:
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        way = Connections(RegistryLink("127.0.0.1", deaf.getsockname()[1], tls=False, timeout=1))
        with pytest.raises(TimeoutError):
            way.post("/", {}, b"")
