"""A web server from which images come, well or badly."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeVar

DATA = bytes(range(256)) * 1024
TAG = '"one"'

Page = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers by the server's pages; what has none is not there."""

    protocol_version = "HTTP/1.1"
    server: "Source"

    def do_GET(self) -> None:
        """A page; HEAD gets its headers."""
        self.server.requests.append(f"{self.command} {self.path} {self.headers.get('Range', '')}".strip())
        page = self.server.pages.get(self.path)
        if page is None:
            self.reply(404)
        else:
            page(self)

    do_HEAD = do_GET  # noqa: N815 - the library finds it by this name

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
        """A whole answer; `length` lies about its length."""
        self.begin(status, **{"Content-Length": str(len(body)), **headers})
        if self.command == "GET":
            self.wfile.write(body)

    def begin(self, status: int, **headers: str) -> None:
        """A status and headers, by their names with underscores."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def wanted(self) -> tuple[int, int]:
        """The bytes that are asked for: first and one after the last."""
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        return int(first), min(int(last) + 1, len(DATA)) if last else len(DATA)


class Source(ThreadingHTTPServer):
    """The server. `pages` are functions by path, `requests` what was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[str] = []
        self.pages: dict[str, Page] = dict(PAGES)

    def url(self, path: str = "/image", scheme: str = "http") -> str:
        """Where a page is."""
        return f"{scheme}://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_: object) -> None:
        """A client that goes away is nothing to write of."""


S = TypeVar("S", bound=Source)


def serving() -> AbstractContextManager[Source]:
    """A source that runs on a thread."""
    return running(Source())


@contextmanager
def running(source: S) -> Iterator[S]:
    """Run a source on a thread."""
    thread = threading.Thread(target=source.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield source
    finally:
        source.shutdown()
        source.server_close()
        thread.join()


def image(handler: Handler) -> None:
    """The data, whole or in part."""
    begin, end = handler.wanted()
    if "Range" not in handler.headers:
        handler.reply(200, DATA, ETag=TAG)
    elif begin >= len(DATA):
        handler.reply(416)
    else:
        span = f"bytes {begin}-{end - 1}/{len(DATA)}"
        handler.reply(206, DATA[begin:end], Content_Range=span, ETag=TAG)


def without_ranges(handler: Handler) -> None:
    """The data, always whole."""
    handler.reply(200, DATA)


def without_head(handler: Handler) -> None:
    """The data, for GET alone."""
    if handler.command == "HEAD":
        handler.reply(405)
    else:
        image(handler)


def without_length(handler: Handler) -> None:
    """The data, until the connection ends."""
    handler.begin(200, Connection="close")
    handler.wfile.write(DATA if handler.command == "GET" else b"")


def broken(handler: Handler) -> None:
    """At most 100,000 bytes of what was promised."""
    begin, end = handler.wanted()
    handler.begin(
        206,
        Content_Range=f"bytes {begin}-{end - 1}/{len(DATA)}",
        Content_Length=str(end - begin),
        ETag=TAG,
        Connection="close",
    )
    handler.wfile.write(DATA[begin : min(end, begin + 100_000)])


def broken_without_tag(handler: Handler) -> None:
    """As `broken`, of nobody knows which version."""
    begin, end = handler.wanted()
    span, length = f"bytes {begin}-{end - 1}/{len(DATA)}", str(end - begin)
    handler.begin(206, Content_Range=span, Content_Length=length, Connection="close")
    handler.wfile.write(DATA[begin : min(end, begin + 100_000)])


def changing(handler: Handler) -> None:
    """Breaks, and is another version each time."""
    begin, end = handler.wanted()
    handler.begin(
        206,
        Content_Range=f"bytes {begin}-{end - 1}/{len(DATA)}",
        Content_Length=str(end - begin),
        ETag=f'"{time.monotonic_ns()}"',
        Connection="close",
    )
    handler.wfile.write(DATA[begin : min(end, begin + 100_000)])


def another_range(handler: Handler) -> None:
    """Other bytes than were asked for."""
    handler.reply(206, DATA[5:10], Content_Range=f"bytes 5-9/{len(DATA)}")


def compressed(handler: Handler) -> None:
    """Bytes in an encoding that nobody asked for."""
    handler.reply(200, DATA, Content_Encoding="gzip")


def trickling(handler: Handler) -> None:
    """A byte now and then."""
    handler.begin(200, Content_Length=str(len(DATA)))
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.02)


