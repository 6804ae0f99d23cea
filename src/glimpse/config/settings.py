"""Settings: the options as plain values, read once, that can be handed to another process."""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oslo_config import cfg

from glimpse.catalog.catalog import Limits
from glimpse.config.options import register
from glimpse.domain.errors import Invalid

_UNITS = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
_LOOPBACK = re.compile(r"(127\.\d+\.\d+\.\d+|::1|localhost)\Z")


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the composition root needs. Sizes are bytes, times seconds."""

    config_files: tuple[str, ...]
    state_dir: Path
    bind_host: str
    bind_port: int
    workers: int
    cert_file: str | None
    key_file: str | None
    public_endpoint: str | None
    debug: bool
    database_url: str
    image_folder: Path
    image_file_mode: int
    thin: bool
    auth_strategy: str
    allow_noauth_on_network: bool
    htpasswd: Path
    limits: Limits
    disk_formats: tuple[str, ...]
    container_formats: tuple[str, ...]
    require_format_match: bool
    hashing_algorithm: str
    lease_seconds: float

    @property
    def base_url(self) -> str:
        """Where clients on this machine reach the service."""
        scheme = "https" if self.cert_file else "http"
        host = f"[{self.bind_host}]" if ":" in self.bind_host else self.bind_host
        return f"{scheme}://{host}:{self.bind_port}"


def default_state_dir() -> Path:
    """`$GLIMPSE_STATE_DIR`, else where the XDG base directory specification keeps a user's data."""
    named = os.environ.get("GLIMPSE_STATE_DIR")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "glimpse"


def read_config(config_files: Sequence[str]) -> cfg.ConfigOpts:
    """The options as oslo.config reads them from these files, later ones winning."""
    config = cfg.ConfigOpts()
    register(config)
    # An explicit list also keeps oslo.config from reading files that nobody named.
    config(args=[], project="glimpse", default_config_files=list(config_files), default_config_dirs=[])
    return config


def read_settings(
    config_files: Sequence[str] = (),
    *,
    state_dir: Path | None = None,
    bind_host: str | None = None,
    bind_port: int | None = None,
) -> Settings:
    """Settings from files; what is given by name wins over them.

    :raises Invalid: an option's value will not do; names the option.
    """
    try:
        config = read_config(config_files)
        state = (state_dir or Path(config.glimpse.state_dir or default_state_dir())).absolute()
        settings = _settings(config, tuple(config_files), state, bind_host, bind_port)
    except (
        cfg.ConfigFilesNotFoundError,
        cfg.ConfigFileParseError,
        cfg.ConfigFileValueError,
        OSError,
        ValueError,
    ) as error:
        raise Invalid("configuration", str(error)) from None
    _check(settings)
    return settings


def _settings(
    config: cfg.ConfigOpts, files: tuple[str, ...], state: Path, host: str | None, port: int | None
) -> Settings:
    store = config.glance_store
    return Settings(
        config_files=files,
        state_dir=state,
        bind_host=host or config.bind_host,
        bind_port=config.bind_port if port is None else port,
        workers=config.workers,
        cert_file=config.cert_file,
        key_file=config.key_file,
        public_endpoint=config.public_endpoint,
        debug=config.debug,
        database_url=config.database.connection or f"sqlite:///{state / 'glimpse.db'}",
        image_folder=Path(store.filesystem_store_datadir or state / "images"),
        image_file_mode=store.filesystem_store_file_perm,
        thin=store.filesystem_thin_provisioning,
        auth_strategy=config.glimpse.auth_strategy,
        allow_noauth_on_network=config.glimpse.allow_noauth_on_network,
        htpasswd=Path(config.glimpse.http_basic_auth_user_file or state / "htpasswd"),
        limits=_limits(config),
        disk_formats=tuple(config.image_format.disk_formats),
        container_formats=tuple(config.image_format.container_formats),
        require_format_match=config.image_format.require_image_format_match,
        hashing_algorithm=config.hashing_algorithm,
        lease_seconds=config.glimpse.lease_seconds,
    )


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
    )


def read_quota(text: str) -> int | None:
    """Bytes of a quota like `10GB` (units are binary); None for 0, which means any number."""
    digits = text.rstrip("BKMGT")
    return int(digits) * _UNITS[text[len(digits) :]] or None


def _check(settings: Settings) -> None:
    loopback = _LOOPBACK.match(settings.bind_host) is not None
    if settings.auth_strategy == "noauth" and not loopback and not settings.allow_noauth_on_network:
        raise Invalid(
            "auth_strategy",
            f"noauth would make everybody who reaches {settings.bind_host} administrator; "
            "bind to 127.0.0.1, or set [glimpse] allow_noauth_on_network",
        )
    try:
        # Some names that hashlib knows cannot be used: digests without a length of their own, for one.
        hashlib.new(settings.hashing_algorithm, usedforsecurity=False).hexdigest()
    except (ValueError, TypeError):
        name = settings.hashing_algorithm
        raise Invalid("hashing_algorithm", f"'{name}' is no digest that hashlib can make here") from None
    if bool(settings.cert_file) != bool(settings.key_file):
        raise Invalid("cert_file", "cert_file and key_file go together")
