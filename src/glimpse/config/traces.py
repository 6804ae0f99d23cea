"""Traces, as the operator asks for them: by options, or by OpenTelemetry's variables of the environment."""

import os
from dataclasses import dataclass
from urllib.parse import urlsplit

from oslo_config import cfg

from glimpse.domain.errors import Invalid

OPTIONS = (
    cfg.StrOpt(
        "trace_endpoint",
        help="Collector of OpenTelemetry (OTLP over HTTP) that gets traces, such as http://127.0.0.1:4318. "
        "Default: what `OTEL_EXPORTER_OTLP_ENDPOINT` says; without it there are no traces.",
    ),
    cfg.FloatOpt(
        "trace_ratio",
        min=0.0,
        max=1.0,
        help="Share of requests without a trace of their own that are traced. "
        "Default: what `OTEL_TRACES_SAMPLER` says; without it all.",
    ),
)

# Where OTLP over HTTP has traces (OpenTelemetry Protocol, "OTLP/HTTP Request").
_PATH = "/v1/traces"
_NAMED = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """Whether traces are made; where they go and how many: None as the environment says."""

    wanted: bool
    endpoint: str | None
    ratio: float | None


def read_traces(config: cfg.ConfigOpts) -> TraceSettings:
    """What options and environment say of traces. :raises Invalid: `trace_endpoint` is no URL of a server."""
    own = config.glimpse
    named = own.trace_endpoint or any(os.environ.get(name) for name in _NAMED)
    off = (
        os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true"
        or os.environ.get("OTEL_TRACES_EXPORTER") == "none"
    )
    return TraceSettings(bool(named) and not off, _place(own.trace_endpoint), own.trace_ratio)


def _place(endpoint: str | None) -> str | None:
    if not endpoint:
        return None
    url = urlsplit(endpoint)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise Invalid("trace_endpoint", "a URL like http://127.0.0.1:4318 is expected")
    return endpoint if url.path.strip("/") else endpoint.rstrip("/") + _PATH
