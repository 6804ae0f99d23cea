"""A store of files that may hang, as on NFS: every call on it has a deadline.

Files are not handed out to be sent by the kernel, because a page that does not come must stop nobody but a
thread of the store. They are read in pieces, and each is a call.

256 MiB on a healthy disk, without deadlines and with: written in 0.30 s and 0.29 s for 0.11 s and 0.18 s of
processor time, read in 0.06 s and 0.07 s for 0.02 s and 0.06 s; `stat` 40 µs and 190 µs.
"""

import os
import threading
from collections.abc import Iterator, Sequence

from glimpse.domain.errors import Unavailable
from glimpse.stores.base import LocalFile, ObjectKey, Usage
from glimpse.stores.callers import Callers
from glimpse.stores.filesystem import FilesystemStore, FileWriter
from glimpse.stores.folders import unavailable

# What is read in one call: with pieces of 256 KiB the hops between threads would be felt.
_PIECE = 1024 * 1024

# Commit waits until the disk has all that the kernel still keeps, which takes its time on a good day too.
COMMIT_SECONDS = 120.0


class BoundedStore:
    """Waits no longer than `seconds` for a call on a store, and `commit_seconds` if it is a commit."""

    def __init__(
        self, store: FilesystemStore, callers: Callers, seconds: float, commit_seconds: float = COMMIT_SECONDS
    ) -> None:
        self.id = store.id
        self.schemes = store.schemes
        self._store = store
        self._callers = callers
        self._seconds = seconds
        self._commit_seconds = max(seconds, commit_seconds)

    def open_writer(self, key: ObjectKey, size: int | None) -> "BoundedWriter":
        """See the contract. A file that comes into being too late goes again."""
        writer = self._callers.call(lambda: self._store.open_writer(key, size), self._seconds, _abort)
        return BoundedWriter(writer, self._callers, self._seconds, self._commit_seconds)

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """See the contract."""
        data = self._callers.call(
            lambda: self._store.open_reader(url, offset, length), self._seconds, _close_late
        )
        return self._pieces(data)

    def _pieces(self, data: LocalFile) -> Iterator[bytes]:
        at, end = data.offset, data.offset + data.length
        try:
            while at < end and (piece := self._piece(data, at, min(_PIECE, end - at))):
                at += len(piece)
                yield piece
        finally:
            # To close may take as long as to read, and whoever gives the reader up does not wait for that.
            self._callers.call_later(data.file.close)

    def _piece(self, data: LocalFile, at: int, length: int) -> bytes:
        try:
            return self._callers.call(lambda: os.pread(data.file.fileno(), length, at), self._seconds)
        except OSError as error:
            raise unavailable(self.id, error) from error

    def owns(self, url: str) -> bool:
        """See the contract. No folder is asked."""
        return self._store.owns(url)

    def stat(self, url: str) -> int:
        """See the contract."""
        return self._callers.call(lambda: self._store.stat(url), self._seconds)

    def delete(self, url: str) -> None:
        """See the contract."""
        self._callers.call(lambda: self._store.delete(url), self._seconds)

    def discard(self, key: ObjectKey) -> None:
        """See the contract."""
        self._callers.call(lambda: self._store.discard(key), self._seconds)

    def check_url(self, url: str) -> None:
        """See the contract."""
        self._store.check_url(url)

    def usage(self) -> Usage:
        """See the contract."""
        return self._callers.call(self._store.usage, self._seconds)


class BoundedWriter:
    """A writer of a `BoundedStore`."""

    def __init__(self, writer: FileWriter, callers: Callers, seconds: float, commit_seconds: float) -> None:
        self._writer = writer
        self._callers = callers
        self._seconds = seconds
        self._commit_seconds = commit_seconds
        # Whatever hangs and was given up, the writer is not aborted beside it.
        self._alone = threading.Lock()

    def write(self, chunks: Sequence[bytes]) -> None:
        """See the contract."""
        self._callers.call(lambda: self._write(chunks), self._seconds)

    def _write(self, chunks: Sequence[bytes]) -> None:
        with self._alone:
            self._writer.write(chunks)

    def commit(self) -> str:
        """See the contract. What is made durable after the deadline, `Store.discard` finds."""
        return self._callers.call(self._commit, self._commit_seconds)

    def _commit(self) -> str:
        with self._alone:
            return self._writer.commit()

    def abort(self) -> None:
        """See the contract. While the store hangs, it is left for later."""
        try:
            self._callers.call(self._abort, self._seconds)
        except Unavailable:
            self._callers.call_later(self._abort)

    def _abort(self) -> None:
        with self._alone:
            self._writer.abort()


def _abort(writer: FileWriter | None) -> None:
    if writer is not None:
        writer.abort()


def _close_late(data: LocalFile | None) -> None:
    if data is not None:
        data.file.close()
