import inspect
from http import HTTPStatus

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.api.problems import STATUS, answer, preferred, problem
from glimpse.domain import errors
from glimpse.domain.errors import GlimpseError
from glimpse.stores import base

CODES = {
    "Invalid": 400,
    "SizeMismatch": 400,
    "ChecksumMismatch": 400,
    "SignatureInvalid": 400,
    "Unauthenticated": 401,
    "Forbidden": 403,
    "ReadOnly": 403,
    "Reserved": 403,
    "NotFound": 404,
    "Conflict": 409,
    "Duplicate": 409,
    "StoreObjectInUse": 409,
    "NotEnabled": 404,
    "Gone": 410,
    "LimitExceeded": 413,
    "UnsupportedContent": 415,
    "RangeNotSatisfiable": 416,
    "TooManyAttempts": 429,
    "Unavailable": 503,
    "StoreObjectMissing": 503,
}


def _all_errors() -> set[type[GlimpseError]]:
    found = {
        kind
        for module in (errors, base)
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, GlimpseError)
    }
    return found - {GlimpseError}


def test_every_error_has_a_status() -> None:
    assert set(STATUS) == _all_errors()


def test_each_error_has_the_status_of_the_api() -> None:
    assert {kind.__name__: status.value for kind, status in STATUS.items()} == CODES


# The table of "Error bodies": what the client accepts, and which body it gets.
NEGOTIATION = [
    ("", "text"),
    ("text/plain", "text"),
    ("application/xml", "text"),
    ("image/png", "text"),
    ("nonsense", "text"),
    ("*/*", "html"),
    ("text/html", "html"),
    ("text/*", "html"),
    ("text/html, application/json", "html"),
    ("application/json, */*", "html"),
    ("text/plain, text/html", "html"),
    ("application/json", "json"),
    ("APPLICATION/JSON", "json"),
    ("application/json; charset=utf-8", "json"),
    ("application/json, */*;q=0.5", "json"),
    ("text/html;q=0.3, application/json;q=0.4", "json"),
    ("text/html;q=0.4, application/json;q=0.3", "html"),
    ("text/plain;q=0.9, application/json;q=0.3", "text"),
    ("application/json;q=0", "text"),
    ("application/json;q=nonsense", "text"),
    ("application/json;q=7, text/html", "html"),
]


@pytest.mark.parametrize(("accept", "kind"), NEGOTIATION)
def test_negotiation(accept: str, kind: str) -> None:
    assert preferred(accept) == kind


@given(st.text())
def test_any_accept_header_gets_an_answer(accept: str) -> None:
    assert preferred(accept) in ("json", "html", "text")


def test_text_body() -> None:
    response = problem(HTTPStatus.FORBIDDEN, "Not <yours>.", "")
    assert response.status_code == 403
    assert response.headers["content-type"].lower() == "text/plain; charset=utf-8"
    assert bytes(response.body).rstrip() == b"403 Forbidden\n\nNot <yours>."


def test_html_body_is_escaped() -> None:
    response = problem(HTTPStatus.NOT_FOUND, '<script>alert(1)</script> & "more"', "*/*")
    assert response.headers["content-type"].lower() == "text/html; charset=utf-8"
    text = bytes(response.body).decode()
    assert text.startswith("<html><head><title>404 Not Found</title></head><body><h1>404 Not Found</h1>")
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp;" in text
    assert "<script>" not in text


def test_json_body() -> None:
    response = problem(HTTPStatus.NOT_FOUND, "No image", "application/json")
    assert response.headers["content-type"] == "application/json"
    document = orjson.loads(bytes(response.body))
    assert list(document) == ["message", "code", "title"]
    assert document["message"].startswith("No image<br /><br />\n")
    assert (document["code"], document["title"]) == ("404 Not Found", "Not Found")


def test_the_text_of_an_error_is_its_explanation() -> None:
    response = answer(errors.Invalid("min_ram", "it is negative"), "")
    assert response.status_code == 400
    assert b"Invalid min_ram: it is negative" in bytes(response.body)


@pytest.mark.parametrize(
    ("error", "header", "value"),
    [
        (errors.RangeNotSatisfiable(7, "bytes=9-"), "content-range", "bytes */7"),
        (errors.TooManyAttempts(12), "retry-after", "12"),
        (errors.Unavailable("database", "down"), "retry-after", "5"),
    ],
)
def test_headers_of_errors(error: GlimpseError, header: str, value: str) -> None:
    assert answer(error, "").headers[header] == value


def test_other_errors_have_no_such_headers() -> None:
    headers = answer(errors.Conflict("x"), "").headers
    assert "retry-after" not in headers
    assert "content-range" not in headers
