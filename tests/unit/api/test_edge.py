import pytest
from starlette.datastructures import Headers

from glimpse.api.edge import NO_SCRIPTS, PREFIX, Cors, cors_headers, forwarded

HERE = "https://horizon.example"
CORS = Cors(
    frozenset({HERE}),
    expose_headers=("X-One", "X-Two"),
    allow_methods=frozenset({"PUT"}),
    allow_headers=frozenset({"X-Auth-Token"}),
)


def ask(cors: Cors, method: str = "GET", **headers: str) -> dict[str, str]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return dict(cors_headers(cors, method, Headers(named)))


def test_a_script_that_is_let_in() -> None:
    assert ask(CORS, origin=HERE) == {
        "Access-Control-Allow-Origin": HERE,
        "Access-Control-Allow-Credentials": "true",
        "Access-Control-Expose-Headers": "X-One,X-Two",
        "Vary": "Origin",
    }


@pytest.mark.parametrize("origin", ["https://evil.example", f"{HERE}.evil.example", "null", "", "*"])
def test_a_script_that_is_not(origin: str) -> None:
    assert ask(CORS, origin=origin) == {}
    assert ask(CORS, "OPTIONS", origin=origin, access_control_request_method="PUT") == {}
    assert ask(NO_SCRIPTS, origin=HERE) == ask(CORS) == {}


def test_everybody_is_let_in_without_credentials() -> None:
    cors = Cors(frozenset({"*"}))
    assert ask(cors, origin="https://any.example") == {"Access-Control-Allow-Origin": "*"}


def test_preflight() -> None:
    granted = ask(
        CORS,
        "OPTIONS",
        origin=HERE,
        access_control_request_method="PUT",
        access_control_request_headers="x-auth-token, Content-Type",
    )
    assert granted["Access-Control-Allow-Methods"] == "PUT"
    assert granted["Access-Control-Allow-Headers"] == "x-auth-token,Content-Type"
    assert granted["Access-Control-Max-Age"] == "3600"
    assert "Access-Control-Expose-Headers" not in granted


@pytest.mark.parametrize(
    ("method", "names"), [("DELETE", ""), ("", ""), ("PUT", "X-Evil"), ("PUT", "X-Auth-Token,X-Evil")]
)
def test_preflight_for_more_than_is_allowed(method: str, names: str) -> None:
    given = {"access_control_request_method": method, "access_control_request_headers": names}
    assert ask(CORS, "OPTIONS", origin=HERE, **given) == {}


def pass_on(**headers: str) -> tuple[str, str, str]:
    named = Headers({"host": "inside", **{name.replace("_", "-"): headers[name] for name in headers}})
    scope = {"type": "http", "scheme": "http", "headers": named.raw}
    after = forwarded(scope, named)
    assert scope["scheme"] == "http"
    return after["scheme"], Headers(scope=after)["host"], after.get(PREFIX, "")


@pytest.mark.parametrize(
    ("headers", "seen"),
    [
        ({}, ("http", "inside", "")),
        ({"x_forwarded_proto": "https"}, ("https", "inside", "")),
        ({"x_forwarded_proto": "https, http"}, ("https", "inside", "")),
        ({"x_forwarded_host": "images.example:8443"}, ("http", "images.example:8443", "")),
        ({"x_forwarded_host": "[fd00::1]:80"}, ("http", "[fd00::1]:80", "")),
        ({"x_forwarded_prefix": "/image/"}, ("http", "inside", "/image")),
        ({"forwarded": 'for=1.2.3.4; proto=https; host="a.example:1"'}, ("https", "a.example:1", "")),
        ({"forwarded": "proto=https, proto=http;host=b"}, ("https", "inside", "")),
        # RFC 7239 wins over what it replaced.
        ({"forwarded": "host=a", "x_forwarded_host": "b"}, ("http", "a", "")),
        ({"x_forwarded_proto": "javascript"}, ("http", "inside", "")),
        ({"x_forwarded_host": "a b"}, ("http", "inside", "")),
        ({"x_forwarded_host": "a/../b"}, ("http", "inside", "")),
        ({"x_forwarded_prefix": "//evil.example"}, ("http", "inside", "")),
        ({"x_forwarded_prefix": "evil"}, ("http", "inside", "")),
        ({"forwarded": ";;=,=\"'"}, ("http", "inside", "")),
    ],
)
def test_what_proxies_say(headers: dict[str, str], seen: tuple[str, str, str]) -> None:
    assert pass_on(**headers) == seen
