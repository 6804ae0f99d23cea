"""Settings: the options as plain values, read once, that can be handed to another process."""

import hashlib
import logging
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.catalog.catalog import Limits
from glimpse.config import registry
from glimpse.config.addresses import is_loopback
from glimpse.config.backends.files import FileBackend
from glimpse.config.files import Source, entries, files_of
from glimpse.config.options import BACKEND, register, registered
from glimpse.config.parts import (
    CacheSettings,
    ImportSettings,
    LogSettings,
    MetricsSettings,
    NotificationSettings,
    ScrubSettings,
    ShownSettings,
    SigningSettings,
    read_cache,
    read_imports,
    read_logs,
    read_metrics,
    read_notifications,
    read_scrubbing,
    read_shown,
    read_signing,
)
from glimpse.config.places import StorePlace, check_names, default_store, read_scratch_folder, read_stores
from glimpse.config.registry import RegistrySettings, read_registry
from glimpse.config.rules import read_rules
from glimpse.config.traces import TraceSettings, read_traces
from glimpse.domain.errors import Invalid
from glimpse.domain.url_rules import Rules

_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}

# Where Glance's packages keep images.
_GLANCE_STATE = Path("/var/lib/glance")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the composition root needs. Sizes are bytes, times seconds.

    `default_store` is the id of the one of `stores` that takes new images unless, among `several_stores`,
    the client names another.
    """

    source: Source
    state_dir: Path
    bind_host: str
    bind_port: int
    workers: int
    cert_file: str | None
    key_file: str | None
    client_ca_file: str | None
    public_endpoint: str | None
    logs: LogSettings
    database_url: str
    location_key: bytes | None
    registry: RegistrySettings
    stores: tuple[StorePlace, ...]
    default_store: str
    several_stores: bool
    scratch_folder: Path
    url_rules: Rules
    auth_strategy: str
    allow_noauth_on_network: bool
    htpasswd: Path
    signing: SigningSettings
    limits: Limits
    disk_formats: tuple[str, ...]
    container_formats: tuple[str, ...]
    require_format_match: bool
    hashing_algorithm: str
    lease_seconds: float
    run_jobs: bool
    shown: ShownSettings
    do_secure_hash: bool
    imports: ImportSettings
    http_retries: int
    cache: CacheSettings
    scrubbing: ScrubSettings
    notifications: NotificationSettings
    metrics: MetricsSettings
    traces: TraceSettings

    @property
    def base_url(self) -> str:
        """Where clients on this machine reach the service."""
        scheme = "https" if self.cert_file else "http"
        host = f"[{self.bind_host}]" if ":" in self.bind_host else self.bind_host
        return f"{scheme}://{host}:{self.bind_port}"

    @property
    def image_folders(self) -> tuple[tuple[Path, ...], ...]:
        """Those of each store that keeps images in files."""
        backends = (store.backend for store in self.stores)
        return tuple(
            tuple(folder.path for folder in backend.folders)
            for backend in backends
            if isinstance(backend, FileBackend)
        )


def default_state_dir(program: str = "glimpse") -> Path:
    """Where Glance's packages keep theirs; for `glimpse`: `$GLIMPSE_STATE_DIR`, else where the XDG base
    directory specification keeps a user's data.
    """
    if program != "glimpse":
        return _GLANCE_STATE
    named = os.environ.get("GLIMPSE_STATE_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "glimpse"


def read_config(source: Source | Sequence[str]) -> cfg.ConfigOpts:
    """The options as oslo.config reads them from a source, or from these files, later ones winning.

    :raises Invalid: a file cannot be read or is none, or a value will not do; names the option and the place.
    """
    if not isinstance(source, Source):
        source = Source(files=tuple(source))
    # What it says of deprecated names is told by `glimpse.config.report`, with the line.
    logging.getLogger("oslo_config.cfg").setLevel(logging.ERROR)
    config = cfg.ConfigOpts()
    register(config)
    _parse(config, source)
    if source.program == registry.PROGRAM:
        config.set_default("bind_port", registry.PORT)
    for group, name, value in source.overrides:
        _override(config, group, name, value)
    _register_backends(config, source)
    return config


def library_config(source: Source) -> cfg.ConfigOpts:
    """The same files for a library that registers options of its own, some of them by names of ours.

    :raises Invalid: a file cannot be read or is none.
    """
    config = cfg.ConfigOpts()
    _parse(config, source)
    return config


def _parse(config: cfg.ConfigOpts, source: Source) -> None:
    try:
        # An explicit list also keeps oslo.config from reading files that nobody named.
        config(
            args=[],
            project=source.project,
            prog=source.program,
            default_config_files=list(source.files),
            default_config_dirs=list(source.dirs),
        )
    except (cfg.Error, OSError, ValueError) as error:
        raise Invalid("configuration", str(error)) from None


def _register_backends(config: cfg.ConfigOpts, source: Source) -> None:
    backends: dict[str, str] = _value(config, source, "DEFAULT", "enabled_backends") or {}
    check_names(backends)
    shared = {option.dest: _value(config, source, "backend_defaults", option.dest) for option in BACKEND}
    for identity in backends:
        config.register_opts(BACKEND, group=identity)
        for name, value in shared.items():
            config.set_default(name, value, group=identity)


def _override(config: cfg.ConfigOpts, group: str, name: str, value: object) -> None:
    try:
        config.set_override(name, value, None if group == "DEFAULT" else group)
    except ValueError as error:
        raise Invalid(name, str(error)) from None


def _value(config: cfg.ConfigOpts, source: Source, group: str, name: str) -> Any:
    try:
        return config[name] if group == "DEFAULT" else config[group][name]
    except (cfg.Error, ValueError) as error:
        # oslo.config tells the type of the place rather than the place.
        reason = re.sub(r"^Value for option .*? is not valid: ", "", str(error), flags=re.DOTALL)
        raise Invalid(name, f"{_place(source, group, name)}: {reason}") from None


def check_values(config: cfg.ConfigOpts, source: Source) -> None:
    """Read all that is registered. :raises Invalid: a value will not do; names the option and the place."""
    for group, names in registered(config).items():
        for name in sorted(names):
            _value(config, source, group, name)


def _place(source: Source, group: str, name: str) -> str:
    variable = f"OS_{group.upper()}__{name.upper()}"
    if variable in os.environ:
        return variable
    found = [
        f"{entry.file}:{entry.line}"
        for path in files_of(source)
        for entry in entries(path)
        if (entry.group, entry.name) == (group, name)
    ]
    return found[-1] if found else f"[{group}]"


def read_settings(
    config_files: Sequence[str] = (),
    *,
    state_dir: Path | None = None,
    bind_host: str | None = None,
    bind_port: int | None = None,
) -> Settings:
    """Settings of `glimpse` from files; what is given by name wins over them.

    :raises Invalid: an option's value will not do; names the option.
    """
    named = {
        ("glimpse", "state_dir"): None if state_dir is None else str(state_dir),
        ("DEFAULT", "bind_host"): bind_host,
        ("DEFAULT", "bind_port"): bind_port,
    }
    overrides = tuple((group, name, value) for (group, name), value in named.items() if value is not None)
    return settings_of(Source(files=tuple(config_files), overrides=overrides))


def settings_of(source: Source) -> Settings:
    """Settings from a source. :raises Invalid: an option's value will not do; names the option and place."""
    config = read_config(source)
    check_values(config, source)
    state = Path(config.glimpse.state_dir or default_state_dir(source.program)).absolute()
    settings = _settings(config, source, state)
    _check(settings)
    return settings


