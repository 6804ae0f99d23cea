"""Which stores the options ask for."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from oslo_config import cfg

from glimpse.config.backends import kind_of
from glimpse.config.backends.files import FileBackend
from glimpse.config.backends.kind import Backend, Kind
from glimpse.config.options import GROUPS
from glimpse.domain.errors import Invalid

# Names of stores that Glance keeps for itself.
_RESERVED = "os_glance_"


@dataclass(frozen=True, slots=True)
class StorePlace:
    """A store: the operator's name for it, its type and what the options of that type say; where it stands
    among others (the highest weight is read first), and what clients are told of it.
    """

    id: str
    kind: str
    backend: Backend
    read_only: bool = False
    weight: int = 0
    description: str | None = None


def read_stores(config: cfg.ConfigOpts, state: Path) -> tuple[StorePlace, ...]:
    """The stores that the options describe, in order. :raises Invalid: they ask for what there is not."""
    backends: dict[str, str] | None = config.enabled_backends
    places = tuple(_backends(config, backends, state) if backends else _classic(config, state))
    _check_folders(places)
    return places


def default_store(config: cfg.ConfigOpts) -> str:
    """Which of the stores new images go to. :raises Invalid: none of them, or one that takes no data."""
    if not config.enabled_backends:
        option, name, written = "default_store", None, config.glance_store.default_store
        listed = [kind.name for kind in _listed(config)]
    else:
        option, name = "default_backend", config.glance_store.default_backend
        written = config.enabled_backends.get(name)
        listed = []
    kind = kind_of(written) if written else None
    if kind is None or (listed and kind.name not in listed):
        where = "[glance_store] stores" if listed else "enabled_backends"
        raise Invalid(option, f"'{name or written or ''}' is not in {where}")
    if kind.read_only:
        raise Invalid(option, f"'{name or written}' is a store of HTTP locations, which takes no data")
    return name or kind.name


def check_names(backends: Mapping[str, str]) -> None:
    """:raises Invalid: a store of `enabled_backends` cannot have its name, or is of no type that there is."""
    groups = {group.lower() for group in GROUPS}
    for name in backends:
        if name.lower().startswith(_RESERVED):
            raise Invalid("enabled_backends", f"names that begin with '{_RESERVED}' are reserved: '{name}'")
        if name.lower() in groups:
            raise Invalid("enabled_backends", f"[{name}] is a group of other options; it names no store")
    kinds = [_kind("enabled_backends", written) for written in backends.values()]
    if sum(kind.read_only for kind in kinds) > 1:
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


def _kind(option: str, written: str) -> Kind:
    kind = kind_of(written)
    if kind is None:
        raise Invalid(option, f"there are no stores of the type '{written}'")
    return kind


def _backends(config: cfg.ConfigOpts, backends: Mapping[str, str], state: Path) -> Iterator[StorePlace]:
    for name, written in backends.items():
        kind, options = _kind("enabled_backends", written), config[name]
        backend = kind.read(options, config, state)
        yield StorePlace(name, kind.name, backend, kind.read_only, options.weight, options.store_description)


def _classic(config: cfg.ConfigOpts, state: Path) -> Iterator[StorePlace]:
    for kind in _listed(config):
        backend = kind.read(config.glance_store, config, state)
        yield StorePlace(kind.name, kind.name, backend, kind.read_only)


def _listed(config: cfg.ConfigOpts) -> list[Kind]:
    """The types of [glance_store] stores, each once."""
    kinds = {kind.name: kind for kind in (_kind("stores", name) for name in config.glance_store.stores)}
    return list(kinds.values())


def _check_folders(places: Iterable[StorePlace]) -> None:
    folders = [
        (place.id, folder.path)
        for place in places
        if isinstance(place.backend, FileBackend)
        for folder in place.backend.folders
    ]
    for (one, folder), (other, its) in combinations(folders, 2):
        if os.path.realpath(folder) == os.path.realpath(its):
            shared = f"[{one}] and [{other}] would share {folder}"
            raise Invalid("filesystem_store_datadir", f"{shared}; each store of files needs its own")
