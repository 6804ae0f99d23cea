"""An image on its way into a bucket."""

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from math import ceil

from glimpse.domain.errors import Conflict, GlimpseError, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey
from glimpse.stores.s3.bucket import Absent, Bucket, Different, Full

# The metadata of an object that tells which attempt wrote it.
MARK = "glimpse-attempt"

MOST_PARTS = 10_000
_TAKEN = "The store holds data of this image already."
_GIVEN_UP = "The upload was given up meanwhile."


@dataclass(frozen=True, slots=True)
class Cut:
    """How objects are cut into parts.

    Those of `threshold` bytes or more, or of unknown size, come in parts of at least `part` bytes, of which
    `parallel` are under way at once; smaller ones come as a whole.
    """

    threshold: int
    part: int
    parallel: int

    def is_needed(self, size: int | None) -> bool:
        """Whether an object of so many bytes comes in parts."""
        return size is None or (size > 0 and size >= self.threshold)

    def length(self, number: int, size: int | None) -> int:
        """The length of a part, such that the 10,000 that S3 takes will do.

        While the size is unknown it doubles every thousand parts: from 10 MiB on, that makes 10 TiB.
        """
        if size is None:
            return self.part << (number - 1) // 1000
        return max(self.part, ceil(size / MOST_PARTS))

    def flying(self, length: int) -> int:
        """How many parts of that length may be under way: of large ones few, to keep the memory flat."""
        return max(1, self.parallel * self.part // length)


class Upload:
    """An object that is sent in parts."""

    def __init__(self, bucket: Bucket, name: str, id: str, size: int | None, cut: Cut) -> None:  # noqa: A002
        self._bucket = bucket
        self._name = name
        self._id = id
        self._size = size
        self._cut = cut
        self._threads = ThreadPoolExecutor(cut.parallel)
        self._parts: list[Future[str]] = []
        self._arrived = 0
        self._completed = False

    def __bool__(self) -> bool:
        """Whether a part was sent."""
        return bool(self._parts)

    @property
    def length(self) -> int:
        """How long the next part must be, unless it is the last one."""
        return self._cut.length(len(self._parts) + 1, self._size)

    def send(self, part: bytearray) -> None:
        """Send a part, which is not touched any more, once few enough are under way.

        :raises Absent, Full, Unavailable: as the call of an earlier part.
        """
        while len(self._parts) - self._arrived >= self._cut.flying(len(part)):
            self._parts[self._arrived].result()
            self._arrived += 1
        number = len(self._parts) + 1
        self._parts.append(self._threads.submit(self._bucket.upload_part, self._name, self._id, number, part))

    def complete(self) -> None:
        """Make the object. :raises Absent, Different, Full, Unavailable: as the calls of the bucket."""
        self._bucket.complete_upload(self._name, self._id, [part.result() for part in self._parts])
        self._completed = True

    def end(self) -> None:
        """Let nothing be left but the object. :raises Unavailable: something may be left."""
        # A part that is under way would stay when its upload has ended.
        self._threads.shutdown(cancel_futures=True)
        if not self._completed:
            self._bucket.abort_upload(self._name, self._id)


class S3Writer:
    """An image on its way into a bucket: one part is filled while others are under way.

    `marker` is the object that is there for as long as the attempt may be committed.
    """

    def __init__(
        self, bucket: Bucket, key: ObjectKey, url: str, marker: str, size: int | None, upload: Upload | None
    ) -> None:
        self._bucket = bucket
        self._key = key
        self._url = url
        self._marker = marker
        self._size = size
        self._upload = upload
        self._buffer = bytearray()
        self._sent = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Copy the chunks into parts. Waits while as many parts are under way as may be."""
        with self._writing():
            for chunk in chunks:
                self._append(memoryview(chunk))

    def commit(self) -> str:
        """Make the object, then see that the attempt was not discarded meanwhile.

        `S3Store.discard` removes the marker, then looks for the object; here it is the other way round.
        Whoever comes second sees what the first one did, so that no object of a discarded attempt stays.
        """
        try:
            with self._writing():
                self._publish()
                if not self._is_marked():
                    remove_own(self._bucket, self._key)
                    raise Conflict(_GIVEN_UP)
        except GlimpseError:
            self.abort()
            raise
        self._end()
        return self._url

    def abort(self) -> None:
        """Remove the parts and the marker, as far as the server answers."""
        with suppress(GlimpseError):
            self._end()

    def _append(self, data: memoryview) -> None:
        while data:
            room = self._upload.length - len(self._buffer) if self._upload is not None else len(data)
            self._buffer += data[:room]
            data = data[room:]
            if self._upload is not None and len(self._buffer) == self._upload.length:
                self._send(self._upload)

    def _send(self, upload: Upload) -> None:
        part, self._buffer = self._buffer, bytearray()
        upload.send(part)
        self._sent += len(part)

    def _publish(self) -> None:
        # Some servers do not heed the condition, with which the calls below are made, that there is none.
        if owner(self._bucket, self._key.image_id) is not None:
            raise Conflict(_TAKEN)
        try:
            if self._upload:
                if self._buffer:
                    self._send(self._upload)
                self._upload.complete()
            else:
                self._bucket.put(self._key.image_id, self._buffer, {MARK: self._key.attempt})
        except (Absent, Different):
            # A call that is repeated, because its answer was lost, meets its own work.
            found = owner(self._bucket, self._key.image_id)
            if found != self._key.attempt:
                raise Conflict(_GIVEN_UP if found is None else _TAKEN) from None

    def _is_marked(self) -> bool:
        try:
            self._bucket.head(self._marker)
        except Absent:
            return False
        return True

    def _end(self) -> None:
        self._buffer = bytearray()
        if self._upload is not None:
            self._upload.end()
        self._bucket.delete(self._marker)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except Full:
            raise LimitExceeded("store capacity", self._sent, self._size, "bytes") from None
        except Absent:
            raise Unavailable("upload", "it was given up meanwhile") from None


def owner(bucket: Bucket, image_id: str) -> str | None:
    """The attempt that wrote the image's object; empty: the object is not ours; None: there is none."""
    try:
        return bucket.head(image_id).metadata.get(MARK, "")
    except Absent:
        return None


def remove_own(bucket: Bucket, key: ObjectKey) -> None:
    """Remove the image's object if this attempt wrote it."""
    if owner(bucket, key.image_id) == key.attempt:
        bucket.delete(key.image_id)
