"""Reading requests: ids, bodies, queries. What is malformed is refused here, before anybody acts on it."""

import random
import re
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson
from starlette.requests import Request

from glimpse.api.edge import PREFIX
from glimpse.api.service import Call
from glimpse.domain.errors import Invalid, LimitExceeded, SizeMismatch

# Where the scope of a request keeps what was found out before it was routed.
CALLER = "glimpse.caller"
REQUEST_ID = "glimpse.request_id"

# The largest document a client may send: 128 properties of 64 KiB would be 8 MiB.
MAX_DOCUMENT_BYTES = 8 * 1024 * 1024

_REQUEST_ID = re.compile(r"[\x21-\x7e]+\Z")


def request_id(given: str | None, longest: int) -> str | None:
    """The id under which a request is known: the caller's own, prefixed, or a new one.

    None: it is longer than `longest` (0: any length will do).
    """
    if not given or not _REQUEST_ID.match(given):
        # Not `uuid4`, which asks the kernel for each: an id has to differ, not to be a secret.
        return f"req-{UUID(int=random.getrandbits(128), version=4)}"
    if 0 < longest < len(given):
        return None
    return given if given.startswith("req-") else f"req-{given}"


def read_call(request: Request, body: object, public_endpoint: str | None) -> Call:
    """The request as handlers see it. Who calls, and the request's id, are in its scope already."""
    return Call(
        caller=request.scope[CALLER],
        path=request.path_params,
        query=read_query(request),
        headers=request.headers,
        base_url=base_url(request, public_endpoint),
        body=body,
        request_id=request.scope[REQUEST_ID],
    )


def base_url(request: Request, public_endpoint: str | None) -> str:
    """Where clients reach the service: what the operator says, else what this request was sent to."""
    if public_endpoint:
        return public_endpoint.rstrip("/")
    # Starlette's own `request.url` takes the whole address apart, for a twentieth of a `show`.
    scope, host = request.scope, request.headers.get("host")
    base = f"{scope['scheme']}://{host}" if host else str(request.base_url).rstrip("/")
    return f"{base}{scope[PREFIX]}" if PREFIX in scope else base


def read_query(request: Request) -> tuple[tuple[str, str], ...]:
    """Names and values of the query, in order, blanks kept. :raises Invalid: not UTF-8, or with NUL."""
    text: bytes = request.scope["query_string"]
    if not text:
        return ()
    try:
        pairs = tuple(parse_qsl(text.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000))
    except ValueError:
        raise Invalid("query", "it is not UTF-8, or has more than 1000 fields") from None
    if any("\0" in name or "\0" in value for name, value in pairs):
        raise Invalid("query", "NUL is not supported")
    return pairs


def refuse_body(request: Request) -> None:
    """:raises Invalid: the request has a body."""
    length = request.headers.get("content-length", "0")
    if length != "0" or "transfer-encoding" in request.headers:
        raise Invalid("body", "this request takes none")


async def read_json(request: Request) -> Any:
    """The JSON document in the body.

    :raises Invalid: none, not JSON, or neither object nor array.
    :raises LimitExceeded: longer than `MAX_DOCUMENT_BYTES`.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_DOCUMENT_BYTES:
            raise LimitExceeded("request body", MAX_DOCUMENT_BYTES, None, "bytes")
    if not body:
        raise Invalid("body", "a JSON document is expected")
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("body", f"it is not JSON ({error})") from None
    if not isinstance(document, dict | list):
        raise Invalid("body", "a JSON object or array is expected")
    return document


def announced_size(request: Request) -> int | None:
    """The number of bytes that a client says it sends; None if it does not say.

    `X-OpenStack-Image-Size` wins over `Content-Length`, of which 0 means unknown.

    :raises Invalid: not a whole number, or negative.
    """
    explicit = request.headers.get("x-openstack-image-size")
    if explicit is None:
        return int(request.headers.get("content-length") or 0) or None
    text = explicit.strip()
    if not re.fullmatch(r"-?[0-9]{1,19}", text):
        raise Invalid("X-OpenStack-Image-Size", f"'{explicit}' is not a number of bytes")
    if text.startswith("-"):
        raise Invalid("X-OpenStack-Image-Size", "it is negative")
    return int(text)


async def read_data(request: Request) -> AsyncIterator[bytes]:
    """The body, chunk by chunk. :raises SizeMismatch, Invalid: the client went away before the end."""
    received = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            announced = request.headers.get("content-length")
            if announced is not None:
                raise SizeMismatch(int(announced), received)
            raise Invalid("body", f"the client went away after {received} bytes")
        chunk: bytes = message.get("body", b"")
        received += len(chunk)
        if chunk:
            yield chunk
        if not message.get("more_body", False):
            return
