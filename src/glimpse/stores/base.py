"""The contract of a store, version 1.

A store is synchronous: its calls block, and are made from worker threads (`transfer` bridges them in one
place). All objects are thread-safe between calls; a writer is used by one thread at a time.

*Visible means committed.* Nothing that a writer wrote can be read through the store before `commit`
returned, and all of it is durable after.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from glimpse.domain.errors import GlimpseError


@dataclass(eq=False)
class StoreObjectMissing(GlimpseError):
    """The store has no object at this place."""

    code = "store-object-missing"
    url: str

    def __str__(self) -> str:
        return "The store holds no data at the image's location."


@dataclass(frozen=True, slots=True)
class ObjectKey:
    """The name of an object to be written: the image, and the attempt (unique for each try).

    Whose bytes they will be, `owner` tells backends that note it: a project, None if it is not known.
    """

    image_id: str
    attempt: str
    owner: str | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"{self.image_id}.{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> "ObjectKey":
        """The inverse of `str`."""
        image_id, attempt = text.rsplit(".", 1)
        return cls(image_id, attempt)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """An open file to be sent by the kernel: `length` bytes from `offset`. The receiver closes it."""

    file: BinaryIO
    offset: int
    length: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes in use and bytes free; None where the backend cannot tell."""

    used: int | None
    free: int | None


class Writer(Protocol):
    """An object on its way in. Exactly one of `commit` and `abort` ends it."""

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append chunks. They are immutable and may be kept until `commit` or `abort`.

        :raises LimitExceeded: the store is full.
        :raises Unavailable: the store refuses to write or does not answer.
        """

    def commit(self) -> str:
        """Make the object durable, then readable, and return its location URL.

        After an error nothing needs to be aborted, but only `Store.discard` makes sure that nothing is left.

        :raises Conflict: the attempt was discarded meanwhile, or the store sees an object of this image
            that another attempt committed; that one stays as it is.
        :raises LimitExceeded: the store is full.
        :raises Unavailable: the store does not answer. The object may exist: `Store.discard` settles it.
        """

    def abort(self) -> None:
        """Remove what was written. Never raises; what could not be removed is left to `Store.discard`."""


class Store(Protocol):
    """A place where images rest. `id` is the operator's name for it, `schemes` are those of its URLs."""

    @property
    def id(self) -> str: ...

    @property
    def schemes(self) -> tuple[str, ...]: ...

    def open_writer(self, key: ObjectKey, size: int | None) -> Writer:
        """Begin an object. `size` is its number of bytes, None if unknown.

        :raises Invalid: the image's id cannot be a name in this store.
        :raises LimitExceeded: the store can tell already that `size` bytes do not fit.
        :raises Unavailable: the store refuses to write or does not answer.
        """

    def open_reader(self, url: str, offset: int, length: int) -> LocalFile | Iterator[bytes]:
        """Bytes `offset` to `offset + length` of the object, which must lie inside it.

        Deleting the object while it is read is undefined: the reader gets its bytes, or an error.

        :raises StoreObjectMissing: no such object, or it is shorter than `offset + length`.
        :raises Unavailable: the store does not answer.
        """

    def owns(self, url: str) -> bool:
        """Whether this is the store, judging by its URL alone, that an object would be in. Never raises."""

    def stat(self, url: str) -> int:
        """The object's size in bytes.

        :raises StoreObjectMissing: no such object.
        :raises Unavailable: the store does not answer.
        """

    def delete(self, url: str) -> None:
        """Remove the object and all that only it needs.

        :raises StoreObjectMissing: no such object.
        :raises StoreObjectInUse: something depends on it; nothing was changed.
        :raises Unavailable: the store does not answer.
        """

    def discard(self, key: ObjectKey) -> None:
        """Remove whatever a writer for `key` may have left, committed or not. Idempotent.

        After it returned, a writer of that attempt that still lives can no longer commit.

        :raises Unavailable: the store does not answer; call again.
        """

    def check_url(self, url: str) -> None:
        """Judge a URL that a client brings as a new location of an image; the object is not looked at.

        :raises Invalid: this store takes no such location.
        """

    def usage(self) -> Usage:
        """How full the store is. One that cannot tell is asked something else, so that it is known to answer.

        :raises Unavailable: the store does not answer.
        """
