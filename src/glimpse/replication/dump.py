"""A folder of dumped images: for each a document `ID`, which is there when all is, and its data `ID.img`."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glimpse.compute.checks import Damaged
from glimpse.compute.fetch import fetch
from glimpse.compute.folders import read_document, write_document
from glimpse.compute.images import ImageService, RemoteImage
from glimpse.domain.errors import Conflict, Unavailable
from glimpse.replication.data import verify_file
from glimpse.replication.fields import Document
from glimpse.stores.folders import sync_folder
from glimpse.transfer.cache.folder import is_image_id


class Dump:
    """A folder of dumped images. Its files are for its owner alone: they may be of anybody's images.

    Every method may raise Unavailable: the folder cannot be used.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def making(self) -> Iterator[None]:
        """Make the folder, and keep other dumps away from it. :raises Conflict: one is going on."""
        with _answering(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            _lock(descriptor, self.folder)
            yield
        finally:
            os.close(descriptor)

    def ids(self) -> list[str]:
        """The images whose documents are here, by their ids."""
        with _answering(self.folder):
            return sorted(path.name for path in self.folder.iterdir() if is_image_id(path.name))

    def document(self, image_id: str) -> Document | None:
        """The document of an image; None: there is none."""
        with _answering(self.folder):
            return read_document(self.folder / image_id)

    def data(self, image: RemoteImage) -> Path | None:
        """The file with the data of an image; None: there is none, or not all of it."""
        path = self._data(image.id)
        with _answering(self.folder):
            return path if path.exists() and path.stat().st_size == image.size else None

    def write(self, image_id: str, document: Document) -> None:
        """Write down a document durably, in the place of what is there."""
        with _answering(self.folder):
            write_document(self.folder / image_id, document)

    def fetch(self, service: ImageService, image: RemoteImage, chunk_size: int) -> None:
        """Fetch the data of an image and verify it. What an interrupted call left is not fetched again.

        :raises Damaged: it is other data even when it is fetched anew.
        :raises GlimpseError: the service refuses, or does not send it.
        """
        path = self._data(image.id)
        part = path.with_name(f"{path.name}.part")
        with _answering(self.folder):
            try:
                self._fetch_once(service, image, part, chunk_size)
            except Damaged:
                # What was left may be of a disk that failed.
                self._fetch_once(service, image, part, chunk_size)
            part.rename(path)
            sync_folder(self.folder)

    def _fetch_once(self, service: ImageService, image: RemoteImage, part: Path, chunk_size: int) -> None:
        fetch(service, image.id, image.size or 0, part)
        try:
            verify_file(part, image, chunk_size)
        except Damaged:
            part.unlink()
            raise

    def _data(self, image_id: str) -> Path:
        return self.folder / f"{image_id}.img"


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Conflict(f"Another dump into {folder} is going on.") from None


@contextmanager
def _answering(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"folder {folder}", error.strerror or "it cannot be used") from None
