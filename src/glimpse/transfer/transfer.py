"""What every transfer needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from glimpse.catalog.catalog import Catalog
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.domain.image import Location
from glimpse.jobs.worker import Worker
from glimpse.stores.base import Store
from glimpse.transfer.threads import Threads


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores by the operator's names for them, and the one that takes new images."""

    by_id: Mapping[str, Store]
    default: str

    def named(self, store_id: str) -> Store:
        """:raises Invalid: no such store."""
        try:
            return self.by_id[store_id]
        except KeyError:
            raise Invalid("store", f"no store is called '{store_id}'") from None

    def holding(self, location: Location) -> Store:
        """The store in which a location lies: the one it names, else the first of its scheme.

        :raises Unavailable: that store is not configured here.
        """
        # Whoever wrote the location may have put anything there.
        named = location.metadata.get("store")
        if isinstance(named, str) and named in self.by_id:
            return self.by_id[named]
        scheme = location.url.partition("://")[0]
        for store in self.by_id.values():
            if scheme in store.schemes:
                return store
        raise Unavailable("store", f"no store for '{scheme}' locations is configured")


@dataclass(frozen=True, slots=True)
class Transfer:
    """The first argument of every transfer."""

    catalog: Catalog
    worker: Worker
    stores: Stores
    threads: Threads
    # The writes that are under way in this process: only theirs are the leases that it renews.
    live: set[str] = field(default_factory=set)
    hashing_algorithm: str = "sha512"
    require_format_match: bool = True
