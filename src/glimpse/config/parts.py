"""Settings of parts of the service, each by the names of its options."""

import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from glimpse.config.rules import unbracketed


@dataclass(frozen=True, slots=True)
class ImportSettings:
    """How data is imported, by the names of the options."""

    methods: tuple[str, ...]
    steps: tuple[str, ...]
    inject: Mapping[str, str]
    ignore_user_roles: frozenset[str]
    output_format: str
    vmdk_allowed_types: frozenset[str]
    extra_properties: tuple[str, ...]
    max_workers: int


@dataclass(frozen=True, slots=True)
class CacheSettings:
    """The image cache; whether there is one, the pipeline of the paste file may say too."""

    wanted: bool
    folder: Path
    max_bytes: int
    stall_seconds: int
    node: str


@dataclass(frozen=True, slots=True)
class ScrubSettings:
    """Whether the scrubber removes the images that are deleted, and how. Times are seconds."""

    delayed_delete: bool
    scrub_time: int
    pool_size: int
    wakeup_time: int
    daemon: bool


@dataclass(frozen=True, slots=True)
class NotificationSettings:
    """How notifications are sent, by the names of the options; without drivers: not at all."""

    drivers: tuple[str, ...]
    topics: tuple[str, ...]
    publisher_id: str
    disabled: frozenset[str]
    backlog: int


@dataclass(frozen=True, slots=True)
class LogSettings:
    """Where the log goes, how much of it, and whether as JSON."""

    debug: bool
    file: Path | None
    to_stderr: bool
    use_json: bool = False


@dataclass(frozen=True, slots=True)
class SigningSettings:
    """Whose certificates verify signatures: those of a folder (None: the key manager's), issued by those of a
    trust store (None: by anybody). `verify_glance_signatures` is for the compute side.
    """

    certificate_folder: Path | None
    trust_store: Path | None
    verify_glance_signatures: bool


@dataclass(frozen=True, slots=True)
class MetricsSettings:
    """Where metrics are served; without a port: nowhere. `glimpse worker` has one of its own."""

    host: str
    port: int | None
    worker_port: int | None


@dataclass(frozen=True, slots=True)
class ShownSettings:
    """What the API shows, and how much of what it is shown it takes over."""

    show_image_direct_url: bool
    show_multiple_locations: bool
    max_request_id_length: int
    enable_v1_api: bool


def read_logs(config: cfg.ConfigOpts, program: str) -> LogSettings:
    """What the options say of the log of a program."""
    file = None
    if config.log_file or config.log_dir:
        file = Path(config.log_dir or "") / (config.log_file or f"{program}.log")
    return LogSettings(config.debug, file, config.use_stderr or file is None, config.use_json)


def read_signing(config: cfg.ConfigOpts) -> SigningSettings:
    """What the options say of certificates."""
    folder, store = config.glimpse.certificate_folder, config.glimpse.signature_trust_store
    return SigningSettings(
        Path(folder) if folder else None,
        Path(store) if store else None,
        config.glance.verify_glance_signatures,
    )


def read_shown(config: cfg.ConfigOpts) -> ShownSettings:
    """What the options say of the API's documents and headers."""
    return ShownSettings(
        config.show_image_direct_url,
        config.show_multiple_locations,
        config.max_request_id_length,
        config.enable_v1_api,
    )


def read_scrubbing(config: cfg.ConfigOpts) -> ScrubSettings:
    """What the options say of the scrubber."""
    return ScrubSettings(
        config.delayed_delete, config.scrub_time, config.scrub_pool_size, config.wakeup_time, config.daemon
    )


def read_cache(config: cfg.ConfigOpts, state: Path) -> CacheSettings:
    """What the options say of the image cache, which is in the folder `state` unless they name another."""
    return CacheSettings(
        wanted=config.glimpse.image_cache,
        folder=Path(config.image_cache_dir or state / "image-cache").absolute(),
        max_bytes=config.image_cache_max_size,
        stall_seconds=config.image_cache_stall_time,
        node=config.worker_self_reference_url or socket.gethostname(),
    )


def read_metrics(config: cfg.ConfigOpts) -> MetricsSettings:
    """What the options say of metrics."""
    own = config.glimpse
    return MetricsSettings(own.metrics_host, own.metrics_port, own.worker_metrics_port)


def read_notifications(config: cfg.ConfigOpts) -> NotificationSettings:
    """What the options say of notifications."""
    messaging = config.oslo_messaging_notifications
    return NotificationSettings(
        drivers=tuple(name for name in messaging.driver if name != "noop"),
        topics=tuple(messaging.topics),
        publisher_id=config.default_publisher_id,
        disabled=frozenset(config.disabled_notifications),
        backlog=config.glimpse.notification_backlog,
    )


def read_imports(config: cfg.ConfigOpts) -> ImportSettings:
    """What the options say of imports."""
    injection = config.inject_metadata_properties
    return ImportSettings(
        methods=tuple(config.enabled_import_methods),
        steps=tuple(config.image_import_opts.image_import_plugins),
        inject=dict(injection.inject),
        ignore_user_roles=frozenset(role.lower() for role in injection.ignore_user_roles),
        output_format=config.image_conversion.output_format,
        vmdk_allowed_types=frozenset(config.image_format.vmdk_allowed_types),
        extra_properties=tuple(sorted(unbracketed(config.glance_download_properties.extra_properties))),
        max_workers=config.taskflow_executor.max_workers,
    )
