"""Which stores the options ask for."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.options import GROUPS
from glimpse.domain.errors import Invalid
from glimpse.domain.url_rules import Choice, Rules

_FILE = {"file", "filesystem", "glance.store.filesystem.Store"}
_HTTP = {"http", "https", "glance.store.http.Store"}

# Names of stores that Glance keeps for itself.
_RESERVED = "os_glance_"


@dataclass(frozen=True, slots=True)
class FilePlace:
    """A store of files: its name, its folder, the files' permissions (0: 0640), whether to keep holes; where
    it stands among others (the highest weight is read first), and what clients are told of it.
    """

    id: str
    folder: Path
    file_mode: int = 0
    thin: bool = True
    weight: int = 0
    description: str | None = None


@dataclass(frozen=True, slots=True)
class HttpPlace:
    """The store of HTTP locations: its name, how it verifies its sources; the rest as for files."""

    id: str
    ca_file: str | None = None
    insecure: bool = False
    weight: int = 0
    description: str | None = None


StorePlace = FilePlace | HttpPlace


def read_stores(config: cfg.ConfigOpts, state: Path) -> tuple[StorePlace, ...]:
    """The stores that the options describe, in order. :raises Invalid: they ask for what there is not."""
    backends: dict[str, str] | None = config.enabled_backends
    places = tuple(_backends(config, backends, state) if backends else _classic(config, state))
    _check_folders(place for place in places if isinstance(place, FilePlace))
    return places


def default_store(config: cfg.ConfigOpts) -> str:
    """Which of the stores new images go to. :raises Invalid: none of them, or one that takes no data."""
    if not config.enabled_backends:
        return "file"
    name: str | None = config.glance_store.default_backend
    kind = config.enabled_backends.get(name)
    if kind is None:
        raise Invalid("default_backend", f"'{name or ''}' is not in enabled_backends")
    if kind in _HTTP:
        raise Invalid("default_backend", f"'{name}' is a store of HTTP locations, which takes no data")
    return str(name)


def check_names(backends: Mapping[str, str]) -> None:
    """:raises Invalid: a store of `enabled_backends` cannot have its name, or is of no type that there is."""
    groups = {group.lower() for group in GROUPS}
    for name, kind in backends.items():
        if name.lower().startswith(_RESERVED):
            raise Invalid("enabled_backends", f"names that begin with '{_RESERVED}' are reserved: '{name}'")
        if name.lower() in groups:
            raise Invalid("enabled_backends", f"[{name}] is a group of other options; it names no store")
        if kind not in _FILE | _HTTP:
            raise Invalid("enabled_backends", f"stores of the type '{kind}' are not supported yet")
    if sum(kind in _HTTP for kind in backends.values()) > 1:
        raise Invalid("enabled_backends", "one store of HTTP locations is enough")


def read_scratch_folder(config: cfg.ConfigOpts, state: Path) -> Path:
    """Where work on images may leave files for a while. :raises Invalid: not a folder of this machine."""
    named = config.task.work_dir or config.os_glance_tasks_store.filesystem_store_datadir
    if named:
        return Path(named)
    uri: str | None = config.node_staging_uri
    if not uri:
        return state / "scratch"
    if not uri.startswith("file:///"):
        raise Invalid("node_staging_uri", f"'{uri}' is not a file:// URI with an absolute path")
    return Path(uri.removeprefix("file://"))


def read_rules(config: cfg.ConfigOpts) -> Rules:
    """What the options allow of URLs that images come from."""
    options = config.import_filtering_opts
    schemes, hosts, ports = (
        Choice(unbracketed(options[f"allowed_{kind}"]), unbracketed(options[f"disallowed_{kind}"]))
        for kind in ("schemes", "hosts", "ports")
    )
    return Rules(schemes, hosts, ports)


def unbracketed(items: Iterable[str]) -> frozenset[str]:
    """The items of a list that Glance wants in brackets, where we take it without them, too."""
    return frozenset(item.strip("[] ") for item in items) - {""}


def _backends(config: cfg.ConfigOpts, backends: Mapping[str, str], state: Path) -> Iterator[StorePlace]:
    for name, kind in backends.items():
        options = config[name]
        shown = {"weight": options.weight, "description": options.store_description}
        yield _files(name, options, state, **shown) if kind in _FILE else _sources(name, options, **shown)


def _classic(config: cfg.ConfigOpts, state: Path) -> Iterator[StorePlace]:
    options = config.glance_store
    for kind in options.stores:
        if kind not in _FILE | _HTTP:
            raise Invalid("stores", f"stores of the type '{kind}' are not supported yet")
    if options.default_store not in _FILE:
        raise Invalid("default_store", f"'{options.default_store}' is not supported yet; it must be 'file'")
    yield _files("file", options, state)
    if _HTTP & set(options.stores):
        yield _sources("http", options)


def _files(name: str, options: Any, state: Path, **shown: Any) -> FilePlace:
    mode = _file_mode(options.filesystem_store_file_perm)
    return FilePlace(name, _folder(options, state), mode, options.filesystem_thin_provisioning, **shown)


def _sources(name: str, options: Any, **shown: Any) -> HttpPlace:
    return HttpPlace(name, options.https_ca_certificates_file, options.https_insecure, **shown)


def _check_folders(places: Iterable[FilePlace]) -> None:
    for one, other in combinations(places, 2):
        if os.path.realpath(one.folder) == os.path.realpath(other.folder):
            shared = f"[{one.id}] and [{other.id}] would share {other.folder}"
            raise Invalid("filesystem_store_datadir", f"{shared}; each store of files needs its own")


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
