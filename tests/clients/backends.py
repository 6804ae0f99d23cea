"""Services that keep images in the backends of `tests/backends`."""

import contextlib
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from glimpse.config.settings import read_config, read_settings
from glimpse.stores.base import Store
from tests import backends
from tests.server import Server, running

_KINDS = "glimpse.config.backends"

# The names of the two stores.
FIRST, TESTED = "first", "tested"


def backend_names() -> list[str]:
    """The modules of `tests/backends` that are named like one of `glimpse.config.backends`."""
    names = (module.name for module in pkgutil.iter_modules(backends.__path__))
    return sorted(name for name in names if find_spec(f"{_KINDS}.{name}") is not None)


@dataclass(frozen=True)
class Service:
    """A service with two stores: files in `folder`, read first, and a backend, written to by default."""

    server: Server
    folder: Path
    store: Store
    secrets: frozenset[str]


@contextlib.contextmanager
def service_with(backend: str, state: Path) -> Iterator[Service]:
    """A service with this backend, for the length of a block. Skips where its server is not there."""
    lines = import_module(f"tests.backends.{backend}").options()
    kind = import_module(f"{_KINDS}.{backend}").KIND
    folder = state / "first"
    configuration = (
        f"enabled_backends = {FIRST}:file,{TESTED}:{min(kind.types)}\n"
        f"show_multiple_locations = true\n[glance_store]\ndefault_backend = {TESTED}\n"
        f"[{FIRST}]\nfilesystem_store_datadir = {folder}\nweight = 10\n[{TESTED}]\n{lines}\n"
    )
    with running(state / "glimpse", configuration) as server:
        file = str(server.state / f"{server.name}.conf")
        options = read_config([file])[TESTED]
        secrets = {options[option.dest] for option in kind.options if option.secret}
        [place] = [place for place in read_settings([file]).stores if place.id == TESTED]
        yield Service(server, folder, place.backend.open(TESTED), frozenset(filter(None, secrets)))
