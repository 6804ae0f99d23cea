"""From image to running instance, and its end."""

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from glimpse.compute.bases import Base
from glimpse.compute.disks import DRIVERS, GIB, make_clone, make_empty, volume_of
from glimpse.compute.fetch import fetch
from glimpse.compute.flavors import Flavor
from glimpse.compute.folders import in_the_making, locked, remove, write_document
from glimpse.compute.images import ImageService, RemoteImage
from glimpse.compute.instances import RECORD, Host, Instance
from glimpse.compute.machine import start, stop
from glimpse.compute.signatures import Signatures
from glimpse.domain.errors import Conflict, GlimpseError, Invalid, UnsupportedContent

LOG = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where images come from, and what they must be signed by (None: signatures are not verified)."""

    service: ImageService
    signatures: Signatures | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be launched. :raises Invalid: the name will not do."""

    name: str
    flavor: Flavor
    volume: str | None = None

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Invalid("name", "an instance's has letters, digits, '.', '_' and '-' alone, 63 at most")


def launch(host: Host, source: Source, image_name: str, order: Order, accelerator: str) -> Instance:
    """Make an instance of the image of a name or id, and start it. Whatever is raised: nothing of it stays.

    :raises NotFound: there is no such image. :raises Conflict: it is not active, or the flavor is too small.
    :raises UnsupportedContent: its data is not that of the image, or not safe, or no disk that can be booted.
    :raises SignatureInvalid: the signature is not verified. :raises Invalid: the volume will not do.
    :raises Unavailable: a service, a program or the disk does not do its part.
    """
    volume = None if order.volume is None else volume_of(order.volume)
    image = source.service.find(image_name)
    with provided(host, source, image) as base:
        folder = host.instances_folder / str(uuid.uuid4())
        instance = Instance(
            folder=folder,
            name=order.name,
            created_at=datetime.now(UTC).isoformat(timespec="microseconds"),
            flavor=order.flavor,
            image=image,
            base=base.key,
            root_size=_root_size(base, order.flavor),
            volume=volume,
        )
        with in_the_making(folder) as hidden:
            make_clone(
                hidden / instance.root.name, base.data, base.image.disk_format or "", instance.root_size
            )
            if instance.ephemeral is not None:
                make_empty(hidden / instance.ephemeral.name, order.flavor.ephemeral * GIB)
            write_document(hidden / RECORD, instance.to_document())
    _start_first(instance, base, accelerator)
    return instance


@contextmanager
def provided(host: Host, source: Source, image: RemoteImage) -> Iterator[Base]:
    """The data of an image, verified, on this host for the length of the block. Errors are those of `launch`.

    What is raised is logged too.
    """
    try:
        _check(image)
        seal = None if source.signatures is None else source.signatures.seal(image)
        size = image.size or 0
        with host.bases.held(image, lambda path: fetch(source.service, image.id, size, path), seal) as base:
            yield base
    except GlimpseError as error:
        LOG.error("image %s (%s) is not used: %s", image.id, image.name, error)
        raise


def start_again(host: Host, instance: Instance, accelerator: str) -> None:
    """Start an instance that has stopped. Call it with the instance locked.

    :raises Conflict: it runs. :raises UnsupportedContent: its base image was damaged.
    :raises Unavailable: it does not start; says why.
    """
    start(instance, host.bases.checked(instance.base), accelerator)


def delete(instance: Instance) -> None:
    """End an instance, and delete what is its own; not its volume. Call it with the instance locked.

    :raises Unavailable: its process does not end.
    """
    stop(instance, 0)
    remove(instance.folder)
    LOG.info("instance %s (%s) is deleted", instance.id, instance.name)


def _check(image: RemoteImage) -> None:
    if image.status != "active":
        raise Conflict(f"The image {image.id} is {image.status}, not active.")
    if image.container_format != "bare" or image.disk_format not in DRIVERS:
        raise UnsupportedContent(
            f"The image {image.id} is {image.disk_format} in {image.container_format};"
            f" what can be booted is bare {', '.join(DRIVERS)}."
        )
    if not image.size:
        raise UnsupportedContent(f"The image {image.id} has no data, or its size is unknown.")


def _root_size(base: Base, flavor: Flavor) -> int:
    """In bytes. :raises Conflict: the flavor is too small."""
    image = base.image
    if flavor.ram < image.min_ram:
        raise Conflict(f"The image needs {image.min_ram} MiB of memory, the flavor has ram {flavor.ram}.")
    if not flavor.disk:
        return base.virtual_size
    if flavor.disk < image.min_disk or flavor.disk * GIB < base.virtual_size:
        needed = max(image.min_disk, -(-base.virtual_size // GIB))
        raise Conflict(f"The image needs a root disk of {needed} GiB, the flavor has disk {flavor.disk}.")
    return flavor.disk * GIB


def _start_first(instance: Instance, base: Base, accelerator: str) -> None:
    with locked(instance.folder):
        try:
            start(instance, base, accelerator)
        except BaseException:
            delete(instance)
            raise
    LOG.info("instance %s (%s) of image %s is running", instance.id, instance.name, base.image.id)
