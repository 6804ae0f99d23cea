"""Images as virtual disks (VDIs) of a Sheepdog cluster, as Glance kept them until Train.

An object is the VDI `<image_id>`, and its URL `sheepdog://<address>:<port>:<image_id>`; Cinder clones the
disk of that name. Sheepdog makes no two disks of one name, so there is one attempt at a time. Whose it is
and what is to become of it says the tag of the VDI, which is free on all that are no snapshots:

* `glimpse-incoming:<attempt>`: it is written. Its size is still 0, so nobody else finds anything in it
  either.
* `glimpse:<attempt>`: it is committed. Glance's own disks have no tag.
* `glimpse-removing:<attempt>`: it is removed. That takes several steps, and whoever does it again goes on.
"""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from glimpse.domain.errors import Conflict, GlimpseError, Invalid, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.sheepdog.protocol import (
    MOST_PIECES,
    NAME_BYTES,
    Inode,
    Result,
    Sheep,
    SheepError,
)

_MIB = 1024 * 1024
_SCHEME = "sheepdog://"

_INCOMING = b"glimpse-incoming:"
_COMMITTED = b"glimpse:"
_REMOVING = b"glimpse-removing:"

# A disk whose table is not empty is not removed, which the daemon does not tell: a writer that sees the tag
# too late may have filled it once more.
_TRIES = 4
# Pieces that all transfers of the store together have on their way to or from the daemon.
_PARALLEL = 8

_GIVEN_UP = "The upload was given up meanwhile."
_TAKEN = "The store holds data of this image already."

_REASONS: dict[int, str] = {
    Result.NO_SPACE: "the Sheepdog cluster is full",
    Result.NO_MORE_VDIS: "the Sheepdog cluster has no room for another disk",
    Result.WAIT_FOR_FORMAT: "the Sheepdog cluster is not formatted",
    Result.WAIT_FOR_JOIN: "the Sheepdog cluster waits for more of its nodes",
    Result.HALT: "the Sheepdog cluster has stopped, since too few of its nodes are left",
    Result.READ_ONLY: "the disk is a snapshot, which cannot be written",
}


