"""Requests as figures for Prometheus. Imported only where metrics are on."""

import time

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glimpse.api.operations import ROUTE

_LABELS = ("route", "method")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

REQUESTS = Counter("glimpse_requests", "Requests that were answered.", (*_LABELS, "code"))
SECONDS = Histogram(
    "glimpse_request_seconds",
    "Time from a request to the end of its answer.",
    _LABELS,
    buckets=(0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0, 600.0),
)
RECEIVED = Counter("glimpse_received_bytes", "Bytes of bodies of requests.", ("route",))
SENT = Counter("glimpse_sent_bytes", "Bytes of bodies of answers.", ("route",))


class Measured:
    """An application whose requests are counted."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        begun, routes, status, received, sent = time.perf_counter(), list[str](), 0, 0, 0
        scope[ROUTE] = routes

        async def receive_counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            return message

        async def send_counted(message: Message) -> None:
            nonlocal status, sent
            status = message.get("status", status)
            await send(message)
            sent += len(message.get("body", b"")) + message.get("count", 0)

        try:
            await self._application(scope, receive_counted, send_counted)
        finally:
            route = routes[0] if routes else "other"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUESTS.labels(route, method, status or 500).inc()
            SECONDS.labels(route, method).observe(time.perf_counter() - begun)
            if received:
                RECEIVED.labels(route).inc(received)
            if sent:
                SENT.labels(route).inc(sent)
