"""Requests as spans of traces. Imported only where traces are on."""

from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from glimpse.api.operations import ROUTE
from glimpse.domain.correlation import REQUEST
from glimpse.tracing.exporting import SCOPE, current

_W3C = TraceContextTextMapPropagator()
_SERVER_ERROR = 500


class Traced:
    """An application each of whose requests is a span, below that of the client if it names one
    (`traceparent`, W3C Trace Context).
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application
        self._tracer = trace.get_tracer(SCOPE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or run the lifespan."""
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        routes, method = scope.setdefault(ROUTE, []), scope["method"]
        parent = _W3C.extract(Headers(scope=scope))
        attributes = {"http.request.method": method, "url.path": scope["path"], "url.scheme": scope["scheme"]}

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                if message["status"] >= _SERVER_ERROR:
                    span.set_status(trace.StatusCode.ERROR)
            await send(message)

        span = self._tracer.start_span(method, parent, trace.SpanKind.SERVER, attributes)
        with current(span):
            try:
                await self._application(scope, receive, send_noted)
            finally:
                span.set_attribute("glimpse.request_id", REQUEST.get())
                if routes:
                    span.update_name(f"{method} {routes[0]}")
                    span.set_attribute("http.route", routes[0])
