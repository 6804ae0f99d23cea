"""The composition root: hands the parts of the service to each other, and starts what else runs."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from uuid import uuid4

from oslo_config import cfg
from starlette.types import ASGIApp

from glimpse.access.limits import KeystoneLimits
from glimpse.access.policy import OsloPolicy
from glimpse.access.protection import read_protection
from glimpse.api.application import make_application
from glimpse.api.service import Service
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.events import Notifier
from glimpse.config.image_schema import read_known_properties
from glimpse.config.logs import set_up_logs
from glimpse.config.settings import (
    Settings,
    read_config,
)
from glimpse.domain.attributes import attribute_table
from glimpse.domain.spans import traced
from glimpse.jobs.engine import run_jobs
from glimpse.jobs.worker import SharedClock, Worker
from glimpse.metrics.serving import metrics_wanted, prepare_metrics, serve_metrics
from glimpse.parts import (
    cache_of,
    counting,
    engine_of,
    identity_of,
    imports_of,
    options_of,
    records_of,
    sender_of,
    signatures_of,
    stores_of,
    utc_now,
)
from glimpse.records.database import connect
from glimpse.records.figures import SqlFigures
from glimpse.tracing.starting import start
from glimpse.transfer.cache.upkeep import keep
from glimpse.transfer.removal import agree_on_time, keep_house
from glimpse.transfer.scrubbing import Scrubber
from glimpse.transfer.threads import start_threads
from glimpse.transfer.transfer import Transfer


def create_application(settings: Settings) -> ASGIApp:
    """The ASGI application of one worker process. The database must be up to date."""
    service = make_service(settings)

    @contextlib.asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with background(service, jobs=settings.run_jobs):
            yield

    application = make_application(service, lifespan)
    if metrics_wanted():
        # Imported only when used, and after the folder for figures is there.
        from glimpse.api.measured import Measured

        application = Measured(application)
    if traced():
        from glimpse.api.traced import Traced

        application = Traced(application)
    return application


def offer_metrics(settings: Settings, port: int | None) -> None:
    """Serve metrics of the processes that this one starts, and of itself, if there is a port.

    Behind a registry they are those of processes alone, without what the database says.

    :raises Invalid: the address cannot be used.
    """
    if port is not None:
        prepare_metrics()
        behind = settings.registry.link is not None
        figures = None if behind else SqlFigures(connect(settings.database_url))
        serve_metrics(settings.metrics.host, port, figures)


@contextlib.asynccontextmanager
async def background(service: Service, *, jobs: bool) -> AsyncIterator[None]:
    """Keep leases, settle what others left, and do `jobs`, for the length of a block."""
    works: list[Callable[[], Awaitable[None]]] = [partial(keep_house, service.transfer)]
    works += [partial(run_jobs, service.jobs)] if jobs else []
    works += [partial(keep, service.cache)] if service.cache else []

    async def begin(work: Callable[[], Awaitable[None]]) -> None:
        await agree_on_time(service.transfer)
        await work()

    tasks = [asyncio.create_task(begin(work)) for work in works]
    if service.notifications is not None:
        service.notifications.start()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if service.notifications is not None:
            await asyncio.to_thread(service.notifications.close)


def make_service(settings: Settings) -> Service:
    """The parts of the service, put together."""
    set_up_logs(settings)
    if settings.traces.wanted:
        start(settings.traces.endpoint, settings.traces.ratio)
    config = read_config(settings.source)
    policy = OsloPolicy(config)
    sender = sender_of(settings)
    transfer = _transfer(settings, config, policy, sender)
    imports = imports_of(settings, transfer)
    cache = cache_of(settings, config, transfer)
    return Service(
        transfer.catalog,
        transfer,
        identity_of(settings, config, policy),
        engine_of(settings, imports, cache),
        imports,
        settings.public_endpoint,
        options=options_of(settings, config),
        cache=cache,
        notifications=sender,
    )


def make_scrubber(settings: Settings) -> Scrubber:
    """The parts of the service that remove images whose deletion was delayed."""
    set_up_logs(settings)
    config = read_config(settings.source)
    transfer = _transfer(settings, config, OsloPolicy(config))
    chosen = settings.scrubbing
    return Scrubber(transfer, chosen.scrub_time, chosen.wakeup_time, chosen.pool_size)


def _transfer(
    settings: Settings, config: cfg.ConfigOpts, policy: OsloPolicy, notifier: Notifier | None = None
) -> Transfer:
    catalog = Catalog(
        records=records_of(settings),
        policy=policy,
        limits=settings.limits,
        attributes=attribute_table(settings.disk_formats, settings.container_formats),
        clock=utc_now,
        protection=read_protection(config, policy),
        quotas=KeystoneLimits(config) if config.use_keystone_limits else None,
        known=read_known_properties(config),
        delayed_delete=settings.scrubbing.delayed_delete,
        notifier=notifier,
    )
    clock = SharedClock()
    name = f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:8]}"
    return Transfer(
        catalog=catalog,
        worker=Worker(name, settings.lease_seconds, clock),
        stores=stores_of(settings),
        threads=start_threads(),
        signatures=signatures_of(settings, config),
        hashing_algorithm=settings.hashing_algorithm,
        require_format_match=settings.require_format_match,
        count=counting(),
        agree=partial(clock.compare, catalog.records.intents.now),
    )
