"""`glimpse worker`: a process of the service that does jobs and keeps house, and answers no requests."""

import asyncio
import logging
import signal
from collections.abc import Callable

import click

from glimpse.api.service import Service
from glimpse.app import background, make_service, offer_metrics
from glimpse.cli.serve import prepare
from glimpse.config.settings import Settings

LOG = logging.getLogger(__name__)


def work_forever(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; then the jobs that are under way are let go for others to take.

    :raises Invalid: the state folder, the address of metrics or a file that the settings name cannot be used.
    :raises Unavailable: the database cannot be used.
    """
    prepare(settings)
    offer_metrics(settings, settings.metrics.worker_port)
    service = make_service(settings)
    worker = service.transfer.worker.id
    asyncio.run(work(service, lambda: _tell(f"Worker {worker} is doing jobs.")))
    _tell(f"Worker {worker} has stopped.")


async def work(service: Service, ready: Callable[[], object]) -> None:
    """Do jobs and keep house until a signal comes; `ready` is called when that has begun."""
    stop = stop_signal()
    async with background(service, jobs=True):
        ready()
        await stop.wait()


def stop_signal() -> asyncio.Event:
    """An event that SIGTERM and SIGINT set."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    return stop


def _tell(text: str) -> None:
    click.echo(text)
    LOG.info("%s", text)
