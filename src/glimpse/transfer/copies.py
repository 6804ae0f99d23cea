"""Data on its way into one store or into several: read once, looked at once, written side by side.

The one road by which bytes come in. Who walks it decides between `receive` and `commit` whether the data will
do; what is left without commit is removed.
"""

import hashlib
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from glimpse.catalog.import_ports import Staged
from glimpse.catalog.ports import Intent
from glimpse.domain.errors import GlimpseError
from glimpse.domain.figures import Figure
from glimpse.domain.image import Digests, Location
from glimpse.stores.base import Store, Writer
from glimpse.transfer.inspection import Findings, Inspection
from glimpse.transfer.lanes import Lane, Work, pump
from glimpse.transfer.removal import object_key
from glimpse.transfer.telling import tell_transfer
from glimpse.transfer.threads import to_the_end
from glimpse.transfer.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Received:
    """What came: how many bytes, their digests, and what they were found to be, if they were inspected.

    `by_algorithm` has all digests that were made.
    """

    size: int
    digests: Digests
    findings: Findings | None
    by_algorithm: Mapping[str, bytes] = field(default_factory=dict)

    def to_document(self) -> Mapping[str, Any] | None:
        """What must be known of staged data, as `Staged.findings` has it."""
        if self.findings is None:
            return None
        digests = {name: digest.hex() for name, digest in self.by_algorithm.items()}
        return {**self.findings.to_document(), "digests": digests}

    @classmethod
    def staged(cls, staged: Staged) -> "Received":
        """The data that was staged, as it came."""
        known, document = staged.digests, staged.findings or {}
        findings = Findings.from_document(document) if document else None
        made = {"md5": known.checksum, known.os_hash_algo: known.os_hash_value, **document.get("digests", {})}
        by_algorithm = {name: bytes.fromhex(digest) for name, digest in made.items()}
        return cls(staged.size, known, findings, by_algorithm)


class Copy:
    """The data on its way into one store.

    A copy that fails `alone` takes nothing more: `failure` says why. Otherwise its failure is raised.
    """

    def __init__(self, intent: Intent, *, alone: bool) -> None:
        self.store = intent.store
        self.failure: GlimpseError | None = None
        self._key = object_key(intent)
        self._alone = alone
        self._writer: Writer | None = None

    def open(self, store: Store, size: int | None) -> None:
        """Begin."""
        with self._failing():
            self._writer = store.open_writer(self._key, size)

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append chunks."""
        if self._writer is not None:
            with self._failing():
                self._writer.write(chunks)

    def commit(self) -> str | None:
        """Make the data durable and readable: its URL, None if the copy failed alone."""
        url: str | None = None
        if self._writer is not None:
            with self._failing():
                url = self._writer.commit()
                self._writer = None
        return url

    def abort(self) -> None:
        """Let go of what was not committed."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.abort()

    @contextmanager
    def _failing(self) -> Iterator[None]:
        try:
            yield
        except GlimpseError as error:
            self.abort()
            if not self._alone:
                raise
            self.failure = error


