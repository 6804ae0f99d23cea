import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.api import requests
from glimpse.api.requests import (
    CALLER,
    announced_size,
    read_call,
    read_data,
    read_json,
    read_query,
    refuse_body,
    request_id,
)
from glimpse.domain.errors import Invalid, LimitExceeded, SizeMismatch
from tests.unit.api.http import Headers, make_request
from tests.unit.world import MEMBER, run

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


@pytest.mark.parametrize(
    ("given_id", "known_as"),
    [
        ("abc", "req-abc"),
        ("req-abc", "req-abc"),
        ("x" * 64, "req-" + "x" * 64),
        ("x" * 65, None),
        ("req-" + "x" * 64, None),
    ],
)
def test_request_ids_of_callers(given_id: str, known_as: str | None) -> None:
    assert request_id(given_id, 64) == known_as
    assert request_id(given_id, 0) is not None


@pytest.mark.parametrize("given_id", [None, "", "with blank", "line\r\nbreak", "umlaut-ä", "\x7f"])
def test_request_ids_that_are_made(given_id: str | None) -> None:
    first, second = request_id(given_id, 64), request_id(given_id, 64)
    assert first is not None
    assert first.startswith("req-")
    assert len(first) == 40
    assert first != second


def _query(text: bytes) -> tuple[tuple[str, str], ...]:
    return read_query(make_request(query=text))


def test_queries_keep_order_repetition_and_blanks() -> None:
    assert _query(b"") == ()
    assert _query(b"b=1&a=&b=2&c") == (("b", "1"), ("a", ""), ("b", "2"), ("c", ""))


def test_queries_are_utf8() -> None:
    assert _query(b"name=%C3%A4+b%2Bc") == (("name", "ä b+c"),)


def test_queries_are_utf8_even_where_a_client_forgot_to_escape() -> None:
    assert _query("name=ä".encode()) == (("name", "ä"),)


@pytest.mark.parametrize(
    "text", [b"name=%FF", b"%FF=x", b"name=\xff", b"name=%00", b"%00=x", b"&".join([b"a=b"] * 1001)]
)
def test_bad_queries(text: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        _query(text)
    assert refused.value.field == "query"


@given(st.binary(max_size=60))
def test_any_query_is_read_or_refused(text: bytes) -> None:
    try:
        pairs = _query(text)
    except Invalid:
        return
    assert all("\0" not in name + value for name, value in pairs)


@pytest.mark.parametrize(
    "headers",
    [[("Content-Length", "1")], [("Transfer-Encoding", "chunked")], [("Content-Length", "999999")]],
)
def test_a_body_where_none_is_taken(headers: Headers) -> None:
    with pytest.raises(Invalid) as refused:
        refuse_body(make_request(headers=headers))
    assert refused.value.field == "body"


@pytest.mark.parametrize("headers", [[], [("Content-Length", "0")]])
def test_no_body_where_none_is_taken(headers: Headers) -> None:
    refuse_body(make_request(headers=headers))


def test_documents_come_in_chunks() -> None:
    assert run(read_json(make_request([b'{"name"', b': "x"}']))) == {"name": "x"}
    assert run(read_json(make_request([b"[]"]))) == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"{",
        b"nonsense",
        b'"text"',
        b"5",
        b"null",
        b"true",
        b"{'name': 'x'}",
        b'{"name": "\xff"}',
        b'{"name": "\\ud800"}',
        b"[" * 5000,
        b'{"name": NaN}',
    ],
)
def test_bodies_that_are_no_document(body: bytes) -> None:
    with pytest.raises(Invalid) as refused:
        run(read_json(make_request([body])))
    assert refused.value.field == "body"


def test_too_long_documents_are_refused_while_they_come(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "MAX_DOCUMENT_BYTES", 10)
    assert run(read_json(make_request([b'{"a"', b": 123}"]))) == {"a": 123}
    endless = make_request([b'{"a": ', b"12345", b"6}"], cut=True)
    with pytest.raises(LimitExceeded) as refused:
        run(read_json(endless))
    assert refused.value.maximum == 10


def test_the_limit_of_documents_holds_all_properties() -> None:
    assert requests.MAX_DOCUMENT_BYTES >= 128 * 64 * 1024


@pytest.mark.parametrize(
    ("headers", "size"),
    [
        ([], None),
        ([("Content-Length", "0")], None),
        ([("Content-Length", "7")], 7),
        ([("Transfer-Encoding", "chunked")], None),
        ([("X-OpenStack-Image-Size", "9")], 9),
        ([("X-OpenStack-Image-Size", "0")], 0),
        ([("X-OpenStack-Image-Size", " 9 ")], 9),
        ([("X-OpenStack-Image-Size", "9"), ("Content-Length", "7")], 9),
        ([("X-OpenStack-Image-Size", str(2**62))], 2**62),
    ],
)
def test_announced_sizes(headers: Headers, size: int | None) -> None:
    assert announced_size(make_request(headers=headers)) == size


@pytest.mark.parametrize(
    "text", ["", " ", "x", "-1", "-0", "1.5", "1_000", "0x10", "+5", "9" * 30, "٣".encode().decode("latin-1")]
)
def test_bad_announced_sizes(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        announced_size(make_request(headers=[("X-OpenStack-Image-Size", text)]))
    assert refused.value.field == "X-OpenStack-Image-Size"


async def _received(body: list[bytes], headers: Headers = (), *, cut: bool = False) -> list[bytes]:
    return [chunk async for chunk in read_data(make_request(body, headers=headers, cut=cut))]


def test_data_comes_as_it_was_sent() -> None:
    assert run(_received([b"ab", b"", b"c"])) == [b"ab", b"c"]
    assert run(_received([])) == []


def test_a_client_that_goes_away_early() -> None:
    with pytest.raises(SizeMismatch) as cut:
        run(_received([b"ab"], [("Content-Length", "5")], cut=True))
    assert (cut.value.announced, cut.value.received) == (5, 2)
    with pytest.raises(Invalid, match="2 bytes"):
        run(_received([b"ab"], cut=True))


@pytest.mark.parametrize(
    ("endpoint", "base"),
    [(None, "http://glimpse.test"), ("https://cloud.example/x", "https://cloud.example/x")],
)
def test_calls(endpoint: str | None, base: str) -> None:
    request = make_request(query=b"a=1", headers=[("X-Thing", "y")])
    request.scope["path_params"] = {"image_id": "42"}
    request.scope[CALLER] = MEMBER
    call = read_call(request, {"b": 2}, endpoint)
    assert call.caller is MEMBER
    assert call.path == {"image_id": "42"}
    assert call.query == (("a", "1"),)
    assert call.headers["x-thing"] == "y"
    assert call.body == {"b": 2}
    assert call.base_url == base
