"""Writing into Swift: segments side by side, one manifest at the end, and how an attempt is given up.

Swift can refuse to overwrite, but it has no rename and no transaction. So an attempt begins with an empty
object, its *mark* `<image_id>.<attempt>`, and its segments are `<image_id>.<attempt>/00000001` and so on. The
image's own name appears last. Then the writer removes the mark: if the mark is gone already, the attempt was
discarded, and the writer takes back what it has just named. Whoever discards removes the mark first, and
then looks for the image's name. So however the two meet, one of them sees what the other did: if the writer
still found the mark, the name was there before whoever discards looked for it.

The object carries the attempt in its metadata, so that nobody removes another attempt's.
"""

import json
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from glimpse.domain.errors import Conflict, GlimpseError, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey
from glimpse.stores.swift.account import Body, Buffer, Container

ATTEMPT = "X-Object-Meta-Glimpse-Attempt"

_TYPE = {"Content-Type": "application/octet-stream"}
_TAKEN = "The store holds data of this image already."
_GIVEN_UP = "The upload was given up meanwhile."

# Segments of one image under way at once, and what they may hold in memory together, besides the one that is
# being filled.
_SIDE_BY_SIDE = 4
_MEMORY = 128 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Shape:
    """How images are cut: the size of a segment, and how many of them one static manifest may list.

    With no `static` segments, the manifest is dynamic: it names the segments by how they begin.
    """

    segment: int
    static: int

    @property
    def side_by_side(self) -> int:
        """How many segments of one image are sent at once."""
        return max(1, min(_SIDE_BY_SIDE, _MEMORY // self.segment))


@dataclass(frozen=True, slots=True)
class _Segment:
    name: str
    size: int
    etag: str | None


@dataclass(slots=True)
class _Buffers:
    """What the next segment is made of."""

    chunks: list[Buffer] = field(default_factory=list)
    size: int = 0

    def fill(self, chunk: Buffer, full: int) -> Buffer:
        """Take what there is room for; the rest is returned."""
        room = full - self.size
        taken = chunk if len(chunk) <= room else memoryview(chunk)[:room]
        if taken:
            self.chunks.append(taken)
            self.size += len(taken)
        return memoryview(chunk)[len(taken) :]


class SwiftWriter:
    """An image on its way into a container in which its mark lies."""

    def __init__(
        self, part: str, container: Container, key: ObjectKey, url: str, shape: Shape, threads: Executor
    ) -> None:
        self._part = part
        self._container = container
        self._key = key
        self._url = url
        self._shape = shape
        self._threads = threads
        self._buffers = _Buffers()
        self._sending: deque[Future[_Segment]] = deque()
        self._sent: list[_Segment] = []
        self._number = 0
        self._begun = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Keep the chunks until they make a segment; wait while too many segments are under way."""
        for chunk in chunks:
            rest: Buffer = chunk
            while rest:
                rest = self._buffers.fill(rest, self._shape.segment)
                if self._buffers.size == self._shape.segment:
                    self._begin_segment()

    def commit(self) -> str:
        """Send what is left, give the object its name, and make sure that the attempt was not discarded."""
        try:
            self._publish()
            # Once: after a lost answer nobody could tell who removed the mark.
            response = self._container.account.send(
                "DELETE", self._container.path(str(self._key)), retries=0, fine=(404,)
            )
            if not response.ok:
                raise Conflict(_GIVEN_UP)
        except GlimpseError:
            self.abort()
            raise
        return self._url

    def abort(self) -> None:
        """Let the segments under way end, and remove what there is."""
        self._buffers = _Buffers()
        for future in self._sending:
            future.cancel()
        for future in self._sending:
            with suppress(Exception):
                if not future.cancelled():
                    future.result()
        self._sending.clear()
        # A listing may not yet tell of the last segments.
        names = [_name(self._key, number) for number in range(1, self._number + 1)]
        with suppress(GlimpseError):
            remove_attempt(self._container, self._key, self._threads, names)

    def _begin_segment(self) -> None:
        while len(self._sending) >= self._shape.side_by_side:
            self._sent.append(self._sending.popleft().result())
        self._number += 1
        name, body = _name(self._key, self._number), Body(self._buffers.chunks)
        self._sending.append(self._threads.submit(self._send, name, body, self._begun))
        self._begun += self._buffers.size
        self._buffers = _Buffers()

    def _send(self, name: str, body: Body, offset: int) -> _Segment:
        size = len(body)
        with _full(offset, size):
            response = self._container.account.send("PUT", self._container.path(name), _TYPE, body)
        etag = response.headers.get("Etag", "").strip('"')
        if etag != body.digest:
            raise Unavailable(self._part, "it stored other data than was sent")
        return _Segment(name, size, etag)

    def _publish(self) -> None:
        """Give the image's name to an object: the data itself if one segment holds all, else a manifest."""
        if not self._number:
            with _full(0, self._buffers.size):
                self._name(Body(self._buffers.chunks) if self._buffers.size else b"")
            return
        if self._buffers.size:
            self._begin_segment()
        while self._sending:
            self._sent.append(self._sending.popleft().result())
        if not self._shape.static:
            self._name(b"", headers={"X-Object-Manifest": f"{self._container.name}/{self._key}/"})
            return
        segments = self._sent
        while len(segments) > self._shape.static:
            segments = [self._gather(part) for part in _batches(segments, self._shape.static)]
        self._name(self._listed(segments), "multipart-manifest=put")

    def _name(self, data: Body | bytes, query: str = "", headers: Mapping[str, str] | None = None) -> None:
        headers = {**_TYPE, **(headers or {}), "If-None-Match": "*", ATTEMPT: self._key.attempt}
        url = self._container.path(self._key.image_id, query)
        response = self._container.account.send("PUT", url, headers, data, fine=(400, 412))
        # The first of two requests may have come through, and its answer not.
        if response.status_code == 412 and not is_of(self._container, self._key):
            raise Conflict(_TAKEN)
        if response.status_code == 400:
            # A segment is missing, because the attempt was discarded; or who knows.
            if self._container.head(str(self._key)) is None:
                raise Conflict(_GIVEN_UP)
            raise Unavailable(self._part, "it does not find the segments that it has stored")

    def _gather(self, segments: Sequence[_Segment]) -> _Segment:
        """A static large object of some segments, which is a segment itself."""
        self._number += 1
        name = _name(self._key, self._number)
        url = self._container.path(name, "multipart-manifest=put")
        self._container.account.send("PUT", url, _TYPE, self._listed(segments))
        return _Segment(name, sum(segment.size for segment in segments), None)

    def _listed(self, segments: Sequence[_Segment]) -> bytes:
        return json.dumps(
            [
                {"path": f"/{self._container.name}/{one.name}", "size_bytes": one.size, "etag": one.etag}
                for one in segments
            ]
        ).encode()


def remove_attempt(
    container: Container, key: ObjectKey, threads: Executor, names: Sequence[str] = ()
) -> None:
    """Remove all that an attempt left, in the order that this module's text explains.

    `names` are segments to be removed whether they are listed or not.
    """
    container.delete(str(key))
    if is_of(container, key):
        container.delete(key.image_id)
    remove_all(container, {*names, *(one.name for one in container.listing(f"{key}/"))}, threads)


def remove_all(container: Container, names: Sequence[str] | set[str], threads: Executor) -> None:
    """Remove objects, side by side. :raises Unavailable: one could not be removed; the others are gone."""
    for future in [threads.submit(container.delete, name) for name in names]:
        future.result()


def is_of(container: Container, key: ObjectKey) -> bool:
    """Whether the image's object is there and was written by this attempt."""
    headers = container.head(key.image_id)
    return headers is not None and headers.get(ATTEMPT) == key.attempt


@contextmanager
def _full(offset: int, size: int) -> Iterator[None]:
    """A full store is told by how much it has taken."""
    try:
        yield
    except LimitExceeded as error:
        raise LimitExceeded(error.limit, offset, offset + size, "bytes") from None


def _name(key: ObjectKey, number: int) -> str:
    return f"{key}/{number:08}"


def _batches(segments: Sequence[_Segment], size: int) -> Iterator[Sequence[_Segment]]:
    for at in range(0, len(segments), size):
        yield segments[at : at + size]
