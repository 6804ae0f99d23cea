"""The parts of the service, each made as the settings want it."""

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from oslo_config import cfg

from glimpse.access.identity import BasicIdentity, Identity, NoIdentity
from glimpse.access.policy import OsloPolicy
from glimpse.access.users import UserFiles
from glimpse.api.edge import Cors
from glimpse.api.health import HealthOptions
from glimpse.api.service import Options
from glimpse.catalog.records import Records
from glimpse.config.backends.files import FileBackend
from glimpse.config.paste import read_pipeline
from glimpse.config.places import StorePlace
from glimpse.config.settings import (
    Settings,
    library_config,
)
from glimpse.domain.errors import Invalid
from glimpse.domain.figures import Count, uncounted
from glimpse.domain.spans import traced
from glimpse.domain.tasks import TaskType
from glimpse.imports.flow import Imports, import_kind
from glimpse.imports.request import Method
from glimpse.imports.steps import StepOptions, make_steps
from glimpse.jobs.engine import Engine
from glimpse.metrics.serving import metrics_wanted
from glimpse.notify.ports import Bus
from glimpse.notify.sender import Choice, Sender
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.notifications import SqlBacklogRecords
from glimpse.registry.client import records_behind
from glimpse.registry.service import open_registry
from glimpse.signing.certificates import KeyManager, read_trust_store
from glimpse.signing.folder import CertificateFolder
from glimpse.stores.base import Store
from glimpse.stores.outbound import Outbound, Patience
from glimpse.tracing.stores import TracedStore
from glimpse.transfer.cache.cache import Cache
from glimpse.transfer.cache.folder import CacheFolder
from glimpse.transfer.cache.prefetch import kind_of, prefetching
from glimpse.transfer.location_import import location_import
from glimpse.transfer.signatures import Signatures, no_key_manager
from glimpse.transfer.transfer import Listing, Stores, Transfer


def counting() -> Count:
    """What counts, if this process has a folder for figures."""
    if not metrics_wanted():
        return uncounted
    # Imported only when used, and after the folder for figures is there.
    from glimpse.metrics.counted import count

    return count


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
