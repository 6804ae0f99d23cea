"""The composition root: builds the parts from the settings and hands them to each other.

The only module that may import everything.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from uuid import uuid4

from oslo_config import cfg
from starlette.types import ASGIApp

from glimpse.access.identity import BasicIdentity, Identity, NoIdentity
from glimpse.access.limits import KeystoneLimits
from glimpse.access.policy import OsloPolicy, policy_files
from glimpse.access.policy_files import check_policy
from glimpse.access.protection import read_protection
from glimpse.access.users import UserFiles
from glimpse.api.application import make_application
from glimpse.api.edge import Cors
from glimpse.api.service import Options, Service
from glimpse.catalog.catalog import Catalog
from glimpse.config.backends.files import FileBackend
from glimpse.config.files import Source
from glimpse.config.image_schema import read_known_properties
from glimpse.config.logs import set_up_logs
from glimpse.config.paste import read_pipeline
from glimpse.config.places import StorePlace
from glimpse.config.settings import (
    Settings,
    check_values,
    library_config,
    read_config,
    require_loopback,
    settings_of,
)
from glimpse.domain.attributes import attribute_table
from glimpse.domain.errors import Invalid
from glimpse.domain.tasks import TaskType
from glimpse.imports.flow import Imports, import_kind
from glimpse.imports.request import Method
from glimpse.imports.steps import StepOptions, make_steps
from glimpse.jobs.engine import Engine, run_jobs
from glimpse.jobs.worker import Worker
from glimpse.metrics.serving import prepare_metrics, serve_metrics
from glimpse.notify.ports import Bus
from glimpse.notify.sender import Choice, Sender
from glimpse.records import open_records
from glimpse.records.database import Database, connect
from glimpse.records.figures import SqlFigures
from glimpse.records.notifications import SqlBacklogRecords
from glimpse.stores.outbound import Outbound, Patience
from glimpse.transfer.location_import import location_import
from glimpse.transfer.removal import keep_house
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
    if settings.metrics_port is None:
        return application
    # Imported only when used, and after the folder for figures is there.
    from glimpse.api.measured import Measured

    return Measured(application)


def offer_metrics(settings: Settings) -> None:
    """Serve metrics of the processes that this one starts, and of itself, if the settings say so.

    :raises Invalid: the address cannot be used.
    """
    if settings.metrics_port is not None:
        prepare_metrics()
        figures = SqlFigures(connect(settings.database_url))
        serve_metrics(settings.metrics_host, settings.metrics_port, figures)


@contextlib.asynccontextmanager
async def background(service: Service, *, jobs: bool) -> AsyncIterator[None]:
    """Keep leases, settle what others left, and do `jobs`, for the length of a block."""
    works = [keep_house(service.transfer), *([run_jobs(service.jobs)] if jobs else [])]
    tasks = [asyncio.create_task(work) for work in works]
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


def create_application_from(source: Source) -> ASGIApp:
    """The application of one worker process, with the settings as they are in the files now.

    :raises Invalid: they will not do.
    """
    settings = settings_of(source)
    check_files(settings)
    return create_application(settings)


def check_files(settings: Settings) -> None:
    """Try the files that the settings name. :raises Invalid: one of them will not do; names it."""
    for check in FILE_CHECKS.values():
        check(settings)


def _check_policy(settings: Settings) -> list[str]:
    config = read_config(settings.source)
    unknown = [f"There is no rule {name}." for name in check_policy(config)]
    old = [f"{path} is JSON: YAML is expected." for path in policy_files(config) if path.suffix == ".json"]
    return old + unknown


def _check_protection(settings: Settings) -> list[str]:
    config = read_config(settings.source)
    check_policy(config)
    read_protection(config, OsloPolicy(config))
    return []


def _check_pipeline(settings: Settings) -> list[str]:
    if settings.auth_strategy != "paste":
        return []
    # Imported only when used, as the middleware itself.
    from keystoneauth1.exceptions import ClientException

    config = read_config(settings.source)
    pipeline = read_pipeline(config, settings.source)
    if not pipeline.by_keystone:
        require_loopback(settings)
    try:
        _identity(settings, config, OsloPolicy(config))
    except (cfg.Error, ClientException, ValueError) as error:
        # The middleware has told its options by now: most often it is one of them, and has a place.
        check_values(config, settings.source)
        raise Invalid("keystone_authtoken", str(error)) from None
    return [f"The filter {name} does nothing." for name in pipeline.without_effect]


def _check_certificate(settings: Settings) -> list[str]:
    if settings.cert_file:
        try:
            ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(
                settings.cert_file, settings.key_file
            )
        except (OSError, ssl.SSLError) as error:
            pair = f"{settings.cert_file}, {settings.key_file}"
            raise Invalid("cert_file", f"{pair}: {error.strerror or error}") from None
    return []


def _check_image_schema(settings: Settings) -> list[str]:
    read_known_properties(read_config(settings.source))
    return []


def _check_notifications(settings: Settings) -> list[str]:
    if settings.notifications.drivers:
        _bus(settings)
    return []


# Each tries a file that the settings name, returns what to warn of, and raises Invalid when it will not do.
FILE_CHECKS: Mapping[str, Callable[[Settings], list[str]]] = {
    "Policy": _check_policy,
    "Property protection": _check_protection,
    "Image schema": _check_image_schema,
    "Pipeline": _check_pipeline,
    "Certificate": _check_certificate,
    "Notifications": _check_notifications,
}


def make_service(settings: Settings) -> Service:
    """The parts of the service, put together."""
    set_up_logs(settings)
    config = read_config(settings.source)
    policy = OsloPolicy(config)
    database = connect(settings.database_url)
    sender = sender_of(settings, database)
    catalog = Catalog(
        records=open_records(database),
        policy=policy,
        limits=settings.limits,
        attributes=attribute_table(settings.disk_formats, settings.container_formats),
        clock=utc_now,
        protection=read_protection(config, policy),
        quotas=KeystoneLimits(config) if config.use_keystone_limits else None,
        known=read_known_properties(config),
        notifier=sender,
    )
    transfer = Transfer(
        catalog=catalog,
        worker=Worker(f"{socket.gethostname()[:40]}:{os.getpid()}:{uuid4().hex[:8]}", settings.lease_seconds),
        stores=stores_of(settings),
        threads=start_threads(),
        hashing_algorithm=settings.hashing_algorithm,
        require_format_match=settings.require_format_match,
    )
    imports = imports_of(settings, transfer)
    return Service(
        catalog,
        transfer,
        _identity(settings, config, policy),
        engine_of(settings, imports),
        imports,
        settings.public_endpoint,
        options=options_of(settings, config),
        notifications=sender,
    )


def sender_of(settings: Settings, database: Database) -> Sender | None:
    """What sends notifications; None if none are sent. :raises Invalid: see `OsloBus`."""
    chosen = settings.notifications
    if not chosen.drivers:
        return None
    choice = Choice(chosen.publisher_id, chosen.disabled, chosen.backlog)
    return Sender(_bus(settings), SqlBacklogRecords(database), choice)


def _bus(settings: Settings) -> Bus:
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


def engine_of(settings: Settings, imports: Imports) -> Engine:
    """What does the jobs of all kinds."""
    transfer = imports.transfer
    importing = import_kind(imports)
    kinds = {
        TaskType.LOCATION_IMPORT.value: location_import(transfer, do_secure_hash=settings.do_secure_hash),
        TaskType.API_IMAGE_IMPORT.value: importing,
        TaskType.IMPORT.value: importing,
    }
    return Engine(transfer.catalog.records.jobs, transfer.worker, kinds, transfer.threads.record)


def options_of(settings: Settings, config: cfg.ConfigOpts) -> Options:
    """What the operator decided about the API."""
    disabling = config.healthcheck.disable_by_file_path
    if settings.auth_strategy == "paste":
        disabling = read_pipeline(config, settings.source).disable_by_file_path or disabling
    cors = config.cors
    return Options(
        settings.show_image_direct_url,
        settings.show_multiple_locations,
        settings.max_request_id_length,
        config.oslo_middleware.enable_proxy_headers_parsing,
        Cors(
            frozenset(cors.allowed_origin or ()),
            cors.allow_credentials,
            tuple(cors.expose_headers),
            cors.max_age,
            frozenset(cors.allow_methods),
            frozenset(cors.allow_headers),
        ),
        disabling,
    )


def stores_of(settings: Settings) -> Stores:
    """The stores, with what the operator says of them."""
    return Stores(
        {place.id: place.backend.open(place.id) for place in settings.stores},
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


def _identity(settings: Settings, config: cfg.ConfigOpts, policy: OsloPolicy) -> Identity:
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
