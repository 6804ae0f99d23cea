"""The registry's HTTP face: each request is one call of the records' ports, and its answer what became of it.

200 holds the result; 422 and 503 an error of ours, which the client raises again; 401 and 403 say that the
caller is not known here, 404 that the call is not, 400 and 413 that the body cannot be read.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from glimpse.catalog.records import Records
from glimpse.domain.errors import (
    Forbidden,
    GlimpseError,
    Invalid,
    LimitExceeded,
    NotFound,
    Unauthenticated,
    Unavailable,
)
from glimpse.registry.wire import (
    CALLS,
    CONTENT_TYPE,
    ERROR_STATUS,
    UNAVAILABLE_STATUS,
    Call,
    decode_arguments,
    encode_error,
    encode_result,
    perform,
)
from glimpse.transfer.health import Health
from glimpse.transfer.threads import Crew

# The largest thing that a node sends are definitions of metadata, of which 8 MiB come to the API at once.
MAX_BODY_BYTES = 32 * 1024 * 1024

_RETRY_AFTER = "5"

# Lets a request in by its path and headers.
# :raises Unauthenticated: nobody, or not who they say. :raises Forbidden: known, but no API node.
# :raises Unavailable: it cannot be found out.
Gate = Callable[[str, Mapping[str, str]], Awaitable[None]]

Lifespan = Callable[[object], AbstractAsyncContextManager[None]]

LOG = logging.getLogger(__name__)


def make_registry(
    records: Records, gate: Gate, crew: Crew, healthcheck: Route, lifespan: Lifespan | None = None
) -> ASGIApp:
    """The application: `records` for those whom `gate` lets in, with calls on the threads of `crew`."""
    return Router(
        [healthcheck], redirect_slashes=False, default=_Calls(records, gate, crew), lifespan=lifespan
    )


def healthcheck_of(health: Health, disabling_file: str = "") -> Route:
    """Tells whoever asks whether the registry is well, which it is not while that file is there."""

    async def answer_health(_: Request) -> Response:
        if disabling_file and Path(disabling_file).exists():
            reasons = ["DISABLED BY FILE"]
        else:
            reasons = [f"{fault.part.upper()} UNAVAILABLE" for fault in await health.faults()]
        status = HTTPStatus.SERVICE_UNAVAILABLE if reasons else HTTPStatus.OK
        return PlainTextResponse("\n".join(reasons or ["OK"]), status)

    return Route("/healthcheck", answer_health, methods=["GET"])


class _Calls:
    def __init__(self, records: Records, gate: Gate, crew: Crew) -> None:
        self._records = records
        self._gate = gate
        self._crew = crew

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await self._answer(request)
        except ClientDisconnect:
            return
        except Exception:
            LOG.exception("%s failed", request.url.path)
            response = Response(status_code=HTTPStatus.INTERNAL_SERVER_ERROR)
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        path: str = request.scope["path"]
        try:
            await self._gate(path, request.headers)
        except Unauthenticated as error:
            return _error(HTTPStatus.UNAUTHORIZED, error)
        except Forbidden as error:
            return _error(HTTPStatus.FORBIDDEN, error)
        except Unavailable as error:
            return _error(UNAVAILABLE_STATUS, error)
        call = CALLS.get(path)
        if call is None or request.method != "POST":
            return _error(HTTPStatus.NOT_FOUND, NotFound("call of this release", f"{request.method} {path}"))
        try:
            arguments = decode_arguments(call, await _body(request))
        except LimitExceeded as error:
            return _error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, error)
        except Invalid as error:
            return _error(HTTPStatus.BAD_REQUEST, error)
        return await self._crew.run(lambda: self._do(call, arguments))

    def _do(self, call: Call, arguments: object) -> Response:
        try:
            result = perform(call, self._records, arguments)
            return Response(encode_result(call, result), media_type=CONTENT_TYPE)
        except Unavailable as error:
            LOG.warning("%s: %s", call, error)
            return _error(UNAVAILABLE_STATUS, error)
        except GlimpseError as error:
            return _error(ERROR_STATUS, error)


def _error(status: HTTPStatus, error: GlimpseError) -> Response:
    headers = {"Retry-After": _RETRY_AFTER} if status is UNAVAILABLE_STATUS else None
    return Response(encode_error(error), status, headers, CONTENT_TYPE)


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise LimitExceeded("request body", MAX_BODY_BYTES, unit="bytes")
    return bytes(body)