def _location_key(text: str | None) -> bytes | None:
    if not text:
        return None
    key = text.encode()
    if len(key) not in (16, 24, 32):
        raise Invalid("metadata_encryption_key", f"it must have 16, 24 or 32 bytes, but has {len(key)}")
    return key


def _settings(config: cfg.ConfigOpts, source: Source, state: Path) -> Settings:
    return Settings(
        source=source,
        state_dir=state,
        bind_host=config.bind_host,
        bind_port=config.bind_port,
        workers=max(config.workers, 1),
        cert_file=config.cert_file,
        key_file=config.key_file,
        client_ca_file=config.glimpse.client_ca_file,
        public_endpoint=config.public_endpoint,
        logs=read_logs(config, source.program),
        database_url=config.database.connection or f"sqlite:///{state / 'glimpse.db'}",
        location_key=_location_key(config.metadata_encryption_key),
        registry=read_registry(config, source.program),
        stores=() if source.program == registry.PROGRAM else read_stores(config, state),  # it reads no data
        default_store=default_store(config),
        several_stores=bool(config.enabled_backends),
        scratch_folder=read_scratch_folder(config, state),
        url_rules=read_rules(config),
        auth_strategy=_auth_strategy(config, source),
        allow_noauth_on_network=config.glimpse.allow_noauth_on_network,
        htpasswd=Path(config.glimpse.http_basic_auth_user_file or state / "htpasswd"),
        limits=_limits(config),
        disk_formats=tuple(config.image_format.disk_formats),
        container_formats=tuple(config.image_format.container_formats),
        require_format_match=config.image_format.require_image_format_match,
        hashing_algorithm=config.hashing_algorithm,
        lease_seconds=config.glimpse.lease_seconds,
        run_jobs=config.glimpse.run_jobs,
        do_secure_hash=config.do_secure_hash,
        http_retries=max(config.http_retries, 0),
        traces=read_traces(config),
        **_parts(config, state),
    )


