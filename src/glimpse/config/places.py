"""Which stores the options ask for."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.domain.errors import Invalid
from glimpse.domain.url_rules import Choice, Rules

_FILE = {"file", "filesystem", "glance.store.filesystem.Store"}
_HTTP = {"http", "https", "glance.store.http.Store"}

# Names of stores that Glance keeps for itself.
_RESERVED = "os_glance_"


@dataclass(frozen=True, slots=True)
class StorePlace:
    """The filesystem store: its name, its folder, the files' permissions (0: 0640), whether to keep holes;
    and the name of the store of HTTP locations, if there is one, and how that verifies its sources.
    """

    id: str
    folder: Path
    file_mode: int
    thin: bool
    http: str | None = None
    https_ca: str | None = None
    https_insecure: bool = False


def read_store(config: cfg.ConfigOpts, state: Path) -> StorePlace:
    """The store that the options describe. :raises Invalid: they ask for what there is not."""
    backends: dict[str, str] | None = config.enabled_backends
    identity = _file_backend(config, backends) if backends else "file"
    http = _http_backend(config, backends)
    options = config[identity] if backends else config.glance_store
    sources = config[http] if backends and http else config.glance_store
    if not backends:
        _check_schemes(config)
    return StorePlace(
        identity,
        _folder(options, state),
        _file_mode(options.filesystem_store_file_perm),
        options.filesystem_thin_provisioning,
        http,
        sources.https_ca_certificates_file,
        sources.https_insecure,
    )


def read_rules(config: cfg.ConfigOpts) -> Rules:
    """What the options allow of URLs that images come from."""
    options = config.import_filtering_opts
    schemes, hosts, ports = (
        Choice(frozenset(options[f"allowed_{kind}"]), frozenset(options[f"disallowed_{kind}"]))
        for kind in ("schemes", "hosts", "ports")
    )
    return Rules(schemes, hosts, ports)


def _http_backend(config: cfg.ConfigOpts, backends: dict[str, str] | None) -> str | None:
    if not backends:
        return "http" if _HTTP & set(config.glance_store.stores) else None
    names = [name for name, kind in backends.items() if kind in _HTTP]
    if len(names) > 1:
        raise Invalid("enabled_backends", "more than one store of HTTP locations is not supported yet")
    return names[0] if names else None


def _file_backend(config: cfg.ConfigOpts, backends: dict[str, str]) -> str:
    for name, kind in backends.items():
        if name.startswith(_RESERVED):
            raise Invalid("enabled_backends", f"names that begin with '{_RESERVED}' are reserved: '{name}'")
        if kind not in _FILE | _HTTP:
            raise Invalid("enabled_backends", f"stores of the type '{kind}' are not supported yet")
    names = [name for name, kind in backends.items() if kind in _FILE]
    if len(names) != 1:
        raise Invalid("enabled_backends", "exactly one store of files is supported so far")
    [name] = names
    default = config.glance_store.default_backend
    if default != name:
        raise Invalid("default_backend", f"'{default or ''}' is not in enabled_backends")
    return name


def _check_schemes(config: cfg.ConfigOpts) -> None:
    store = config.glance_store
    for kind in store.stores:
        if kind not in _FILE | _HTTP:
            raise Invalid("stores", f"stores of the type '{kind}' are not supported yet")
    if store.default_store not in _FILE:
        raise Invalid("default_store", f"'{store.default_store}' is not supported yet; it must be 'file'")


def _folder(options: Any, state: Path) -> Path:
    folders: list[str] = options.filesystem_store_datadirs or []
    if folders and options.filesystem_store_datadir:
        raise Invalid("filesystem_store_datadirs", "it and filesystem_store_datadir exclude each other")
    if len(folders) > 1:
        raise Invalid("filesystem_store_datadirs", "more than one folder is not supported yet")
    if folders:
        # With its priority, which means nothing for one.
        return Path(folders[0].partition(":")[0])
    return Path(options.filesystem_store_datadir or state / "images")


def _file_mode(written: int) -> int:
    """Permissions that are written in decimal and read in octal, as chmod takes them."""
    if written <= 0:
        return 0
    try:
        mode = int(str(written), 8)
    except ValueError:
        raise Invalid("filesystem_store_file_perm", f"{written} is no file mode as chmod takes it") from None
    if not mode & 0o400 or mode > 0o777:
        raise Invalid("filesystem_store_file_perm", "it must let the owner read, and be 777 at most")
    return mode
