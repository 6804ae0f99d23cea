"""The data of an image on its way to another service, whose end is given out when all has proved right."""

import hashlib
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from glimpse.compute.checks import Damaged
from glimpse.compute.images import ImageService, RemoteImage
from glimpse.domain.errors import Unavailable

# So many times in a row a read may bring nothing; the waits between are 0.5, 1, 2 and 4 s.
_TRIES = 5
_WAIT = 0.5


class Verified:
    """The data of an image as the body of an upload, of which the length is known before.

    The last chunk waits until the size and the digests of all are those of the image: whoever reads it gets
    the whole of the right data, or less than was announced and an error. It can be read once.
    """

    def __init__(self, image: RemoteImage, chunks: Iterable[bytes]) -> None:
        self._image = image
        self._chunks: Iterable[bytes] | None = chunks

    def __len__(self) -> int:
        return self._image.size or 0

    def __iter__(self) -> Iterator[bytes]:
        """:raises Damaged: the data is another. :raises Unavailable: it was read before."""
        chunks, self._chunks = self._chunks, None
        if chunks is None:
            raise Unavailable("image service", "it wants the data twice")
        digests = {name: (_digest(name), expected.lower()) for name, expected in _known(self._image)}
        held, size = b"", 0
        for chunk in filter(None, chunks):
            size += len(chunk)
            if size > len(self):
                break
            if held:
                yield held
            for digest, _ in digests.values():
                digest.update(chunk)
            held = chunk
        if size != len(self):
            relation = "more than" if size > len(self) else f"only {size} of"
            raise Damaged(f"The data of image {self._image.id} has {relation} {len(self)} bytes.")
        for name, (digest, expected) in digests.items():
            if digest.hexdigest() != expected:
                raise Damaged(f"The {name} of the data of image {self._image.id} is not {expected}.")
        if held:
            yield held


def _known(image: RemoteImage) -> Iterator[tuple[str, str]]:
    """The digests that the data must have, of the kinds that can be made here."""
    name, value = image.os_hash_algo or "", image.os_hash_value
    # Some that hashlib knows have no length of their own.
    if value and name in hashlib.algorithms_available and _digest(name).digest_size:
        yield name, value
    if image.checksum:
        yield "md5", image.checksum


def _digest(name: str) -> "hashlib._Hash":
    return hashlib.new(name, usedforsecurity=False)


def verify_file(path: Path, image: RemoteImage, chunk_size: int) -> None:
    """Read a file through. :raises Damaged: it is not the data of the image."""
    for _ in Verified(image, file_chunks(path, chunk_size)):
        pass


def file_chunks(path: Path, chunk_size: int) -> Iterator[bytes]:
    """All of a file. :raises Unavailable: it cannot be read."""
    try:
        with path.open("rb") as file:
            while chunk := file.read(chunk_size):
                yield chunk
    except OSError as error:
        raise Unavailable(f"file {path}", error.strerror or "it cannot be read") from None


def service_chunks(service: ImageService, image: RemoteImage) -> Iterator[bytes]:
    """All data of an image. A read that breaks goes on where it broke.

    :raises Unavailable: the service does not send it. :raises GlimpseError: it refuses.
    """
    at, tries, size = 0, 0, image.size or 0
    while at < size:
        start = at
        try:
            with service.read(image.id, at, size - 1) as body:
                # A service without ranges begins at the beginning.
                before = 0 if body.partial else at
                for chunk in body.chunks:
                    rest = chunk[before:]
                    before -= len(chunk) - len(rest)
                    if rest:
                        at += len(rest)
                        yield rest
            if at < size:
                raise Unavailable("image service", f"the data ends {size - at} bytes too early")
        except Unavailable:
            tries = 0 if at > start else tries + 1
            if tries == _TRIES:
                raise
            time.sleep(_WAIT * 2 ** max(0, tries - 1))