class Copies:
    """Copies of the same data, one a store; made by `copies_into`."""

    def __init__(self, transfer: Transfer, copies: Sequence[Copy], algorithm: str, least: int) -> None:
        self._transfer = transfer
        self._copies = copies
        self._algorithm = algorithm
        self._least = least
        # What has come so far, and where it is.
        self.size = 0
        self.committed: tuple[Location, ...] = ()

    @property
    def failures(self) -> dict[str, GlimpseError]:
        """The stores that do not get the data, and why."""
        return {copy.store: copy.failure for copy in self._copies if copy.failure is not None}

    async def receive(
        self,
        source: AsyncIterator[bytes],
        meter: Callable[[int], None],
        *,
        inspect: bool,
        also: Collection[str] = (),
    ) -> Received:
        """Write all of `source`. `meter` is told the running total, and raises to refuse it.

        Digests are made by the algorithms `also` too.

        :raises LimitExceeded, Unavailable: from a store, or from one of those that had not failed alone.

        and what the source and the meter raise.
        """
        names = dict.fromkeys(("md5", self._algorithm, *also))
        hashes = {name: hashlib.new(name, usedforsecurity=False) for name in names}
        inspection = Inspection() if inspect else None
        writing = [self._writing(copy) for copy in self._copies]
        if inspection is not None:
            # Before the first store's work, most of which is waiting for the disk.
            writing[0] = _both(inspection.watch, writing[0])
        threads = self._transfer.threads
        lanes = [Lane(threads.digests, self._digesting(name, one)) for name, one in hashes.items()]
        lanes += [Lane(threads.data, work) for work in writing]

        def count(total: int) -> None:
            meter(total)
            self.size = total

        total = await pump(source, lanes, count)
        digests = Digests(hashes["md5"].hexdigest(), self._algorithm, hashes[self._algorithm].hexdigest())
        found = inspection.findings() if inspection is not None else None
        return Received(total, digests, found, {name: one.digest() for name, one in hashes.items()})

    async def commit(self) -> tuple[Location, ...]:
        """Make the data durable and readable, store by store: its places, in the order of the stores.

        :raises Conflict, LimitExceeded, Unavailable: from a store, as `receive` does.
        """
        bulk, stores = self._transfer.threads.bulk, self._transfer.stores
        urls = [(copy.store, await to_the_end(bulk(copy.commit))) for copy in self._copies]
        self.require_enough()
        self.committed = tuple(stores.location(store, url) for store, url in urls if url is not None)
        return self.committed

    def require_enough(self) -> None:
        """:raises GlimpseError: what the first store failed of, if too few are left that have not."""
        failures = list(self.failures.values())
        if len(self._copies) - len(failures) < self._least:
            raise failures[0]

    def _digesting(self, name: str, digest: "hashlib._Hash") -> Work:
        update, count = updating(digest), self._transfer.count

        def work(chunks: Sequence[bytes]) -> None:
            begun = time.perf_counter()
            update(chunks)
            count(Figure.DIGEST_SECONDS, name, time.perf_counter() - begun)

        return work

    def _writing(self, copy: Copy) -> Work:
        def write(chunks: Sequence[bytes]) -> None:
            copy.write(chunks)
            self.require_enough()

        return write


@asynccontextmanager
async def copies_into(
    transfer: Transfer,
    intents: Sequence[Intent],
    size: int | None,
    *,
    algorithm: str | None = None,
    alone: bool = False,
    least: int = 1,
) -> AsyncIterator[Copies]:
    """Begin to write data of `size` bytes (None: unknown) for these intents, one a store.

    With `alone`, a store that fails does not keep the data from the others, as long as so many are left. The
    digest is made by `algorithm` (None: that of the service).

    :raises LimitExceeded, Unavailable, Invalid: a store does not take it.
    """
    bulk, copies = transfer.threads.bulk, [Copy(intent, alone=alone) for intent in intents]
    gathered = Copies(transfer, copies, algorithm or transfer.hashing_algorithm, least)
    begun = time.monotonic()
    try:
        for copy in copies:
            # A writer that comes into being behind `abort` and `Store.discard` would leave its file for ever.
            await to_the_end(bulk(copy.open, transfer.stores.named(copy.store), size))
        gathered.require_enough()
        yield gathered
    finally:
        for copy in copies:
            await to_the_end(bulk(copy.abort))
        # Data that stays where it was staged is copied nowhere.
        if intents:
            _tell(intents[0].image_id, gathered, time.monotonic() - begun)


def _tell(image_id: str, copies: Copies, seconds: float) -> None:
    stores = [str(location.metadata["store"]) for location in copies.committed]
    what = f"written to {', '.join(stores)}" if stores else "not written"
    tell_transfer(image_id, what, copies.size, seconds)


def updating(digest: "hashlib._Hash") -> Work:
    """What a lane does for a digest."""

    def work(chunks: Sequence[bytes]) -> None:
        for chunk in chunks:
            digest.update(chunk)

    return work


def _both(first: Work, second: Work) -> Work:
    def work(chunks: Sequence[bytes]) -> None:
        first(chunks)
        second(chunks)

    return work
