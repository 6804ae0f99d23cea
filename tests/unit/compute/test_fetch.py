"""Fetching from a real HTTP server that misbehaves as it is told to."""

import random
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from keystoneauth1.adapter import Adapter
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from glimpse.compute import fetch as fetching
from glimpse.compute import images
from glimpse.compute.fetch import fetch
from glimpse.compute.images import ImageService
from glimpse.domain.errors import NotFound, Unavailable

DATA = random.Random(50).randbytes(300_000) + bytes(100_000) + b"end"
ID = "9b8f3f3e-0000-4000-8000-000000000001"


class Handler(BaseHTTPRequestHandler):
    """Sends DATA; what is asked for is noted."""

    ranges = True
    cut = 0
    asked: tuple[tuple[int, int], ...] = ()
    missing = False

    def do_GET(self) -> None:
        kind = type(self)
        first, last = map(int, self.headers["Range"].removeprefix("bytes=").split("-"))
        kind.asked += ((first, last),)
        if kind.missing:
            self.send_error(404)
            return
        body = DATA[first : last + 1] if kind.ranges else DATA
        self.send_response(206 if kind.ranges else 200)
        self.send_header("Content-Length", str(len(body)))
        if kind.ranges:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(DATA)}")
        self.end_headers()
        if kind.cut:
            kind.cut -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *words: object) -> None:
        """Be quiet."""


@pytest.fixture
def handler(monkeypatch: pytest.MonkeyPatch) -> type[Handler]:
    monkeypatch.setattr(fetching, "PIECE", 64 * 1024)
    monkeypatch.setattr(fetching, "_WAIT", 0.01)
    monkeypatch.setattr(images, "_CHUNK", 4096)
    return type("Handler", (Handler,), {})


@pytest.fixture
def service(handler: type[Handler]) -> Iterator[ImageService]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        yield ImageService(Adapter(Session(NoAuth(endpoint=url)), endpoint_override=url))
        server.shutdown()


def test_pieces_are_put_together(service: ImageService, handler: type[Handler], tmp_path: Path) -> None:
    fetch(service, ID, len(DATA), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == DATA
    assert len(handler.asked) == 7
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_a_broken_piece_goes_on_where_it_broke(
    service: ImageService, handler: type[Handler], tmp_path: Path
) -> None:
    handler.cut = 1
    fetch(service, ID, len(DATA), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == DATA
    assert len(handler.asked) == 8
    assert sum(last + 1 - first for first, last in handler.asked) < len(DATA) + 64 * 1024


def test_a_fetch_that_failed_goes_on(service: ImageService, handler: type[Handler], tmp_path: Path) -> None:
    path = tmp_path / "data"
    path.write_bytes(DATA[: 64 * 1024])
    path.with_name("data.finished").write_text("0-65535\n")
    fetch(service, ID, len(DATA), path)
    assert path.read_bytes() == DATA
    assert (0, 65535) not in handler.asked


def test_a_service_without_ranges_sends_all(
    service: ImageService, handler: type[Handler], tmp_path: Path
) -> None:
    handler.ranges, handler.cut = False, 2
    fetch(service, ID, len(DATA), tmp_path / "data")
    assert (tmp_path / "data").read_bytes() == DATA


def test_more_than_was_announced_is_refused(
    service: ImageService, handler: type[Handler], tmp_path: Path
) -> None:
    handler.ranges = False
    with pytest.raises(Unavailable, match="more bytes"):
        fetch(service, ID, len(DATA) - 1, tmp_path / "data")


def test_no_data_is_not_asked_for_again(
    service: ImageService, handler: type[Handler], tmp_path: Path
) -> None:
    handler.missing = True
    with pytest.raises(NotFound):
        fetch(service, ID, len(DATA), tmp_path / "data")
    assert len(handler.asked) == 1
