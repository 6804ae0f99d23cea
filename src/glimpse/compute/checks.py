"""Whether a file is the image that its service describes."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from glimpse.compute.images import RemoteImage
from glimpse.domain.errors import UnsupportedContent
from glimpse.transfer.inspection import Findings, Inspection, judge

_CHUNK = 1024 * 1024


@dataclass(eq=False)
class Damaged(UnsupportedContent):
    """The data is not that of the image."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a file was found to be: its digests by hashlib's names, and its formats."""

    digests: Mapping[str, bytes]
    findings: Findings


def read_through(path: Path, algorithms: Collection[str]) -> Reading:
    """Read a file once. :raises UnsupportedContent: there is no such digest here."""
    try:
        digests = {name: hashlib.new(name, usedforsecurity=False) for name in algorithms}
    except ValueError:
        raise UnsupportedContent(
            f"This host does not know all of the digests {', '.join(algorithms)}."
        ) from None
    inspection = Inspection()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            inspection.watch([chunk])
            for digest in digests.values():
                digest.update(chunk)
    return Reading({name: digest.digest() for name, digest in digests.items()}, inspection.findings())


def virtual_size(image: RemoteImage, reading: Reading) -> int:
    """The size of an image's disk in bytes, if the data that was read is that of the image and safe to open.

    :raises Damaged: its size or its digest is another.
    :raises UnsupportedContent: it is not of the image's format, or would have the host read other files.
    """
    size = reading.findings.size
    if size != image.size:
        raise Damaged(f"The data of image {image.id} has {size} bytes, not {image.size}.")
    if image.digest is not None:
        algorithm, expected = image.digest
        found = reading.digests[algorithm].hex()
        if found != expected.lower():
            raise Damaged(f"The {algorithm} of the data of image {image.id} is {found}, not {expected}.")
    disk = judge(reading.findings, image.disk_format or "")
    if disk is None:
        raise UnsupportedContent(f"How large the disk of image {image.id} is cannot be told.")
    return disk
