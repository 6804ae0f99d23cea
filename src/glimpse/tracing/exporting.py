"""The port `domain.spans.Tracer`, by OpenTelemetry's SDK. Imported only where traces are on."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from glimpse import __version__
from glimpse.domain.spans import Attributes, trace_with

SCOPE = "glimpse"


class OpenTelemetryTracer:
    """Spans of the SDK. They tell the kind of an error and not its text, which may hold what clients sent."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__)

    @contextmanager
    def work(self, name: str, attributes: Attributes) -> Iterator[None]:
        """See the port."""
        with current(self._tracer.start_span(name, attributes=attributes)):
            yield

    @contextmanager
    def call(self, name: str, attributes: Attributes) -> Iterator[None]:
        """See the port. What nobody asked for, such as looking for jobs, makes no trace of its own."""
        if not trace.get_current_span().get_span_context().is_valid:
            yield
            return
        with _ended(self._tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)):
            yield


@contextmanager
def current(span: trace.Span) -> Iterator[None]:
    """Make the span the parent of those that begin in the block, and end it with the block."""
    with trace.use_span(span, record_exception=False, set_status_on_exception=False), _ended(span):
        yield


@contextmanager
def _ended(span: trace.Span) -> Iterator[None]:
    """End the span with the block, as failed if the block fails."""
    try:
        yield
    except Exception as error:
        span.set_attribute("error.type", type(error).__name__)
        span.set_status(trace.StatusCode.ERROR)
        raise
    finally:
        span.end()


def start_tracing(endpoint: str | None, ratio: float | None) -> None:
    """Send the spans of this process to a collector, and those of the last moments when it ends.

    What is None is as OpenTelemetry's variables of the environment say.
    """
    ours = {"service.name": SCOPE, "service.version": __version__, "host.name": socket.gethostname()}
    # What the environment names wins.
    resource = Resource.create(ours).merge(OTELResourceDetector().detect())
    sampler = None if ratio is None else ParentBased(TraceIdRatioBased(ratio))
    provider = TracerProvider(sampler=sampler, resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint)))
    trace.set_tracer_provider(provider)
    trace_with(OpenTelemetryTracer())