def _parts(config: cfg.ConfigOpts, state: Path) -> dict[str, Any]:
    """The settings that have a reader of their own, by their names."""
    return {
        "signing": read_signing(config),
        "shown": read_shown(config),
        "imports": read_imports(config),
        "scrubbing": read_scrubbing(config),
        "cache": read_cache(config, state),
        "notifications": read_notifications(config),
        "metrics": read_metrics(config),
    }


def _auth_strategy(config: cfg.ConfigOpts, source: Source) -> str:
    asked: str | None = config.glimpse.auth_strategy
    if asked:
        return asked
    return "http_basic" if source.program == "glimpse" and not config.paste_deploy.flavor else "paste"


def _limits(config: cfg.ConfigOpts) -> Limits:
    return Limits(
        image_size_cap=config.image_size_cap,
        user_storage_quota=read_quota(config.user_storage_quota),
        image_property_quota=config.image_property_quota,
        image_tag_quota=config.image_tag_quota,
        image_member_quota=config.image_member_quota,
        image_location_quota=config.image_location_quota,
        limit_param_default=config.limit_param_default,
        api_limit_max=config.api_limit_max,
        task_time_to_live=config.task.task_time_to_live,
    )


def read_quota(text: str) -> int | None:
    """Bytes of a quota like `10GB` (units are binary); None for 0, which means any number."""
    digits = text.rstrip("BKMGT")
    return int(digits) * _UNITS[text[len(digits) :]] or None


def require_loopback(settings: Settings) -> None:
    """Everybody is administrator. :raises Invalid: beyond this machine too, and nobody said so."""
    if not is_loopback(settings.bind_host) and not settings.allow_noauth_on_network:
        raise Invalid(
            "auth_strategy",
            f"noauth would make everybody who reaches {settings.bind_host} administrator; "
            "bind to 127.0.0.1, or set [glimpse] allow_noauth_on_network",
        )


def _check(settings: Settings) -> None:
    if settings.auth_strategy == "noauth":
        require_loopback(settings)
    try:
        # Some names that hashlib knows cannot be used: digests without a length of their own, for one.
        hashlib.new(settings.hashing_algorithm, usedforsecurity=False).hexdigest()
    except (ValueError, TypeError):
        name = settings.hashing_algorithm
        raise Invalid("hashing_algorithm", f"'{name}' is no digest that hashlib can make here") from None
    if bool(settings.cert_file) != bool(settings.key_file):
        raise Invalid("cert_file", "cert_file and key_file go together")
    if settings.client_ca_file and not settings.cert_file:
        raise Invalid("client_ca_file", "certificates of clients need TLS: set cert_file")
