"""The composition root: builds the parts from the settings and hands them to each other.

The only module that may import everything.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import uuid4

from oslo_config import cfg
from starlette.types import ASGIApp

from glimpse.access.identity import BasicIdentity, Identity, NoIdentity
from glimpse.access.limits import KeystoneLimits
from glimpse.access.policy import OsloPolicy
from glimpse.access.protection import read_protection
from glimpse.access.users import UserFiles
from glimpse.api.application import make_application
from glimpse.api.edge import Cors
from glimpse.api.health import HealthOptions
from glimpse.api.service import Options, Service
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.events import Notifier
from glimpse.catalog.records import Records
from glimpse.config.backends.files import FileBackend
from glimpse.config.image_schema import read_known_properties
from glimpse.config.logs import set_up_logs
from glimpse.config.paste import read_pipeline
from glimpse.config.places import StorePlace
from glimpse.config.settings import (
    Settings,
    library_config,
    read_config,
)
from glimpse.domain.attributes import attribute_table
from glimpse.domain.errors import Invalid
from glimpse.domain.figures import Count, uncounted
from glimpse.domain.spans import traced
from glimpse.domain.tasks import TaskType
from glimpse.imports.flow import Imports, import_kind
from glimpse.imports.request import Method
from glimpse.imports.steps import StepOptions, make_steps
from glimpse.jobs.engine import Engine, run_jobs
from glimpse.jobs.worker import SharedClock, Worker
from glimpse.metrics.serving import metrics_wanted, prepare_metrics, serve_metrics
from glimpse.notify.ports import Bus
from glimpse.notify.sender import Choice, Sender
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.figures import SqlFigures
from glimpse.records.notifications import SqlBacklogRecords
from glimpse.registry.client import records_behind
from glimpse.registry.service import open_registry
from glimpse.signing.certificates import KeyManager, read_trust_store
from glimpse.signing.folder import CertificateFolder
from glimpse.stores.base import Store
from glimpse.stores.outbound import Outbound, Patience
from glimpse.tracing.starting import start
from glimpse.tracing.stores import TracedStore
from glimpse.transfer.cache.cache import Cache
from glimpse.transfer.cache.folder import CacheFolder
from glimpse.transfer.cache.prefetch import kind_of, prefetching
from glimpse.transfer.cache.upkeep import keep
from glimpse.transfer.location_import import location_import
from glimpse.transfer.removal import agree_on_time, keep_house
from glimpse.transfer.scrubbing import Scrubber
from glimpse.transfer.signatures import Signatures, no_key_manager
from glimpse.transfer.threads import start_threads
from glimpse.transfer.transfer import Listing, Stores, Transfer


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


def counting() -> Count:
    """What counts, if this process has a folder for figures."""
    if not metrics_wanted():
        return uncounted
    # Imported only when used, and after the folder for figures is there.
    from glimpse.metrics.counted import count

    return count


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


def records_of(settings: Settings) -> Records:
    """The records in the database, or behind the registry.

    :raises Invalid: a file that the settings name, or the node's account in Keystone, cannot be used.
    """
    link = settings.registry.link
    if link is not None:
        return records_behind(open_registry(settings, link))
    database = connect(settings.database_url, settings.location_key)
    if metrics_wanted():
        from glimpse.metrics.counted import count_connections

        database.watch(count_connections)
    return open_records(database)


def require_database(settings: Settings, option: str) -> None:
    """:raises Invalid: the option asks for what only a node with a database of its own can do."""
    if settings.registry.link is not None:
        raise Invalid(option, "it needs the database, of which a node behind a registry knows nothing")


def signatures_of(settings: Settings, config: cfg.ConfigOpts) -> Signatures:
    """How signatures are verified. :raises Invalid: the trust store will not do."""
    store = settings.signing.trust_store
    return Signatures(
        partial(key_manager_of, settings, config), None if store is None else read_trust_store(store)
    )


def key_manager_of(settings: Settings, config: cfg.ConfigOpts) -> KeyManager:
    """Who has the certificates of signatures. :raises Invalid: an option will not do."""
    if settings.signing.certificate_folder is not None:
        return CertificateFolder(settings.signing.certificate_folder)
    try:
        # An extra, and imported only when used: it takes half a second.
        from glimpse.signing.key_managers import CastellanKeyManager
    except ImportError:
        return no_key_manager()
    return CastellanKeyManager(config)


def sender_of(settings: Settings) -> Sender | None:
    """What sends notifications; None if none are sent. :raises Invalid: see `OsloBus`."""
    chosen = settings.notifications
    if not chosen.drivers:
        return None
    require_database(settings, "driver")
    choice = Choice(chosen.publisher_id, chosen.disabled, chosen.backlog)
    backlog = SqlBacklogRecords(connect(settings.database_url))
    return Sender(bus_of(settings), backlog, choice, count=counting())


def bus_of(settings: Settings) -> Bus:
    # Imported only when used: it takes a second.
    try:
        from glimpse.notify.bus import OsloBus
    except ImportError:
        raise Invalid("driver", "to send notifications, install glimpse[notifications]") from None
    chosen = settings.notifications
    return OsloBus(library_config(settings.source), chosen.drivers, chosen.topics)


def imports_of(settings: Settings, transfer: Transfer) -> Imports:
    """How data is imported. :raises Invalid: there is no step of a name that the settings have."""
    chosen = settings.imports
    options = StepOptions(
        transfer.threads,
        settings.scratch_folder,
        settings.limits.image_size_cap,
        chosen.inject,
        chosen.ignore_user_roles,
        chosen.output_format,
        chosen.vmdk_allowed_types,
    )
    return Imports(
        transfer,
        Outbound(settings.url_rules, Patience(retries=settings.http_retries)),
        make_steps(chosen.steps, options),
        tuple(Method(name) for name in chosen.methods),
        chosen.extra_properties,
        chosen.max_workers,
    )


def cache_of(settings: Settings, config: cfg.ConfigOpts, transfer: Transfer) -> Cache | None:
    """The image cache, if there shall be one. :raises Invalid: its folder cannot be made."""
    options = settings.cache
    if not options.wanted and "cache" not in _filters(settings, config):
        return None
    folder = CacheFolder(options.folder)
    folder.prepare()
    return Cache(transfer, folder, options.node, options.max_bytes, options.stall_seconds)


def engine_of(settings: Settings, imports: Imports, cache: Cache | None = None) -> Engine:
    """What does the jobs of all kinds."""
    transfer = imports.transfer
    importing = import_kind(imports)
    kinds = {
        TaskType.LOCATION_IMPORT.value: location_import(transfer, do_secure_hash=settings.do_secure_hash),
        TaskType.API_IMAGE_IMPORT.value: importing,
        TaskType.IMPORT.value: importing,
    }
    if cache is not None:
        kinds[kind_of(cache.node)] = prefetching(cache)
    records, call = transfer.catalog.records.jobs, transfer.threads.record
    return Engine(records, transfer.worker, kinds, call, transfer.count)


def options_of(settings: Settings, config: cfg.ConfigOpts) -> Options:
    """What the operator decided about the API."""
    cors = config.cors
    return Options(
        settings.shown.show_image_direct_url,
        settings.shown.show_multiple_locations,
        settings.shown.max_request_id_length,
        config.oslo_middleware.enable_proxy_headers_parsing,
        Cors(
            frozenset(cors.allowed_origin or ()),
            cors.allow_credentials,
            tuple(cors.expose_headers),
            cors.max_age,
            frozenset(cors.allow_methods),
            frozenset(cors.allow_headers),
        ),
        _health_options(settings, config),
        settings.shown.enable_v1_api,
    )


def _health_options(settings: Settings, config: cfg.ConfigOpts) -> HealthOptions:
    disabling, detailed = config.healthcheck.disable_by_file_path, config.healthcheck.detailed
    if settings.auth_strategy == "paste":
        pipeline = read_pipeline(config, settings.source)
        disabling = pipeline.disable_by_file_path or disabling
        detailed = detailed if pipeline.detailed_health is None else pipeline.detailed_health
    own = config.glimpse
    required = tuple(own.healthcheck_required_stores)
    return HealthOptions(disabling, detailed, required, own.healthcheck_timeout, own.healthcheck_remember)


def _filters(settings: Settings, config: cfg.ConfigOpts) -> tuple[str, ...]:
    """The filters that requests pass by the operator's paste file."""
    return read_pipeline(config, settings.source).filters if settings.auth_strategy == "paste" else ()


