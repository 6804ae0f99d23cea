"""The ASGI application: request ids, versions and routes."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from http import HTTPStatus
from itertools import groupby

import orjson
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glimpse.api.edge import cors_headers, forwarded
from glimpse.api.health import health_route
from glimpse.api.openapi import openapi_document, reading_page
from glimpse.api.operations import Operation, Resource
from glimpse.api.problems import answer, problem
from glimpse.api.requests import CALLER, REQUEST_ID, base_url, request_id
from glimpse.api.service import Service
from glimpse.api.v1.routes import OPERATIONS as V1_OPERATIONS
from glimpse.api.v2.routes import OPERATIONS
from glimpse.api.versions import LISTED, canonical_path, listed, versions
from glimpse.domain.caller import ON_BEHALF_OF
from glimpse.domain.correlation import REQUEST
from glimpse.domain.errors import GlimpseError, Unauthenticated
from glimpse.transfer.health import health_of

LOG = logging.getLogger(__name__)

_STANDARD_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}

Lifespan = Callable[[object], AbstractAsyncContextManager[None]]


def make_application(service: Service, lifespan: Lifespan) -> ASGIApp:
    """The whole HTTP face. `lifespan` runs beside it.

    :raises Invalid: the health check needs a store that there is not.
    """
    options = service.options.health
    health = health_of(service.transfer, options.required_stores, options.timeout, options.remember)
    document = orjson.dumps(openapi_document(OPERATIONS, service.catalog.attributes))
    page = reading_page()
    routes = [
        *_resources(service),
        Route("/healthcheck", health_route(health, options), methods=["GET", "HEAD"]),
        Route("/openapi.json", lambda _: Response(document, media_type="application/json")),
        Route("/docs", lambda _: Response(page, media_type="text/html")),
    ]
    router = Router(routes, redirect_slashes=False, default=_unknown, lifespan=lifespan)
    names = listed(
        several_stores=service.transfer.stores.several,
        cache=service.cache is not None,
        old=service.options.enable_v1_api,
    )
    return Front(router, service, names)


def _resources(service: Service) -> list[Route]:
    # The router tries one after the other: a word stands before a variable (which sorts behind all letters),
    # and images, which most requests are about, before all else.
    def turn(operation: Operation) -> tuple[bool, str]:
        return not operation.path.startswith("/v2/images"), operation.path

    answered = (*OPERATIONS, *V1_OPERATIONS) if service.options.enable_v1_api else OPERATIONS
    return [
        Route(path, Resource(service, list(operations)))
        for path, operations in groupby(sorted(answered, key=turn), key=lambda operation: operation.path)
    ]


class Front:
    """What every request passes first: its id, the version that it means, who calls; and a net below all."""

    def __init__(self, application: ASGIApp, service: Service, names: Sequence[str] = LISTED) -> None:
        self._application = application
        self._service = service
        self._versions = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        headers, options = Headers(scope=scope), self._service.options
        if options.enable_proxy_headers_parsing:
            scope = forwarded(scope, headers)
            headers = Headers(scope=scope)
        granted = cors_headers(options.cors, scope["method"], headers) if options.cors.allowed_origin else {}
        name = request_id(headers.get("x-openstack-request-id"), options.max_request_id_length)
        if name is None:
            text = f"The request id is longer than {options.max_request_id_length} characters."
            refusal = problem(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, text, headers.get("accept", ""))
            await refusal(scope, receive, send)
            return
        scope[REQUEST_ID] = name
        REQUEST.set(name)
        sender = _Sender(send, name, granted)
        if scope["method"] == "OPTIONS":
            await Response(media_type="text/html")(scope, receive, sender)
            return
        try:
            await self._route(scope, headers, receive, sender)
        except Exception:
            LOG.exception("the request failed")
            if not sender.started:
                text = "The service failed to answer this request."
                response = problem(HTTPStatus.INTERNAL_SERVER_ERROR, text, headers.get("accept", ""))
                await response(scope, receive, sender)
            else:
                raise

    async def _route(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        path = scope["path"]
        if path in ("/healthcheck", "/openapi.json", "/docs"):
            await self._application(scope, receive, send)
            return
        canonical = canonical_path(path, headers.get("accept", ""), self._versions)
        response = self._negotiated(Request(scope), path, canonical)
        if response is None:
            response = await self._authenticate(scope, headers, str(canonical))
        if response is None and canonical in ("/v2", "/v1"):
            base = base_url(Request(scope), self._service.public_endpoint)
            response = RedirectResponse(f"{base}{path}/", HTTPStatus.FOUND)
        if response is not None:
            await response(scope, receive, send)
            return
        scope["path"] = canonical
        await self._application(scope, receive, send)

    def _negotiated(self, request: Request, path: str, canonical: str | None) -> Response | None:
        """The answer to a request that means no version of the API, or no path in it."""
        endpoint = self._service.public_endpoint
        if path in ("/versions", "/versions/"):
            return versions(request, endpoint, HTTPStatus.OK, self._versions)
        if canonical is None:
            return versions(request, endpoint, HTTPStatus.MULTIPLE_CHOICES, self._versions)
        return None

    async def _authenticate(self, scope: Scope, headers: Headers, path: str) -> Response | None:
        """Find out who calls, before anything else about the request is judged; a refusal if it is nobody."""
        try:
            scope[CALLER] = await self._service.identity.caller(scope["method"], path, headers)
            ON_BEHALF_OF.set(scope[CALLER])
        except GlimpseError as error:
            return self._refusal(error, headers)
        return None

    def _refusal(self, error: GlimpseError, headers: Headers) -> Response:
        response = answer(error, headers.get("accept", ""))
        if isinstance(error, Unauthenticated) and self._service.identity.challenge:
            response.headers["WWW-Authenticate"] = self._service.identity.challenge
        return response


class _Sender:
    """`send` that adds the request id, and what a script is granted, to the head of the answer, and remembers
    that it has begun.
    """

    def __init__(self, send: Send, name: str, granted: Mapping[str, str]) -> None:
        self._send = send
        self._name = name
        self._granted = granted
        self.started = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers["x-openstack-request-id"] = self._name
            if self._granted:
                headers.update(self._granted)
        await self._send(message)


async def _unknown(scope: Scope, receive: Receive, send: Send) -> None:
    accept = Headers(scope=scope).get("accept", "")
    known = scope["method"] in _STANDARD_METHODS
    status = HTTPStatus.NOT_FOUND if known else HTTPStatus.NOT_IMPLEMENTED
    text = "The resource could not be found." if known else "The method is not known."
    await problem(status, text, accept)(scope, receive, send)
