"""What stands between clients and the service: proxies that pass requests on, and scripts of other origins.

Sources: RFC 7239 (Forwarded), and the Fetch standard's CORS protocol as the middleware of OpenStack speaks
it: a preflight is answered for whoever asks, with permissions only for those who have them.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.types import Scope

# Where the scope of a request keeps the path under which a proxy shows the service.
PREFIX = "glimpse.prefix"

_SIMPLE_METHODS = frozenset({"GET", "HEAD", "POST"})
_SIMPLE_HEADERS = frozenset(
    {"accept", "accept-language", "content-type", "cache-control", "content-language", "expires"}
    | {"last-modified", "pragma"}
)

_FORWARDED = re.compile(r'\s*([A-Za-z]+)=(?:"([^"]*)"|([^\s;,"]*))\s*')
_HOST = re.compile(r"([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(:\d{1,5})?\Z")
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+/?\Z")


@dataclass(frozen=True, slots=True)
class Cors:
    """What scripts of other origins may do, by the options of `[cors]`; without an origin: nothing."""

    allowed_origin: frozenset[str] = frozenset()
    allow_credentials: bool = True
    expose_headers: tuple[str, ...] = ()
    max_age: int | None = 3600
    allow_methods: frozenset[str] = frozenset()
    allow_headers: frozenset[str] = frozenset()


NO_SCRIPTS = Cors()


def cors_headers(cors: Cors, method: str, headers: Headers) -> Mapping[str, str]:
    """The headers that the answer to this request gets, for the script that sent it."""
    origin = headers.get("origin")
    allowed = cors.allowed_origin
    if origin is None or not (origin in allowed or "*" in allowed):
        return {}
    granted = {"Access-Control-Allow-Origin": origin if origin in allowed else "*"}
    if origin in allowed:
        granted["Vary"] = "Origin"
        if cors.allow_credentials:
            granted["Access-Control-Allow-Credentials"] = "true"
    if method == "OPTIONS":
        permissions = _permissions(cors, headers)
        return granted | permissions if permissions else {}
    if cors.expose_headers:
        granted["Access-Control-Expose-Headers"] = ",".join(cors.expose_headers)
    return granted


def _permissions(cors: Cors, headers: Headers) -> dict[str, str]:
    """What a preflight asks for; nothing if any of it is not allowed."""
    method = headers.get("access-control-request-method", "").strip().upper()
    wanted = [name.strip() for name in headers.get("access-control-request-headers", "").split(",")]
    wanted = [name for name in wanted if name]
    known = _SIMPLE_HEADERS | {name.lower() for name in cors.allow_headers}
    if method not in cors.allow_methods | _SIMPLE_METHODS or any(
        name.lower() not in known for name in wanted
    ):
        return {}
    granted = {"Access-Control-Allow-Methods": method}
    if wanted:
        granted["Access-Control-Allow-Headers"] = ",".join(wanted)
    if cors.max_age is not None:
        granted["Access-Control-Max-Age"] = str(cors.max_age)
    return granted


def forwarded(scope: Scope, headers: Headers) -> Scope:
    """The request as the client sent it to the first proxy. What is malformed counts as not there."""
    said = _said(headers)
    changed = dict(scope)
    if said.get("proto", "").lower() in ("http", "https"):
        changed["scheme"] = said["proto"].lower()
    if _HOST.match(said.get("host", "")):
        others = [(name, value) for name, value in scope["headers"] if name != b"host"]
        changed["headers"] = [(b"host", said["host"].encode()), *others]
    if _PREFIX.match(said.get("prefix", "")):
        changed[PREFIX] = said["prefix"].rstrip("/")
    return changed


def _said(headers: Headers) -> dict[str, str]:
    prefix = headers.get("x-forwarded-prefix", "")
    if "forwarded" in headers:
        # The first element is that of the proxy next to the client.
        first = headers["forwarded"].partition(",")[0]
        pairs = (_FORWARDED.fullmatch(pair) for pair in first.split(";"))
        found = {pair[1].lower(): pair[2] or pair[3] or "" for pair in pairs if pair}
        return {**found, "prefix": prefix}
    given = {
        name: headers.get(f"x-forwarded-{name}", "").partition(",")[0].strip() for name in ("proto", "host")
    }
    return {**given, "prefix": prefix}