def stores_of(settings: Settings) -> Stores:
    """The stores, with what the operator says of them."""
    by_id: dict[str, Store] = {place.id: place.backend.open(place.id) for place in settings.stores}
    if metrics_wanted():
        from glimpse.metrics.counted import MeasuredStore

        by_id = {name: MeasuredStore(store) for name, store in by_id.items()}
    if traced():
        by_id = {name: TracedStore(store) for name, store in by_id.items()}
    return Stores(
        by_id,
        settings.default_store,
        several=settings.several_stores,
        listings={place.id: _listing(place) for place in settings.stores},
    )


def _listing(place: StorePlace) -> Listing:
    listing = Listing(
        place.kind,
        place.weight,
        place.description,
        read_only=place.read_only,
        properties=place.backend.properties(),
    )
    if isinstance(place.backend, FileBackend):
        return replace(listing, describe=place.backend.describe)
    return listing


def identity_of(settings: Settings, config: cfg.ConfigOpts, policy: OsloPolicy) -> Identity:
    if settings.auth_strategy == "http_basic":
        return BasicIdentity(UserFiles(settings.htpasswd), policy.is_admin)
    if settings.auth_strategy == "paste" and read_pipeline(config, settings.source).by_keystone:
        # Imported only when used: it takes a third of a second.
        from glimpse.access.keystone import KeystoneIdentity

        anonymous = config.allow_anonymous_access
        return KeystoneIdentity(config, policy.is_admin, allow_anonymous=anonymous)
    return NoIdentity()


def utc_now() -> datetime:
    """The time as the tables keep it: naive UTC, whole seconds."""
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
