"""Stores whose calls are told to a trace."""

from collections.abc import Iterator, Sequence

from glimpse.domain.spans import Attributes, call
from glimpse.stores.base import LocalFile, ObjectKey, Store, Usage, Writer


class TracedStore:
    """A store whose calls are spans: of a write its begin and its end, of a read all of it.

    A local file is read by the kernel, and its span ends when it is opened.
    """

    def __init__(self, store: Store) -> None:
        self.id = store.id
        self.schemes = store.schemes
        self._store = store
        self._attributes: Attributes = {"glimpse.store": store.id}

    def open_writer(self, key: ObjectKey, size: int | None) -> Writer:
        """See the contract."""
        with call("store open_writer", self._attributes):
            return TracedWriter(self._store.open_writer(key, size), self._attributes)

    def open_reader(self, url: str, offset: int, length: int) -> LocalFile | Iterator[bytes]:
        """See the contract."""
        attributes: Attributes = {**self._attributes, "glimpse.offset": offset, "glimpse.length": length}
        with call("store open_reader", attributes):
            data = self._store.open_reader(url, offset, length)
        return data if isinstance(data, LocalFile) else _traced(data, attributes)

    def owns(self, url: str) -> bool:
        """See the contract. The store is not asked."""
        return self._store.owns(url)

    def stat(self, url: str) -> int:
        """See the contract."""
        with call("store stat", self._attributes):
            return self._store.stat(url)

    def delete(self, url: str) -> None:
        """See the contract."""
        with call("store delete", self._attributes):
            self._store.delete(url)

    def discard(self, key: ObjectKey) -> None:
        """See the contract."""
        with call("store discard", self._attributes):
            self._store.discard(key)

    def check_url(self, url: str) -> None:
        """See the contract. The store is not asked."""
        self._store.check_url(url)

    def usage(self) -> Usage:
        """See the contract."""
        with call("store usage", self._attributes):
            return self._store.usage()


class TracedWriter:
    """A writer of a `TracedStore`."""

    def __init__(self, writer: Writer, attributes: Attributes) -> None:
        self._writer = writer
        self._attributes = attributes

    def write(self, chunks: Sequence[bytes]) -> None:
        """See the contract. There are too many of these calls for a trace."""
        self._writer.write(chunks)

    def commit(self) -> str:
        """See the contract."""
        with call("store commit", self._attributes):
            return self._writer.commit()

    def abort(self) -> None:
        """See the contract."""
        with call("store abort", self._attributes):
            self._writer.abort()


def _traced(chunks: Iterator[bytes], attributes: Attributes) -> Iterator[bytes]:
    with call("store read", attributes):
        yield from chunks
