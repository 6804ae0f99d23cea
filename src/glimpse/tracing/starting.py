"""Whether OpenTelemetry, which is an extra, can be had."""

import logging

from glimpse.domain.errors import Invalid
from glimpse.domain.spans import traced

LOG = logging.getLogger(__name__)


def start(endpoint: str | None, ratio: float | None) -> None:
    """Trace what this process does from now on. Once only: later calls change nothing.

    What is None is as OpenTelemetry's variables of the environment say.

    :raises Invalid: the operator named an endpoint, and the library is not installed.
    """
    if traced():
        return
    try:
        # Imported only when used.
        from glimpse.tracing.exporting import start_tracing
    except ImportError:
        if endpoint is not None:
            raise Invalid("trace_endpoint", "to send traces, install glimpse[telemetry]") from None
        # The environment may be that of all programs of the host.
        LOG.warning("no traces are sent: glimpse[telemetry] is not installed")
        return
    start_tracing(endpoint, ratio)
