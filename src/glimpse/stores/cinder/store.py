"""Images as volumes of Cinder.

An object is a volume called `image-<image id>`, with the metadata that Glance gives it, marked read-only;
its URL is `cinder://<store id>/<volume id>`. While it is written it is called `incoming-<image id>.<attempt>`
and has none of that metadata, without which no volume is taken for an image. The attempt is in its metadata
from the beginning to the end, so that `discard` finds it in whatever state.

Commit gives the name and the metadata in one request, and then looks whether the volume is still there. From
the moment that Cinder has taken the order to delete a volume, it says so to everybody, and never takes it
back: so either `discard` sees the volume, or commit sees that it is gone.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from weakref import WeakValueDictionary

from glimpse.domain.errors import GlimpseError, Invalid, LimitExceeded, StoreObjectInUse, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.cinder.attachments import Attachments, Readers
from glimpse.stores.cinder.devices import device_errors
from glimpse.stores.cinder.volumes import Refused, Volume, VolumeMissing, Volumes
from glimpse.stores.cinder.writer import ATTEMPT, GIB, VolumeWriter, gib_of

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)

# An image's volume has one of these: from Glance, from us, or from a Cinder that made an image of a volume.
_OF_IMAGES = frozenset({"image_size", "glance_image_id", "image_owner"})

# What a reader asks the device for at once.
_WINDOW = 4 * 1024 * 1024

_LONGEST_NAME = 255


class CinderStore:
    """Images in volumes of the account's project.

    :param volume_type: of new volumes; None: what Cinder takes by default.
    :param extend_attached: let volumes grow while they are attached.
    """

    schemes = ("cinder",)

    def __init__(
        self,
        id: str,  # noqa: A002
        volumes: Volumes,
        attachments: Attachments,
        *,
        volume_type: str | None = None,
        extend_attached: bool = False,
    ) -> None:
        self.id = id
        self._volumes = volumes
        self._attachments = attachments
        self._volume_type = volume_type
        self._extend_attached = extend_attached
        self._readers = Readers(attachments)
        self._writers = WeakValueDictionary[str, VolumeWriter]()

    def open_writer(self, key: ObjectKey, size: int | None) -> VolumeWriter:
        """Make a volume; one of unknown size begins with 1 GiB. It is attached with the first byte."""
        name = f"incoming-{key}"
        if len(name) > _LONGEST_NAME:
            raise Invalid("image id", "it is too long for the name of a volume.")
        volume = self._make(name, gib_of(size or 0), {ATTEMPT: key.attempt})
        writer = VolumeWriter(
            self._volumes,
            self._attachments,
            key,
            volume,
            size,
            f"cinder://{self.id}/",
            extend_attached=self._extend_attached,
        )
        self._writers[volume.id] = writer
        return writer

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """Windows of the volume, which is attached with the first and shared by this process's readers."""
        volume = self._find(url)
        if _size_of(volume) < offset + length:
            raise StoreObjectMissing(url)
        return self._read(url, volume.id, offset, length)

    def owns(self, url: str) -> bool:
        """Whether the URL names this store, or none, as those that Glance wrote when there was but one."""
        return self._volume_id(url) is not None

    def stat(self, url: str) -> int:
        """What the volume's metadata says; the volume's own size if Cinder made it an image."""
        return _size_of(self._find(url))

    def delete(self, url: str) -> None:
        """Remove the volume. Clones of it stay, if the backend can part with the one below them."""
        volume = self._find(url)
        self._attachments.end_dead(volume.id)
        try:
            self._volumes.delete(volume)
            left = self._volumes.settled(volume.id, {"deleting"})
        except VolumeMissing:
            return
        except Refused as error:
            raise StoreObjectInUse(f"The volume cannot be removed: {error}") from None
        if left.status != "error_deleting":
            raise StoreObjectInUse("The volume is in use.")
        raise Unavailable(self._volumes.part, "Cinder failed to remove the volume")

    def discard(self, key: ObjectKey) -> None:
        """Remove the volumes of the attempt, whoever has them attached."""
        for volume in list(self._volumes.find(ATTEMPT, key.attempt)):
            writer = self._writers.get(volume.id)
            if writer is not None:
                writer.give_up()
            self._volumes.purge(volume.id)

    def check_url(self, url: str) -> None:
        """Take volumes of this store, since Cinder brings those that it made images of volumes.

        :raises Invalid: the URL names no volume of this store.
        """
        if not self.owns(url):
            raise Invalid("url", "it names no volume of this store")

    def usage(self) -> Usage:
        """The project's quota, in which the volumes count by their whole GiB."""
        used, limit = self._volumes.quota()
        return Usage(used * GIB, None if limit < 0 else max(limit - used, 0) * GIB)

    def _make(self, name: str, gib: int, metadata: Mapping[str, str]) -> Volume:
        try:
            volume = self._volumes.create(name, gib, self._volume_type, metadata)
        except Refused as error:
            if error.status == 413:
                raise LimitExceeded("store capacity", self.usage().free or 0, gib * GIB, "bytes") from None
            reason = f"Cinder makes no volume of the type '{self._volume_type}': {error}"
            raise Unavailable(self._volumes.part, reason) from None
        try:
            made = self._volumes.settled(volume.id, {"creating"})
            if made.status == "available":
                return made
            raise self._not_made(volume.id, gib)
        except VolumeMissing:
            raise Unavailable(self._volumes.part, "a new volume has disappeared") from None
        except GlimpseError:
            with suppress(GlimpseError):
                self._volumes.purge(volume.id)
            raise

    def _not_made(self, volume_id: str, gib: int) -> GlimpseError:
        # Cinder's scheduler does not say whether its backends are full, or away.
        if self._volumes.backends():
            return LimitExceeded("store capacity", 0, gib * GIB, "bytes")
        return Unavailable(
            self._volumes.part, f"Cinder cannot make a volume: {self._volumes.reason(volume_id)}"
        )

    def _read(self, url: str, volume_id: str, offset: int, length: int) -> Iterator[bytes]:
        if not length:
            return
        try:
            with self._readers.reading(volume_id) as device, device_errors(self._volumes.part, 0, None):
                while length:
                    data = device.read_at(offset, min(length, _WINDOW))
                    if not data:
                        raise Unavailable(self._volumes.part, "the volume ends before the image does")
                    yield data
                    offset, length = offset + len(data), length - len(data)
        except VolumeMissing:
            raise StoreObjectMissing(url) from None

    def _find(self, url: str) -> Volume:
        volume_id = self._volume_id(url)
        if volume_id is None:
            raise StoreObjectMissing(url)
        try:
            volume = self._volumes.show(volume_id)
        except VolumeMissing:
            raise StoreObjectMissing(url) from None
        if volume.status == "deleting" or not _OF_IMAGES.intersection(volume.metadata):
            raise StoreObjectMissing(url)
        return volume

    def _volume_id(self, url: str) -> str | None:
        scheme, _, place = url.partition("://")
        store, _, volume_id = place.rpartition("/")
        if scheme != "cinder" or store not in ("", self.id) or place.startswith("/"):
            return None
        return volume_id if _UUID.fullmatch(volume_id) else None


def _size_of(volume: Volume) -> int:
    written = volume.metadata.get("image_size", "")
    return int(written) if written.isdecimal() else volume.gib * GIB
