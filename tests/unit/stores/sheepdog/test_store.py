"""What a Sheepdog daemon answers seldom: a server that gives prepared answers stands for it."""

import socketserver
import struct
import threading
from collections.abc import Callable, Iterator

import pytest

from glimpse.domain.errors import Invalid, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey, Usage
from glimpse.stores.sheepdog.store import SheepdogStore
from tests.server import free_port

KEY = ObjectKey("image", "attempt")
URL = "sheepdog://image"

Serve = Callable[[bytes], SheepdogStore]


def refusal(result: int) -> bytes:
    return struct.pack("<BBHIIII", 2, 0, 0, 0, 0, 0, result).ljust(48, b"\0")


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(answer: bytes) -> SheepdogStore:
        class Connection(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                while header := self.rfile.read(48):
                    flags, length = (
                        struct.unpack_from("<H", header, 2)[0],
                        struct.unpack_from("<I", header, 12)[0],
                    )
                    self.rfile.read(length if flags else 0)
                    self.wfile.write(answer)
                    if len(answer) < 48:
                        return

        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Connection)
        server.daemon_threads = True
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return SheepdogStore("sheep", "127.0.0.1", server.server_address[1])

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (refusal(0x16), "the Sheepdog cluster is not formatted"),
        (refusal(0x17), "the Sheepdog cluster waits for more of its nodes"),
        (refusal(0x19), "the Sheepdog cluster has stopped, since too few of its nodes are left"),
        (refusal(0x99), "Sheepdog reports the error 0x99"),
        (b"HTTP/1.1 400 Bad Request\r\n", "Sheepdog does not answer: the connection was closed"),
        (b"\xff" * 48, "Sheepdog does not answer: the connection was closed"),
    ],
)
def test_a_cluster_that_does_not_work(serve: Serve, answer: bytes, reason: str) -> None:
    store = serve(answer)
    for call in (lambda: store.stat(URL), lambda: store.discard(KEY), lambda: store.open_writer(KEY, None)):
        with pytest.raises(Unavailable) as caught:
            call()
        assert caught.value.reason == reason


@pytest.mark.parametrize("result", [0x13, 0x15])
def test_a_cluster_that_is_full(serve: Serve, result: int) -> None:
    with pytest.raises(LimitExceeded) as caught:
        serve(refusal(result)).open_writer(KEY, 10)
    assert (caught.value.limit, caught.value.attempted) == ("store capacity", 10)


def test_no_daemon() -> None:
    store = SheepdogStore("sheep", "127.0.0.1", free_port())
    with pytest.raises(Unavailable, match="Sheepdog does not answer: Connection refused"):
        store.stat(URL)


def test_urls() -> None:
    store = SheepdogStore("sheep", "10.0.0.1", 7000)
    assert store.owns("sheepdog://10.0.0.1:7000:image")
    assert store.owns("sheepdog://image")
    for foreign in (
        "10.0.0.2:7000:image",
        "10.0.0.1:7001:image",
        "10.0.0.1:7000:",
        "",
        "a:b",
        "\0",
        "x" * 256,
    ):
        assert not store.owns(f"sheepdog://{foreign}")
    with pytest.raises(Invalid):
        store.check_url(URL)


@pytest.mark.parametrize("image_id", ["a:b", "a\0", "", "x" * 256, "\ud800"])
def test_names_that_cannot_be(image_id: str) -> None:
    with pytest.raises(Invalid):
        SheepdogStore("sheep", "127.0.0.1", 7000).open_writer(ObjectKey(image_id, "1"), None)


def test_how_full_it_is_asks_whether_it_is_there() -> None:
    with pytest.raises(Unavailable):
        SheepdogStore("sheep", "127.0.0.1", free_port()).usage()


def test_how_full_it_is_nobody_knows(serve: Serve) -> None:
    """But a daemon that has no such disk is one that answers."""
    assert serve(refusal(0x08)).usage() == Usage(None, None)