class SheepdogStore:
    """Images in the cluster whose daemon listens at `address` and `port`, which is asked on first use.

    :param window: about so many bytes a transfer holds, in pieces that go side by side.
    """

    schemes = ("sheepdog",)

    def __init__(self, id: str, address: str, port: int, *, window: int = 16 * _MIB) -> None:  # noqa: A002
        self.id = id
        self.window = window
        self.sheep = Sheep(address, port)
        self._prefix = f"{_SCHEME}{address}:{port}:"
        self.threads = ThreadPoolExecutor(_PARALLEL, thread_name_prefix=f"store-{id}")

    def open_writer(self, key: ObjectKey, size: int | None) -> "SheepdogWriter":
        """Begin an object.

        Where there is a disk of this image, its writer keeps nothing and cannot commit. Unavailable while
        that disk itself is on its way, in or out.
        """
        name = _name_of(key)
        with self.answering(size):
            try:
                vid = self.sheep.create_vdi(name)
            except SheepError as error:
                if error.result != Result.VDI_EXISTS:
                    raise
                self._check_settled(name)
                return SheepdogWriter(self, key, None, size)
            inode = self.sheep.read_inode(vid)
            self.sheep.write_tag(inode, _INCOMING + key.attempt.encode())
        if size is not None and size > inode.piece * MOST_PIECES:
            self.discard(key)
            raise LimitExceeded("store capacity", inode.piece * MOST_PIECES, size, "bytes")
        return SheepdogWriter(self, key, inode, size)

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """The pieces, of which some are read ahead. Where they lie is looked up once, now."""
        with self.answering():
            inode = self._find(url)
            if inode.size < offset + length:
                raise StoreObjectMissing(url)
            first = offset // inode.piece
            count = -(-(offset + length) // inode.piece) - first if length else 0
            table = self.sheep.read_table(inode.vid, first, count) if count else ()
        return self._read(url, inode.piece, offset, length, table)

    def owns(self, url: str) -> bool:
        """Whether the URL names this daemon, or none, as Glance's oldest do."""
        return self._name(url) is not None

    def stat(self, url: str) -> int:
        """The disk's size."""
        with self.answering():
            return self._find(url).size

    def delete(self, url: str) -> None:
        """Remove the disk, also one that somebody began to remove; its snapshots and clones stay."""
        with self.answering():
            self._remove(self._find(url, removing=True))

    def discard(self, key: ObjectKey) -> None:
        """Remove the disk if its tag names this attempt, which is changed first, so that no commit follows.

        A disk without tag and of size 0 is what a writer leaves that dies before it has written the tag.
        """
        attempt = key.attempt.encode()
        ours = {_INCOMING + attempt, _COMMITTED + attempt, _REMOVING + attempt}
        with self.answering():
            inode = self.inode_of(_name_of(key))
            if inode is not None and (inode.tag in ours or (inode.tag, inode.size) == (b"", 0)):
                self._remove(inode)

    def check_url(self, url: str) -> None:  # noqa: ARG002 - the contract's signature
        """:raises Invalid: always: the disks of the cluster are not the clients' to choose from."""
        raise Invalid("url", "locations of this scheme are not taken")

    def usage(self) -> Usage:
        """Unknown: a daemon knows of its own node alone. It is asked for a disk that there is not."""
        with self.answering():
            self.sheep.find_vdi(b"-")
        return Usage(None, None)

    def url_of(self, key: ObjectKey) -> str:
        """The location of the image's disk."""
        return self._prefix + key.image_id

    def inode_of(self, name: bytes) -> Inode | None:
        """The inode of the disk of that name."""
        vid = self.sheep.find_vdi(name)
        return None if vid is None else self.sheep.read_inode(vid)

    @contextmanager
    def answering(self, size: int | None = None, fitted: int = 0) -> Iterator[None]:
        """Failures, of a write of `size` bytes, of which `fitted` are in the store."""
        try:
            yield
        except SheepError as error:
            if error.result in (Result.NO_SPACE, Result.NO_MORE_VDIS):
                raise LimitExceeded("store capacity", fitted, size, "bytes") from error
            reason = _REASONS.get(error.result, f"Sheepdog reports the error {error.result:#x}")
            raise self._unavailable(reason) from error
        except TimeoutError as error:
            raise self._unavailable("Sheepdog does not answer in time") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else "the connection was closed"
            raise self._unavailable(f"Sheepdog does not answer: {reason}") from error

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"store {self.id}", reason)

    def _check_settled(self, name: bytes) -> None:
        inode = self.inode_of(name)
        if inode is None or inode.tag.startswith((_INCOMING, _REMOVING)):
            raise self._unavailable("an earlier write of the image's data is not settled yet")

    def _name(self, url: str) -> bytes | None:
        if url.startswith(self._prefix):
            name = url.removeprefix(self._prefix)
        else:
            name = url.removeprefix(_SCHEME) if url.startswith(_SCHEME) else ""
        return _encoded(name)

    def _find(self, url: str, *, removing: bool = False) -> Inode:
        name = self._name(url)
        inode = None if name is None else self.inode_of(name)
        unseen = _INCOMING if removing else (_INCOMING, _REMOVING)
        if inode is None or inode.tag.startswith(unseen):
            raise StoreObjectMissing(url)
        return inode

    def _remove(self, inode: Inode) -> None:
        if not inode.tag.startswith(_REMOVING):
            self.sheep.write_tag(inode, _REMOVING + inode.tag.rpartition(b":")[2])
        for _ in range(_TRIES):
            if self.sheep.find_vdi(inode.name) != inode.vid:
                return
            self.sheep.empty_table(inode.vid)
            self.sheep.delete_vdi(inode.name)
        raise self._unavailable("a disk is not removed yet")

    def _read(self, url: str, piece: int, offset: int, length: int, table: Sequence[int]) -> Iterator[bytes]:
        calls = (
            partial(self._read_piece, vid, index, begin, end - begin)
            for vid, (index, begin, end) in zip(table, _cut(piece, offset, length), strict=True)
        )
        with self.answering():
            try:
                yield from self._ahead(calls, max(self.window // piece, 1))
            except SheepError as error:
                if error.result != Result.NO_OBJECT:
                    raise
                raise StoreObjectMissing(url) from error

    def _read_piece(self, vid: int, index: int, offset: int, length: int) -> bytes:
        return self.sheep.read_piece(vid, index, offset, length) if vid else bytes(length)

    def _ahead(self, calls: Iterable[Callable[[], bytes]], depth: int) -> Iterator[bytes]:
        """The results in their order, while up to `depth` of the next calls are under way."""
        running: deque[Future[bytes]] = deque()
        try:
            for call in calls:
                running.append(self.threads.submit(call))
                if len(running) >= depth:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


class SheepdogWriter:
    """An image on its way into a `SheepdogStore`; into nothing, if there is no `inode` of its own."""

    def __init__(self, store: SheepdogStore, key: ObjectKey, inode: Inode | None, size: int | None) -> None:
        self._store = store
        self._key = key
        self._inode = inode
        self._size = size
        self._refusal = _TAKEN if inode is None else _GIVEN_UP
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._sent = 0
        # The pieces that were written since the disk was last seen to be ours.
        self._recent: list[int] = []

    def write(self, chunks: Sequence[bytes]) -> None:
        """Keep chunks until they fill the window."""
        if self._inode is None:
            return
        self._waiting += chunks
        self._waiting_bytes += sum(map(len, chunks))
        if self._waiting_bytes >= max(self._store.window, self._inode.piece):
            self._send(self._waiting_bytes - self._waiting_bytes % self._inode.piece)

    def commit(self) -> str:
        """Send the rest; then the tag and the size make it the image, in one write, if it is still ours.

        What was seen before may have changed during that write: so it is looked at again, by its name.
        """
        try:
            self._send(self._waiting_bytes)
            with self._store.answering(self._size, self._sent):
                self._publish()
        except Unavailable:
            # Whether it is committed, only `discard` can settle.
            raise
        except GlimpseError:
            self.abort()
            raise
        return self._store.url_of(self._key)

    def abort(self) -> None:
        """Remove the disk, if it is ours."""
        self._waiting.clear()
        with suppress(GlimpseError), self._store.answering():
            if self._own() is not None:
                self._store.discard(self._key)

    def _publish(self) -> None:
        sheep, attempt = self._store.sheep, self._key.attempt.encode()
        inode = self._own()
        if inode is None:
            raise Conflict(self._refusal)
        sheep.write_tag_and_size(inode, _COMMITTED + attempt, self._sent)
        found = self._store.inode_of(inode.name)
        if found is None or (found.vid, found.tag) != (inode.vid, _COMMITTED + attempt):
            raise Conflict(_GIVEN_UP)

    def _own(self) -> Inode | None:
        """The inode as it is now, while it says that it is this attempt's."""
        if self._inode is not None:
            found = self._store.inode_of(_name_of(self._key))
            tag = _INCOMING + self._key.attempt.encode()
            if found is None or (found.vid, found.tag) != (self._inode.vid, tag):
                # Whoever removed the disk may have done so before its last pieces came.
                for index in self._recent:
                    self._store.sheep.remove_piece(self._inode.vid, index)
                self._inode = None
        return self._inode

    def _send(self, length: int) -> None:
        """Store the first `length` bytes of those that wait."""
        data = memoryview(b"".join(self._waiting))
        self._waiting = []
        if self._inode is not None and length:
            step = max(self._store.window // self._inode.piece, 1) * self._inode.piece
            with self._store.answering(self._size, self._sent):
                for at in range(0, length, step):
                    self._send_window(data[at : min(at + step, length)])
        rest = bytes(data[length:])
        self._waiting, self._waiting_bytes = [rest], len(rest)

    def _send_window(self, data: memoryview) -> None:
        """Pieces side by side; those of zeros are left out.

        The table is written first: it tells `discard` of the objects, even if we die before they are written.
        """
        inode = self._own()
        if inode is None:
            return
        first = self._sent // inode.piece
        pieces = [bytes(data[at : at + inode.piece]) for at in range(0, len(data), inode.piece)]
        filled = [inode.vid if piece.strip(b"\0") else 0 for piece in pieces]
        if any(filled):
            self._store.sheep.write_table(inode.vid, first, filled)
        self._recent = [index for index, vid in enumerate(filled, first) if vid]
        running = [
            self._store.threads.submit(self._store.sheep.create_piece, inode.vid, index, piece)
            for index, (vid, piece) in enumerate(zip(filled, pieces, strict=True), first)
            if vid
        ]
        for future in running:
            future.exception()
        for future in running:
            future.result()
        self._sent += len(data)


def _name_of(key: ObjectKey) -> bytes:
    name = _encoded(key.image_id)
    if name is None or len(_REMOVING + key.attempt.encode()) >= NAME_BYTES:
        raise Invalid("image id", "it cannot be the name of a disk.")
    return name


def _encoded(name: str) -> bytes | None:
    """The name of a disk, in an URL that has colons between its parts; None if it can be none."""
    try:
        encoded = name.encode()
    except UnicodeEncodeError:
        return None
    return encoded if 0 < len(encoded) < NAME_BYTES and not {":", "\0"} & set(name) else None


def _cut(piece: int, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
    """A range of bytes as pieces: which, and from where to where in it."""
    end = offset + length
    for index in range(offset // piece, -(-end // piece) if length else 0):
        yield index, max(offset - index * piece, 0), min(end - index * piece, piece)
