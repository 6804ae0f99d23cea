"""`/metrics` on a port of its own: the sums of all processes that answer requests, and what records say.

Each process writes its figures to files of a folder (prometheus-client's multiprocess mode); one server reads
them all. The folder's name is in the environment before the library is imported, which looks there then.
"""

import atexit
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol

from glimpse.domain.errors import GlimpseError, Invalid

LOG = logging.getLogger(__name__)

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_PREFIX = "glimpse-metrics-"


class Figures(Protocol):
    """What the records say of work that waits; each call may raise `Unavailable`."""

    def jobs(self, now: float) -> Mapping[tuple[str, str], int]:
        """How many jobs there are, by kind and state."""

    def intents(self) -> Mapping[str, int]:
        """How many intents there are, by kind."""

    def notifications(self) -> int:
        """How many notifications wait in the backlog."""


def prepare_metrics() -> None:
    """Make the folder, before any process begins that writes figures; it goes when this one ends."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix=_PREFIX)
    atexit.register(shutil.rmtree, os.environ[FOLDER], ignore_errors=True)


def metrics_wanted() -> bool:
    """Whether this process, or the one that started it, has made the folder."""
    return Path(os.environ.get(FOLDER, "")).name.startswith(_PREFIX)


def serve_metrics(
    host: str, port: int, figures: Figures | None, clock: Callable[[], float] = time.time
) -> None:
    """Answer on this address, by a thread. :raises Invalid: the address cannot be used."""
    from prometheus_client import CollectorRegistry, start_http_server
    from prometheus_client.multiprocess import MultiProcessCollector

    registry = CollectorRegistry()
    registry.register(Ended())  # type: ignore[arg-type]
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    if figures is not None:
        registry.register(_Collector(figures, clock))  # type: ignore[arg-type]
    try:
        start_http_server(port, host, registry)
    except OSError as error:
        raise Invalid("metrics_port", f"{host}:{port}: {error.strerror or error}") from None


class Ended:
    """Makes the figures go, before the others are read, that only living processes have."""

    def collect(self) -> Iterator[object]:
        """Nothing."""
        from prometheus_client.multiprocess import mark_process_dead

        for file in Path(os.environ[FOLDER]).glob("gauge_live*_*.db"):
            process = int(file.stem.rpartition("_")[2])
            if not _is_alive(process):
                mark_process_dead(process)  # type: ignore[no-untyped-call]
        return iter(())


def _is_alive(process: int) -> bool:
    """Whether there is a process of this id."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class _Collector:
    """What the database says at the moment of the question."""

    def __init__(self, figures: Figures, clock: Callable[[], float]) -> None:
        self._figures = figures
        self._clock = clock

    def collect(self) -> Iterator[object]:
        """The figures; without those of a database that does not answer."""
        from prometheus_client.core import GaugeMetricFamily

        up = GaugeMetricFamily("glimpse_database_up", "Whether the database answers.")
        jobs = GaugeMetricFamily("glimpse_jobs", "Jobs that have not ended.", labels=("kind", "state"))
        intents = GaugeMetricFamily("glimpse_intents", "Leases on data in stores.", labels=("kind",))
        waiting = GaugeMetricFamily("glimpse_notifications_waiting", "Notifications in the backlog.")
        try:
            for labels, count in self._figures.jobs(self._clock()).items():
                jobs.add_metric(labels, count)
            for kind, count in self._figures.intents().items():
                intents.add_metric((kind,), count)
            waiting.add_metric((), self._figures.notifications())
        except GlimpseError as error:
            LOG.warning("metrics are incomplete: %s", error)
            up.add_metric((), 0)
            yield up
            return
        up.add_metric((), 1)
        yield from (up, jobs, intents, waiting)
