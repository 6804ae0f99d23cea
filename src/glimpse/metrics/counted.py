"""What parts of the service count, for Prometheus. Imported only where metrics are on."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

from prometheus_client import Counter, Gauge, Histogram

from glimpse.domain.errors import GlimpseError
from glimpse.domain.figures import Figure
from glimpse.stores.base import LocalFile, ObjectKey, Store, Usage, Writer

COUNTERS = {
    Figure.DIGEST_SECONDS: Counter("glimpse_digest_seconds", "Time that digests took.", ("algorithm",)),
    Figure.CACHE_REQUESTS: Counter(
        "glimpse_image_cache_requests", "Downloads that asked the image cache.", ("result",)
    ),
    Figure.CACHE_FILLS: Counter("glimpse_image_cache_fills", "Images that were fetched.", ("result",)),
    Figure.CACHE_FILLED_BYTES: Counter(
        "glimpse_image_cache_filled_bytes", "Bytes that were fetched.", ("result",)
    ),
    Figure.NOTIFICATIONS: Counter("glimpse_notifications", "Notifications.", ("result",)),
    Figure.JOBS_CANCELLED: Counter("glimpse_jobs_cancelled", "Jobs that were cancelled.", ("kind",)),
}
STORE_SECONDS = Histogram(
    "glimpse_store_seconds",
    "Time that calls on stores took.",
    ("store", "call"),
    buckets=(0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0),
)
STORE_ERRORS = Counter("glimpse_store_errors", "Calls on stores that failed.", ("store", "call", "error"))
WRITTEN = Counter("glimpse_store_written_bytes", "Bytes that stores have taken.", ("store",))
READ = Counter("glimpse_store_read_bytes", "Bytes that stores have given.", ("store",))
CONNECTIONS = Gauge(
    "glimpse_database_connections", "Connections of the pools in use.", multiprocess_mode="livesum"
)


def count(figure: Figure, label: str, amount: float) -> None:
    """The port `domain.figures.Count`."""
    COUNTERS[figure].labels(label).inc(amount)


def count_connections(change: int) -> None:
    """So many connections more are in use."""
    CONNECTIONS.inc(change)


@contextmanager
def _timed(store: str, call: str) -> Iterator[None]:
    begun = perf_counter()
    try:
        yield
    except Exception as error:
        _count_error(store, call, error)
        raise
    finally:
        STORE_SECONDS.labels(store, call).observe(perf_counter() - begun)


def _count_error(store: str, call: str, error: Exception) -> None:
    name = type(error).__name__ if isinstance(error, GlimpseError) else "other"
    STORE_ERRORS.labels(store, call, name).inc()


class MeasuredStore:
    """A store whose calls are timed, by their names in the contract."""

    def __init__(self, store: Store) -> None:
        self.id = store.id
        self.schemes = store.schemes
        self._store = store

    def open_writer(self, key: ObjectKey, size: int | None) -> Writer:
        """See the contract."""
        with _timed(self.id, "open_writer"):
            return MeasuredWriter(self.id, self._store.open_writer(key, size))

    def open_reader(self, url: str, offset: int, length: int) -> LocalFile | Iterator[bytes]:
        """See the contract. A file counts as read when it is opened."""
        with _timed(self.id, "open_reader"):
            data = self._store.open_reader(url, offset, length)
        if not isinstance(data, LocalFile):
            return _measured(self.id, data)
        READ.labels(self.id).inc(data.length)
        return data

    def owns(self, url: str) -> bool:
        """See the contract. The store is not asked."""
        return self._store.owns(url)

    def stat(self, url: str) -> int:
        """See the contract."""
        with _timed(self.id, "stat"):
            return self._store.stat(url)

    def delete(self, url: str) -> None:
        """See the contract."""
        with _timed(self.id, "delete"):
            self._store.delete(url)

    def discard(self, key: ObjectKey) -> None:
        """See the contract."""
        with _timed(self.id, "discard"):
            self._store.discard(key)

    def check_url(self, url: str) -> None:
        """See the contract. The store is not asked."""
        self._store.check_url(url)

    def usage(self) -> Usage:
        """See the contract."""
        with _timed(self.id, "usage"):
            return self._store.usage()


class MeasuredWriter:
    """A writer of a `MeasuredStore`."""

    def __init__(self, store: str, writer: Writer) -> None:
        self._store = store
        self._writer = writer

    def write(self, chunks: Sequence[bytes]) -> None:
        """See the contract."""
        with _timed(self._store, "write"):
            self._writer.write(chunks)
        WRITTEN.labels(self._store).inc(sum(map(len, chunks)))

    def commit(self) -> str:
        """See the contract."""
        with _timed(self._store, "commit"):
            return self._writer.commit()

    def abort(self) -> None:
        """See the contract."""
        with _timed(self._store, "abort"):
            self._writer.abort()


def _measured(store: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The chunks. The call `read` is as long as the store worked on all: to count each costs too much."""
    seconds, count = 0.0, 0
    try:
        while True:
            begun = perf_counter()
            try:
                chunk = next(chunks, None)
            except Exception as error:
                _count_error(store, "read", error)
                raise
            finally:
                seconds += perf_counter() - begun
            if chunk is None:
                return
            count += len(chunk)
            yield chunk
    finally:
        STORE_SECONDS.labels(store, "read").observe(seconds)
        READ.labels(store).inc(count)
