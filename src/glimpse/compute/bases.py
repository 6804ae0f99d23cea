"""Base images: the images that this host has fetched, whose data instances read and never write.

`images/KEY/data` is the data, `image.json` says what it is; it exists once the data is whole, right and
durable. While it is fetched it is `incoming`. The lock of the folder lets one process fetch while others
wait, and nobody remove what an instance is being made of.
"""

import hashlib
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from glimpse.compute.checks import Damaged, read_through, virtual_size
from glimpse.compute.folders import folders, locked, read_document, remove, write_document
from glimpse.compute.images import RemoteImage
from glimpse.compute.signatures import Seal
from glimpse.domain.errors import Conflict, GlimpseError, NotFound
from glimpse.stores.folders import sync_folder

LOG = logging.getLogger(__name__)

Fetch = Callable[[Path], None]


@dataclass(frozen=True, slots=True)
class Base:
    """An image on this host.

    `virtual_size` is that of its disk in bytes. `stamp` is by what a change of the file is noticed, None once
    it is known to be damaged. `seal` is the fingerprint of the signature that was verified.
    """

    folder: Path
    image: RemoteImage
    virtual_size: int
    stamp: tuple[int, int, int] | None
    seal: str | None = None

    @property
    def key(self) -> str:
        """What instances remember it by."""
        return self.folder.name

    @property
    def data(self) -> Path:
        """The file."""
        return self.folder / "data"


class Bases:
    """The base images of this host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def all(self) -> list[Base]:
        """Those that have been fetched."""
        return [base for one in folders(self._folder) if (base := _read(one)) is not None]

    @contextmanager
    def held(self, image: RemoteImage, fetch: Fetch, seal: Seal | None) -> Iterator[Base]:
        """The base for an image, which nobody removes during the block.

        `fetch` is called if it is not here; if others want the same image, they wait and fetch nothing. With
        a `seal` its signature has been verified.

        :raises UnsupportedContent: the data is not that of the image, or not safe.
        :raises SignatureInvalid: it is not this data that was signed. :raises GlimpseError: by `fetch`.
        """
        folder = self._folder / _key(image)
        while True:
            with locked(folder, shared=True):
                base = _usable(folder, seal)
                if base is not None:
                    yield base
                    return
            with locked(folder):
                if _usable(folder, seal) is None:
                    _provide(folder, image, fetch, seal)

    def checked(self, key: str, *, thoroughly: bool = False) -> Base:
        """The base that is known by `key`. It is read again if its file has changed, or `thoroughly`.

        :raises NotFound: it is not here. :raises Damaged: its data is not that of the image any more.
        """
        folder = self._folder / key
        base = _read(folder)
        if base is None:
            raise NotFound("base image", key)
        if thoroughly or base.stamp is None or base.stamp != _stamp(base.data):
            with locked(folder):
                return _reread(base)
        return base

    def find(self, name: str) -> list[Base]:
        """Those whose key, or image's id or name, is `name`. :raises NotFound: none is."""
        found = [one for one in self.all() if name in (one.key, one.image.id, one.image.name)]
        if not found:
            raise NotFound("base image", name)
        return found

    def remove(self, key: str, in_use: Callable[[str], bool]) -> None:
        """Remove a base. :raises Conflict: it is `in_use`, or an instance is being made of it."""
        folder = self._folder / key
        with locked(folder, wait=False):
            if in_use(key):
                raise Conflict(f"Instances were launched from the base image {key}: delete them first.")
            remove(folder)


def _key(image: RemoteImage) -> str:
    # Two services may give one id to different images.
    return f"{image.id}-{hashlib.sha256(repr(image.digest).encode()).hexdigest()[:12]}"


def _usable(folder: Path, seal: Seal | None) -> Base | None:
    base = _read(folder)
    if base is None or base.stamp is None or base.stamp != _stamp(base.data):
        return None
    return base if seal is None or base.seal == seal.fingerprint else None


def _provide(folder: Path, image: RemoteImage, fetch: Fetch, seal: Seal | None) -> None:
    data, incoming = folder / "data", folder / "incoming"
    if data.exists():
        try:
            return _admit(data, image, seal)
        except Damaged as error:
            LOG.warning("the base image %s is damaged, and fetched again: %s", folder.name, error)
    begun_before = incoming.exists()
    fetch(incoming)
    try:
        _admit(incoming, image, seal)
    except Damaged:
        incoming.unlink()
        if not begun_before:
            raise
        # What an earlier process left may not have reached the disk.
        fetch(incoming)
        _admit(incoming, image, seal)
    except GlimpseError:
        incoming.unlink()
        raise


def _admit(file: Path, image: RemoteImage, seal: Seal | None) -> None:
    """Make a file the data of its folder, if it is what it should be."""
    digest = () if image.digest is None else (image.digest[0],)
    reading = read_through(file, {*digest, *(() if seal is None else (seal.verifier.algorithm,))})
    disk = virtual_size(image, reading)
    if seal is not None:
        seal.verifier.check(reading.digests[seal.verifier.algorithm])
        LOG.info("the signature of image %s (%s) is verified: %s", image.id, image.name, seal)
    file.chmod(0o400)
    data = file.rename(file.with_name("data"))
    sync_folder(data.parent)
    _write(Base(data.parent, image, disk, _stamp(data), None if seal is None else seal.fingerprint))


def _reread(base: Base) -> Base:
    digest = base.image.digest
    try:
        virtual_size(base.image, read_through(base.data, () if digest is None else (digest[0],)))
    except (Damaged, FileNotFoundError) as error:
        _write(replace(base, stamp=None))
        LOG.error("the base image %s is damaged: %s", base.key, error)
        raise Damaged(
            f"The base image {base.key} is damaged: fetch the image {base.image.id} again."
        ) from None
    good = replace(base, stamp=_stamp(base.data))
    _write(good)
    return good


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


def _write(base: Base) -> None:
    document = asdict(base)
    del document["folder"]
    write_document(base.folder / "image.json", document)


def _read(folder: Path) -> Base | None:
    document = read_document(folder / "image.json")
    if document is None:
        return None
    stamp = document["stamp"] and tuple(document["stamp"])
    return Base(**{**document, "folder": folder, "image": RemoteImage(**document["image"]), "stamp": stamp})
