"""Stores in Sheepdog clusters."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store

OPTIONS = (
    cfg.IntOpt(
        "sheepdog_store_chunk_size",
        default=16,
        min=1,
        help="MiB that a transfer of a `sheepdog` store holds: they go side by side, in pieces of 4.",
    ),
    cfg.PortOpt("sheepdog_store_port", default=7000, help="Port of the sheep daemon of a `sheepdog` store."),
    cfg.StrOpt(
        "sheepdog_store_address",
        default="127.0.0.1",
        help="Name or IP address of the sheep daemon of a `sheepdog` store.",
    ),
)

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class SheepdogBackend:
    """Where the daemon listens, and how many bytes a transfer may hold."""

    address: str = "127.0.0.1"
    port: int = 7000
    window: int = 16 * _MIB

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.sheepdog.store import SheepdogStore

        return SheepdogStore(store_id, self.address, self.port, window=self.window)

    def properties(self) -> Mapping[str, object]:
        """Where the daemon is."""
        return {"address": self.address, "port": self.port, "chunk_size": self.window}


def _read(options: Any, _: cfg.ConfigOpts, __: Path) -> SheepdogBackend:
    address = options.sheepdog_store_address
    # The location `sheepdog://address:port:image` has no brackets for the colons of IPv6.
    if not address or any(character in address for character in ":/@ "):
        raise Invalid("sheepdog_store_address", "it must be a host's name or its IPv4 address")
    return SheepdogBackend(address, options.sheepdog_store_port, options.sheepdog_store_chunk_size * _MIB)


KIND = Kind("sheepdog", frozenset({"sheepdog", "glance.store.sheepdog.Store"}), OPTIONS, _read)
