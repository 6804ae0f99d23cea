"""What a module of this package tells of one type of store."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from oslo_config import cfg

from glimpse.stores.base import Store


class Backend(Protocol):
    """What the options say of one store, as plain values that can be handed to another process."""

    def open(self, store_id: str) -> Store:
        """The store. Nothing is asked of its server yet; the client's library is imported only now."""

    def properties(self) -> Mapping[str, object]:
        """What administrators are told of it (stores/detail): nothing secret."""


# From the options of the store's group, all options, and the state folder.
# :raises Invalid: an option's value will not do.
Read = Callable[[Any, cfg.ConfigOpts, Path], Backend]


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of store.

    `name` is what clients are told; `types` is what `enabled_backends`
    and `stores` may call it. One that is `read_only` takes no data, and one of its kind is enough.
    """

    name: str
    types: frozenset[str]
    options: tuple[cfg.Opt, ...]
    read: Read
    read_only: bool = False
