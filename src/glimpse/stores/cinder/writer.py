"""An image on its way into a volume."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, suppress

from glimpse.domain.errors import Conflict, GlimpseError, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey
from glimpse.stores.cinder.attachments import Attachment, Attachments
from glimpse.stores.cinder.devices import Device, device_errors
from glimpse.stores.cinder.volumes import Refused, Volume, VolumeMissing, Volumes
from glimpse.stores.holes import Buffer, data_and_holes

GIB = 1024**3

# The metadata in which every volume carries the attempt that wrote it, from its creation.
ATTEMPT = "glimpse_attempt"

_GIVEN_UP = "The upload was given up meanwhile."

# Volumes of unknown size double, up to steps of so many GiB: they never shrink again.
_LARGEST_STEP = 8

# Small chunks are written together, at least so many bytes at once.
_BATCH = 4 * 1024 * 1024


def gib_of(size: int) -> int:
    """The size of a volume for so many bytes: whole GiB, at least one."""
    return max(-(-size // GIB), 1)


class VolumeWriter:
    """Writes a volume through, and makes it an image.

    :param prefix: of the image's URL; the volume's id follows.
    :param extend_attached: let the volume grow while it is attached.
    """

    def __init__(
        self,
        volumes: Volumes,
        attachments: Attachments,
        key: ObjectKey,
        volume: Volume,
        size: int | None,
        prefix: str,
        *,
        extend_attached: bool,
    ) -> None:
        self._volumes = volumes
        self._attachments = attachments
        self._key = key
        self._id = volume.id
        self._gib = volume.gib
        self._size = size
        self._url = prefix + volume.id
        self._extend_attached = extend_attached
        self._lock = threading.RLock()
        self._attachment: Attachment | None = None
        self._given_up = False
        self._offset = 0

    def write(self, chunks: Sequence[bytes]) -> None:
        """Write chunks to the volume; none is kept. For nothing once the attempt was discarded."""
        with self._lock, self._device_errors():
            if self._given_up or not any(chunks):
                return
            try:
                blank = self._attached().blank
                for run in data_and_holes(chunks) if blank else [list[Buffer](chunks)]:
                    self._append(run)
            except Conflict:
                # Whoever discarded it wants no error before commit.
                self._given_up = True

    def commit(self) -> str:
        """Detach the volume, mark it read-only, and make it the image's with one request."""
        with self._lock:
            try:
                self._finish()
            except GlimpseError:
                self.abort()
                raise
        return self._url

    def abort(self) -> None:
        """Remove the volume."""
        self.give_up()
        with suppress(GlimpseError):
            self._volumes.purge(self._id)

    def give_up(self) -> None:
        """Let go of the volume, which is about to be removed."""
        with self._lock:
            self._given_up = True
            with suppress(GlimpseError):
                self._detach()

    def _append(self, run: list[Buffer] | int) -> None:
        if isinstance(run, int):
            self._offset += run
            return
        for data in _batches(run):
            self._make_room(self._offset + len(data))
            self._attached().write_at(self._offset, data)
            self._offset += len(data)

    def _finish(self) -> None:
        if self._given_up:
            raise Conflict(_GIVEN_UP)
        metadata = {
            ATTEMPT: self._key.attempt,
            "glance_image_id": self._key.image_id,
            "image_size": str(self._offset),
            # By which Cinder knows whose volume it may clone.
            **({"image_owner": self._key.owner} if self._key.owner else {}),
        }
        try:
            with self._device_errors():
                self._make_room(self._offset)
                if self._attachment is not None:
                    self._attachment.device.flush()
            self._detach()
            self._volumes.settled(self._id, {"detaching", "in-use"})
            self._volumes.make_read_only(self._id)
            self._volumes.publish(self._id, f"image-{self._key.image_id}", metadata)
            volume = self._volumes.show(self._id)
        except VolumeMissing:
            raise Conflict(_GIVEN_UP) from None
        except Refused as error:
            raise self._refused(error) from None
        if volume.status == "deleting":
            raise Conflict(_GIVEN_UP)

    def _refused(self, error: Refused) -> GlimpseError:
        """What it means that Cinder does not do this to the volume in its present state."""
        if self._is_gone():
            return Conflict(_GIVEN_UP)
        return Unavailable(self._volumes.part, f"Cinder refuses a request: {error}")

    def _attached(self) -> Device:
        """The volume's bytes. :raises Conflict: the attempt was discarded by another process."""
        if self._attachment is None:
            try:
                self._attachment = self._attachments.attach(self._id, writable=True)
            except (VolumeMissing, Unavailable):
                if self._is_gone():
                    raise Conflict(_GIVEN_UP) from None
                raise
        return self._attachment.device

    def _is_gone(self) -> bool:
        try:
            return self._volumes.show(self._id).status == "deleting"
        except VolumeMissing:
            return True

    def _detach(self) -> None:
        attachment, self._attachment = self._attachment, None
        if attachment is not None:
            attachment.close()

    def _make_room(self, end: int) -> None:
        needed = gib_of(end)
        if needed <= self._gib:
            return
        if self._attachment is not None and not self._extend_attached:
            self._attachment.device.flush()
            self._detach()
        try:
            try:
                self._extend(max(needed, self._gib + min(self._gib, _LARGEST_STEP)))
            except LimitExceeded:
                self._extend(needed)
        except VolumeMissing:
            raise Conflict(_GIVEN_UP) from None
        if self._attachment is not None:
            self._attachment.connection.extend()

    def _extend(self, gib: int) -> None:
        """:raises LimitExceeded: there is no room for that."""
        full = LimitExceeded("store capacity", self._gib * GIB, self._size, "bytes")
        try:
            self._volumes.extend(self._id, gib)
        except Refused as error:
            raise (full if error.status == 413 else self._refused(error)) from None
        volume = self._volumes.settled(self._id, {"extending"})
        if volume.gib < gib:
            raise full
        self._gib = volume.gib

    def _device_errors(self) -> AbstractContextManager[None]:
        return device_errors(self._volumes.part, self._offset, self._size)


def _batches(run: list[Buffer]) -> Iterator[bytes]:
    """The buffers, small ones joined. librbd takes nothing but bytes."""
    batch: list[Buffer] = []
    length = 0
    for buffer in run:
        batch.append(buffer)
        length += len(buffer)
        if length >= _BATCH:
            yield b"".join(batch)
            batch, length = [], 0
    if length:
        yield b"".join(batch)
