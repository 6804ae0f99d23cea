"""Operations: what the service answers, as data. Routing and the OpenAPI document are made from them.

A *record* operation is a plain function; it runs on the records' thread pool, one transaction or two long.
A *data* operation is a coroutine function on the event loop, which streams.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from http import HTTPStatus
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glimpse.api.problems import answer, problem
from glimpse.api.requests import read_call, read_json, refuse_body
from glimpse.api.service import Call, Service
from glimpse.domain.errors import GlimpseError

RecordHandler = Callable[[Service, Call], Response]
DataHandler = Callable[[Service, Call, Request], Awaitable[Response]]

# Where the scope of a request keeps a list into which the template of its path goes, if anybody counts.
ROUTE = "glimpse.route"

PATCH_TYPES = (
    "application/openstack-images-v2.0-json-patch",
    "application/openstack-images-v2.1-json-patch",
)


class Body(StrEnum):
    """What a request carries."""

    NONE = "none"
    IGNORED = "ignored"
    JSON = "json"
    PATCH = "patch"
    DATA = "data"


@dataclass(frozen=True, slots=True)
class Operation:
    """One method on one path. `errors` are the statuses that a client must expect besides the common ones."""

    method: str
    path: str
    summary: str
    handler: RecordHandler | None = None
    data_handler: DataHandler | None = None
    body: Body = Body.NONE
    success: HTTPStatus = HTTPStatus.OK
    result: str | None = None
    request_schema: Mapping[str, Any] | None = None
    query: Sequence[Mapping[str, Any]] = ()
    errors: Sequence[HTTPStatus] = field(default_factory=tuple)


def text_parameter(name: str, description: str, *choices: str) -> Mapping[str, Any]:
    """A parameter of the query that is a text, one of `choices` if there are any (OpenAPI 3.1)."""
    schema = {"type": "string", "enum": list(choices)} if choices else {"type": "string"}
    return {"name": name, "in": "query", "description": description, "schema": schema}


class Resource:
    """The ASGI application at one path: finds the operation for the method and answers the call."""

    def __init__(self, service: Service, operations: Sequence[Operation]) -> None:
        self._service = service
        self._path = operations[0].path
        self._operations = {operation.method: operation for operation in operations}
        self._allow = ", ".join(sorted(self._operations))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if ROUTE in scope:
            scope[ROUTE].append(self._path)
        request = Request(scope, receive, send)
        response = await self._respond(request)
        await response(scope, receive, send)

    async def _respond(self, request: Request) -> Response:
        accept = request.headers.get("accept", "")
        operation = self._operations.get(request.method)
        if operation is None:
            response = problem(HTTPStatus.METHOD_NOT_ALLOWED, "The method is not allowed here.", accept)
            response.headers["Allow"] = self._allow
            return response
        try:
            return await _perform(self._service, operation, request)
        except GlimpseError as error:
            return answer(error, accept)


async def _perform(service: Service, operation: Operation, request: Request) -> Response:
    body: object = None
    match operation.body:
        case Body.NONE:
            refuse_body(request)
        case Body.JSON:
            body = await read_json(request)
        case Body.PATCH:
            media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media not in PATCH_TYPES:
                return _unknown_patch(request)
            body = (media, await read_json(request))
    call = read_call(request, body, service.public_endpoint)
    if operation.data_handler is not None:
        return await operation.data_handler(service, call, request)
    assert operation.handler is not None  # noqa: S101 - one of the two is given, see `Operation`
    return await service.transfer.threads.record(operation.handler, service, call)


def _unknown_patch(request: Request) -> Response:
    explanation = f"The Content-Type of a change must be one of {', '.join(PATCH_TYPES)}."
    accept = request.headers.get("accept", "")
    response = problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, explanation, accept)
    response.headers["Accept-Patch"] = ", ".join(PATCH_TYPES)
    return response
