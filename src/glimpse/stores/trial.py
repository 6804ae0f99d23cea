"""Does a store work? It is tried out with an object of random bytes, which goes again whatever happens."""

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar
from uuid import uuid4

from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.stores.base import LocalFile, ObjectKey, Store, StoreObjectMissing

T = TypeVar("T")

_CHUNK = 1024 * 1024


@dataclass(slots=True)
class Trial:
    """What came of it. None: it was not found out. Rates are bytes a second, of the store's calls alone."""

    reachable: bool | None = None
    writable: bool | None = None
    readable: bool | None = None
    deletable: bool | None = None
    write_rate: float | None = None
    read_rate: float | None = None
    used: int | None = None
    free: int | None = None
    failure: str | None = None


def try_store(open_store: Callable[[], Store], size: int | None) -> Trial:
    """Write `size` random bytes (None: nothing, the store takes no data), read them back and delete them.

    Whatever the store does wrong is told by the trial. Nothing stays, not even when a signal ends it.
    """
    trial = Trial()
    try:
        _look(trial, store := open_store())
        if size is not None:
            _Course(store, trial, size).run()
    except Exception as error:
        if isinstance(error, Unavailable) and not trial.reachable:
            trial.reachable = False
        trial.failure = "; ".join([_text(error), *getattr(error, "__notes__", ())])
    return trial


def _look(trial: Trial, store: Store) -> None:
    usage = store.usage()
    trial.used, trial.free = usage.used, usage.free
    if usage.used is not None or usage.free is not None:
        trial.reachable = True


class _Course:
    """One object on its way through a store."""

    def __init__(self, store: Store, trial: Trial, size: int) -> None:
        self._store = store
        self._trial = trial
        self._size = size
        self._key = ObjectKey(str(uuid4()), uuid4().hex)
        self._written = hashlib.sha256()

    def run(self) -> None:
        """All the way. Raises what the store raises."""
        try:
            url = self._write()
            self._read(url)
            self._delete(url)
        except BaseException as error:
            try:
                self._store.discard(self._key)
            except Exception:
                error.add_note(f"{self._key} may be left there")
            raise

    def _write(self) -> str:
        trial, timer = self._trial, _Timer()
        trial.writable = False
        writer = timer.time(lambda: self._store.open_writer(self._key, self._size))
        try:
            for chunk in _random_chunks(self._size):
                self._written.update(chunk)
                timer.time(lambda chunk=chunk: writer.write([chunk]))  # type: ignore[misc]
        except BaseException:
            writer.abort()
            raise
        url = timer.time(writer.commit)
        trial.writable = trial.reachable = True
        trial.write_rate = self._size / timer.seconds
        return url

    def _read(self, url: str) -> None:
        trial, timer = self._trial, _Timer()
        trial.readable = False
        digest, length = hashlib.sha256(), timer.time(lambda: self._store.stat(url))
        chunks = timer.time(lambda: _chunks(self._store.open_reader(url, 0, length)))
        while chunk := timer.time(lambda: next(chunks, b"")):
            digest.update(chunk)
        if digest.digest() != self._written.digest():
            raise Unavailable(f"store {self._store.id}", "it gives back other bytes than were written")
        trial.readable = True
        trial.read_rate = self._size / timer.seconds

    def _delete(self, url: str) -> None:
        self._trial.deletable = False
        self._store.delete(url)
        with suppress(StoreObjectMissing):
            self._store.stat(url)
            raise Unavailable(f"store {self._store.id}", "it still holds what was deleted")
        self._trial.deletable = True


class _Timer:
    def __init__(self) -> None:
        self.seconds = 0.0

    def time(self, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        try:
            return work()
        finally:
            self.seconds += time.perf_counter() - start


def _random_chunks(size: int) -> Iterator[bytes]:
    """So many bytes, of which no chunk is like another."""
    noise = os.urandom(_CHUNK)
    for at in range(0, size, _CHUNK):
        yield (at.to_bytes(8) + noise[8:])[: size - at]


def _chunks(reader: LocalFile | Iterator[bytes]) -> Iterator[bytes]:
    return _pieces(reader) if isinstance(reader, LocalFile) else reader


def _pieces(data: LocalFile) -> Iterator[bytes]:
    with data.file as file:
        # Else it is the memory of this machine that is measured.
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while piece := file.read(_CHUNK):
            yield piece


def _text(error: Exception) -> str:
    if isinstance(error, GlimpseError):
        return str(error)
    return f"unexpected {type(error).__name__}: {error}"
