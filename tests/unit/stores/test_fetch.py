"""What is fetched for somebody: whole or not at all, in time, and without telling secrets."""

import threading
import time
from collections.abc import Iterator

import pytest

from glimpse.domain.errors import GlimpseError, Invalid, Unavailable
from glimpse.domain.url_rules import Choice, Rules
from glimpse.stores.outbound import MAX_DOCUMENT_BYTES, Outbound, Patience
from tests.sources import DATA, Handler, Page, Source, redirecting, serving

ANYWHERE = Rules(hosts=Choice(frozenset({"127.0.0.1", "images.example"})), ports=Choice())
QUICK = Patience(connect=1, head=0.3, read=0.2, grace=0.1, slowest=10_000, retries=2)
TOKEN = {"X-Auth-Token": "secret-token"}


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


@pytest.fixture
def outbound() -> Outbound:
    return Outbound(ANYWHERE, QUICK, find=lambda host, _: ["127.0.0.1" if "example" in host else host])


def fetch(outbound: Outbound, url: str) -> tuple[int | None, bytes]:
    fetched = outbound.fetch(url)
    return fetched.size, b"".join(fetched.chunks)


@pytest.mark.parametrize(
    "path",
    ["/image", "/without-ranges", "/moved", "/broken", "/dated"],
)
def test_fetch(outbound: Outbound, source: Source, path: str) -> None:
    assert fetch(outbound, source.url(path)) == (len(DATA), DATA)


@pytest.mark.parametrize("path", ["/without-length", "/chunked"])
def test_fetch_of_a_size_that_nobody_knows(outbound: Outbound, source: Source, path: str) -> None:
    assert fetch(outbound, source.url(path)) == (None, DATA)


def test_fetch_of_nothing(outbound: Outbound, source: Source) -> None:
    assert fetch(outbound, source.url("/empty")) == (0, b"")


def test_a_source_is_asked_once(outbound: Outbound, source: Source) -> None:
    fetch(outbound, source.url())
    assert source.requests == ["GET /image"]


def test_a_broken_fetch_goes_on_where_it_broke(outbound: Outbound, source: Source) -> None:
    fetch(outbound, source.url("/broken"))
    assert source.requests == ["GET /broken", *(f"GET /broken bytes={at}-" for at in (100_000, 200_000))]


@pytest.mark.parametrize(
    "path",
    [
        "/broken-without-tag",
        "/changing",
        "/another-range",
        "/compressed",
        "/error",
        "/chunked-without-end",
        "/more",
        "/less",
        "/shortened",
        "/sometimes",
        "/shrinking",
        "/just-changed",
        "/loop",
    ],
)
def test_whole_or_not_at_all(outbound: Outbound, source: Source, path: str) -> None:
    with pytest.raises(Unavailable):
        fetch(outbound, source.url(path))


@pytest.mark.parametrize(
    "path", ["/hanging", "/trickling", "/trickling-head", "/trickling-frame", "/promising"]
)
def test_no_source_holds_a_thread(source: Source, path: str) -> None:
    outbound = Outbound(ANYWHERE, Patience(head=0.2, read=0.2, grace=0.1, slowest=10_000, retries=0))
    began = time.monotonic()
    with pytest.raises(Unavailable):
        fetch(outbound, source.url(path))
    assert time.monotonic() - began < 1


def test_all_redirects_share_one_deadline(source: Source) -> None:
    def slow(handler: Handler) -> None:
        time.sleep(0.1)
        handler.reply(302, Location="/slow")

    source.pages["/slow"] = slow
    with pytest.raises(Unavailable, match="in time"):
        fetch(Outbound(ANYWHERE, Patience(head=0.2, retries=0)), source.url("/slow"))


def test_a_receiver_may_take_its_time(source: Source) -> None:
    """Back pressure is not the source's fault."""
    outbound = Outbound(ANYWHERE, Patience(head=1, read=1, grace=0.1, slowest=10_000_000, retries=0))
    received = b""
    for chunk in outbound.fetch(source.url()).chunks:
        time.sleep(0.05)
        received += chunk
    assert received == DATA


def test_a_fetch_that_is_let_go_closes_its_connection(outbound: Outbound, source: Source) -> None:
    cut = threading.Event()

    def endless(handler: Handler) -> None:
        handler.begin(200, Connection="close")
        try:
            while True:
                handler.wfile.write(DATA)
        except OSError:
            cut.set()

    source.pages["/endless"] = endless
    chunks = outbound.fetch(source.url("/endless")).chunks
    next(chunks)
    del chunks
    assert cut.wait(2)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 416])