def hanging(handler: Handler) -> None:
    """No answer."""
    time.sleep(2)
    handler.close_connection = True


def trickling_head(handler: Handler) -> None:
    """A line of the head now and then."""
    for line in [b"HTTP/1.1 200 OK\r\n", *[b"X-More: x\r\n"] * 100]:
        handler.wfile.write(line)
        time.sleep(0.02)
    handler.close_connection = True


def promising(handler: Handler) -> None:
    """Always about to answer."""
    for _ in range(100):
        handler.wfile.write(b"HTTP/1.1 102 Processing\r\n\r\n")
        time.sleep(0.02)
    handler.close_connection = True


def trickling_frame(handler: Handler) -> None:
    """A body in chunks, of which one never begins."""
    handler.begin(200, Transfer_Encoding="chunked")
    handler.wfile.write(b"5\r\nhello\r\n5;")
    for _ in range(100):
        handler.wfile.write(b"x")
        time.sleep(0.02)
    handler.close_connection = True


def chunked(*chunks: bytes, end: bytes = b"0\r\n\r\n", **headers: str) -> Page:
    """A body in chunks."""

    def page(handler: Handler) -> None:
        handler.begin(200, Transfer_Encoding="chunked", Connection="close", **headers)
        handler.close_connection = True
        for chunk in chunks:
            handler.wfile.write(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        handler.wfile.write(end)

    return page


def shortened(handler: Handler) -> None:
    """Less than was announced, of nobody knows which version."""
    handler.begin(200, Content_Length=str(len(DATA)), Connection="close")
    handler.wfile.write(DATA[:1000])


def sometimes(handler: Handler) -> None:
    """Breaks, and is away when it is asked to go on."""
    if "Range" in handler.headers:
        handler.reply(500)
    else:
        broken(handler)


def shrinking(handler: Handler) -> None:
    """Breaks, and is of another size when it is asked to go on, though it says that it is the same."""
    if "Range" not in handler.headers:
        broken(handler)
    else:
        begin, _ = handler.wanted()
        handler.reply(206, b"x", Content_Range=f"bytes {begin}-{begin}/{begin + 1}", ETag=TAG)


def dated(age: float) -> Page:
    """Breaks; its version is the time when it was changed, `age` seconds before the answer."""

    def page(handler: Handler) -> None:
        begin, end = handler.wanted()
        partial = "Range" in handler.headers
        headers = {"Content-Length": str(end - begin), "Connection": "close"}
        headers["Last-Modified"] = handler.date_time_string(int(time.time() - age))
        if partial:
            headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(DATA)}"
        handler.begin(206 if partial else 200, **headers)
        handler.wfile.write(DATA[begin : min(end, begin + 100_000)])

    return page


def redirecting(target: str, status: int = 302) -> Page:
    """Somewhere else."""
    return lambda handler: handler.reply(status, Location=target)


PAGES: dict[str, Page] = {
    "/image": image,
    "/without-ranges": without_ranges,
    "/without-head": without_head,
    "/without-length": without_length,
    "/broken": broken,
    "/broken-without-tag": broken_without_tag,
    "/changing": changing,
    "/another-range": another_range,
    "/compressed": compressed,
    "/trickling": trickling,
    "/hanging": hanging,
    "/trickling-head": trickling_head,
    "/promising": promising,
    "/trickling-frame": trickling_frame,
    "/chunked": chunked(DATA[:70_000], DATA[70_000:]),
    "/chunked-without-end": chunked(DATA[:70_000], end=b""),
    "/more": chunked(DATA, Content_Length="1000"),
    "/less": chunked(DATA, Content_Length=str(len(DATA) + 1)),
    "/shortened": shortened,
    "/sometimes": sometimes,
    "/shrinking": shrinking,
    "/dated": dated(100),
    "/just-changed": dated(0),
    "/empty": lambda handler: handler.reply(200),
    "/error": lambda handler: handler.reply(500),
    "/gone": lambda handler: handler.reply(410),
    "/moved": redirecting("/image"),
    "/moved-for-good": redirecting("/moved", 308),
    "/loop": redirecting("/loop"),
    "/nowhere": redirecting(""),
}
