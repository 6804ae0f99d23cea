"""What every transfer needs."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field

from glimpse.catalog.catalog import Catalog
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.domain.figures import Count, uncounted
from glimpse.domain.image import Location
from glimpse.jobs.worker import Worker
from glimpse.stores.base import Store
from glimpse.transfer.signatures import Signatures, no_key_manager
from glimpse.transfer.threads import Threads


def _nothing(_: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Listing:
    """What there is to know of a store: its type, its weight among others (the highest is read first), the
    operator's words for it, whether it takes no data, what administrators are told besides, and what the
    location of an object with that URL says of it.
    """

    type: str = "file"
    weight: int = 0
    description: str | None = None
    read_only: bool = False
    properties: Mapping[str, object] = field(default_factory=dict)
    describe: Callable[[str], Mapping[str, str]] = _nothing


_UNLISTED = Listing()


@dataclass(frozen=True, slots=True)
class Stores:
    """The stores by the operator's names for them, in their order, and the one that takes new images.

    With `several`, clients may name the store that they mean.
    """

    by_id: Mapping[str, Store]
    default: str
    several: bool = False
    listings: Mapping[str, Listing] = field(default_factory=dict)

    @property
    def writable(self) -> tuple[str, ...]:
        """The names of those that take data."""
        return tuple(name for name in self.by_id if not self.listing(name).read_only)

    def listing(self, store_id: str) -> Listing:
        """What there is to know of a store."""
        return self.listings.get(store_id, _UNLISTED)

    def named(self, store_id: str) -> Store:
        """:raises Invalid: no such store."""
        try:
            return self.by_id[store_id]
        except KeyError:
            raise Invalid("store", f"no store is called '{store_id[:60]}'") from None

    def taking(self, store_id: str) -> Store:
        """The store, to write to. :raises Invalid: no such store, or it takes no data."""
        store = self.named(store_id)
        if store_id not in self.writable:
            raise Invalid("store", f"'{store_id}' takes no data")
        return store

    def location(self, store_id: str, url: str) -> Location:
        """The location of an object that was written to a store."""
        return Location(url, {**self.listing(store_id).describe(url), "store": store_id})

    def holding(self, location: Location) -> Store:
        """The store in which a location lies, told by its URL; of several that it may be, the one it names.

        :raises Unavailable: that store is not configured here.
        """
        # Whoever wrote the location may have put anything there.
        named = location.metadata.get("store")
        for store in sorted(self.by_id.values(), key=lambda store: store.id != named):
            if store.owns(location.url):
                return store
        scheme = location.url.partition("://")[0]
        raise Unavailable("store", f"none is configured here for this '{scheme[:20]}' location")

    def holder(self, location: Location) -> str | None:
        """The name of the store in which a location lies, as far as it can be told."""
        try:
            return self.holding(location).id
        except Unavailable:
            # Perhaps the service knows it that runs elsewhere on the same records.
            named = location.metadata.get("store")
            return named if isinstance(named, str) and named else None

    def holders(self, locations: Iterable[Location]) -> tuple[str, ...]:
        """The names of the stores in which locations lie, each once, in their order."""
        return tuple(name for name in dict.fromkeys(map(self.holder, locations)) if name is not None)

    def ordered(self, locations: Iterable[Location], prefer: Collection[str] = ()) -> tuple[Location, ...]:
        """Locations of an image, which are given in the order in which it got them, as they are to be read:
        those in preferred stores first, then by the stores' weight.
        """

        def rank(location: Location) -> tuple[bool, int]:
            name = self.holder(location)
            return name not in prefer, -self.listing(name or "").weight

        return tuple(sorted(locations, key=rank))


@dataclass(frozen=True, slots=True)
class Transfer:
    """The first argument of every transfer."""

    catalog: Catalog
    worker: Worker
    stores: Stores
    threads: Threads
    # The writes that are under way in this process: only theirs are the leases that it renews.
    live: set[str] = field(default_factory=set)
    # Sets the worker's clock by that of whoever keeps the leases. :raises Unavailable: it cannot be asked.
    agree: Callable[[], None] = lambda: None
    signatures: Signatures = field(default_factory=lambda: Signatures(no_key_manager))
    hashing_algorithm: str = "sha512"
    require_format_match: bool = True
    count: Count = uncounted