def test_what_the_source_refuses_is_the_request_s_fault(
    outbound: Outbound, source: Source, status: int
) -> None:
    source.pages["/no"] = lambda handler: handler.reply(status)
    with pytest.raises(Invalid, match=str(status)):
        fetch(outbound, source.url("/no"))


@pytest.mark.parametrize("status", [304, 408, 429, 500, 503, 204])
def test_what_the_source_cannot_do_now_is_tried_again(
    outbound: Outbound, source: Source, status: int
) -> None:
    source.pages["/no"] = lambda handler: handler.reply(status)
    with pytest.raises(Unavailable, match=str(status)):
        fetch(outbound, source.url("/no"))
    assert len(source.requests) == QUICK.retries + 1


@pytest.mark.parametrize(
    "target",
    [
        "http://169.254.169.254/latest",
        "http://[::1]/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "file:///x",
    ],
)
def test_redirects_are_judged(outbound: Outbound, source: Source, target: str) -> None:
    source.pages["/away"] = redirecting(target)
    with pytest.raises(Invalid, match=r"filtering|no URL"):
        fetch(outbound, source.url("/away"))
    assert source.requests == ["GET /away"]


def test_a_name_that_changes_its_address(source: Source) -> None:
    answers = iter([["93.184.216.34", "127.0.0.1"], ["169.254.169.254"]])
    outbound = Outbound(Rules(ports=Choice()), QUICK, find=lambda *_: next(answers))
    for _ in range(2):
        with pytest.raises(Invalid):
            fetch(outbound, f"http://rebinding.example:{source.server_port}/image")
    assert source.requests == []


@pytest.mark.parametrize("path", ["/absent", "/error", "/hanging", "/shortened", "/compressed", "/loop"])
def test_errors_tell_no_secrets(outbound: Outbound, source: Source, path: str) -> None:
    source.pages |= {f"{page}?password=hidden": answer for page, answer in source.pages.items()}
    url = f"http://user:hidden@127.0.0.1:{source.server_port}{path}?password=hidden"
    with pytest.raises(GlimpseError) as refused:
        fetch(outbound, url)
    assert "hidden" not in str(refused.value)


def _remembering(seen: list[tuple[str, str | None]], status: int, body: bytes = b"", **headers: str) -> Page:
    def page(handler: Handler) -> None:
        seen.append((handler.headers["Host"], handler.headers.get("X-Auth-Token")))
        handler.reply(status, body, **headers)

    return page


def test_tokens_stay_with_their_origin(outbound: Outbound, source: Source) -> None:
    seen: list[tuple[str, str | None]] = []
    here, there = f"127.0.0.1:{source.server_port}", f"images.example:{source.server_port}"
    source.pages["/first"] = _remembering(seen, 302, Location="/second")
    source.pages["/second"] = _remembering(seen, 302, Location=f"http://{there}/third")
    source.pages["/third"] = _remembering(seen, 302, Location=f"http://{here}/last")
    source.pages["/last"] = _remembering(seen, 200, b'{"id": 1}')
    expected = [(here, "secret-token"), (here, "secret-token"), (there, None), (here, None)]
    assert outbound.get_json(source.url("/first"), TOKEN) == {"id": 1}
    assert b"".join(outbound.fetch(source.url("/first"), TOKEN).chunks) == b'{"id": 1}'
    assert seen == expected * 2


def test_cookies_are_forgotten(outbound: Outbound, source: Source) -> None:
    seen: list[str | None] = []

    def page(handler: Handler) -> None:
        seen.append(handler.headers.get("Cookie"))
        handler.reply(200, b"{}", Set_Cookie="session=1; Path=/")

    source.pages["/cookie"] = page
    for _ in range(2):
        outbound.get_json(source.url("/cookie"))
    assert seen == [None, None]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b'{"a": 1', b"[" * 100_000, b'"' + b"x" * MAX_DOCUMENT_BYTES + b'"', b"\xff"]
)
def test_documents_that_are_none(outbound: Outbound, source: Source, body: bytes) -> None:
    source.pages["/document"] = lambda handler: handler.reply(200, body)
    with pytest.raises(Unavailable):
        outbound.get_json(source.url("/document"))


def test_a_document_that_trickles(outbound: Outbound, source: Source) -> None:
    began = time.monotonic()
    with pytest.raises(Unavailable, match="in time"):
        outbound.get_json(source.url("/trickling"))
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(("path", "error"), [("/absent", Invalid), ("/error", Unavailable)])
def test_documents_that_are_not_there(
    outbound: Outbound, source: Source, path: str, error: type[GlimpseError]
) -> None:
    with pytest.raises(error, match=r"404|500"):
        outbound.get_json(source.url(path))
