"""The disks of an instance: how they are made, and as what QEMU opens them."""

import json
import os
from pathlib import Path
from urllib.parse import urlsplit

from glimpse.compute.programs import IMG, run
from glimpse.domain.errors import Invalid

Node = dict[str, object]

GIB = 1024**3
# The formats that a root disk may be a clone of, by the names of the Image API, with QEMU's.
DRIVERS = {"raw": "raw", "qcow2": "qcow2", "vdi": "vdi", "vhd": "vpc", "vhdx": "vhdx", "vmdk": "vmdk"}
_ISCSI_PORT = 3260
_ISCSI = "iscsi://HOST[:PORT]/TARGET/LUN is expected"


def make_clone(path: Path, base: Path, disk_format: str, size: int) -> None:
    """Make a copy-on-write clone of `size` bytes. :raises Unavailable: qemu-img does not do it."""
    driver = DRIVERS[disk_format]
    run([IMG, "create", "-q", "-f", "qcow2", "-b", str(base), "-F", driver, str(path), str(size)])
    _sync(path)


def make_empty(path: Path, size: int) -> None:
    """Make a disk of `size` bytes that is one hole."""
    with path.open("xb") as file:
        file.truncate(size)
        os.fsync(file.fileno())


def clone_node(path: Path, base: Path, disk_format: str) -> Node:
    """A clone. What it is a clone of is said here, and not left to what headers say."""
    backing: Node = {"driver": DRIVERS[disk_format], "read-only": True, "file": _file(base)}
    if disk_format == "qcow2":
        backing["backing"] = None
    file: Node = {**_file(path), "discard": "unmap"}
    return {"driver": "qcow2", "discard": "unmap", "file": file, "backing": backing}


def raw_node(path: Path) -> Node:
    """A file or a device as a raw disk: what a guest writes into it is never taken for a format."""
    return {"driver": "raw", "discard": "unmap", "file": {**_file(path), "discard": "unmap"}}


def volume_node(volume: str) -> Node:
    """What `volume_of` has found good."""
    if "://" not in volume:
        return raw_node(Path(volume))
    url = urlsplit(volume)
    target, unit = url.path.removeprefix("/").split("/")
    host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
    portal = f"{host}:{url.port or _ISCSI_PORT}"
    iscsi: Node = {
        "driver": "iscsi",
        "transport": "tcp",
        "portal": portal,
        "target": target,
        "lun": int(unit),
    }
    return {"driver": "raw", "file": iscsi}


def volume_of(text: str) -> str:
    """A persistent volume: the absolute path of a raw file or a device, or `iscsi://HOST[:PORT]/TARGET/LUN`.

    :raises Invalid: it is neither.
    """
    if "://" not in text:
        path = Path(text).absolute()
        if not (path.is_file() or path.is_block_device()):
            raise Invalid("volume", f"{text}: there is no such file")
        return str(path)
    try:
        url = urlsplit(text)
        place = url.scheme, bool(url.hostname), url.port != 0
        target, unit = url.path.removeprefix("/").split("/")
    except ValueError:
        raise Invalid("volume", _ISCSI) from None
    if "@" in url.netloc:
        raise Invalid("volume", "names and passwords do not belong into a URL")
    if place != ("iscsi", True, True) or not target or not unit.isdecimal() or url.query or url.fragment:
        raise Invalid("volume", _ISCSI)
    return text


def copy(node: Node, path: Path) -> None:
    """Copy a disk that nobody writes to into a qcow2 file of its own. :raises Unavailable: it fails."""
    run([IMG, "convert", "-O", "qcow2", f"json:{json.dumps(node)}", str(path)], seconds=None)


def make_target(path: Path, size: int) -> None:
    """Make an empty qcow2 disk. :raises Unavailable: qemu-img does not do it."""
    run([IMG, "create", "-q", "-f", "qcow2", str(path), str(size)])


def _file(path: Path) -> Node:
    return {"driver": "host_device" if path.is_block_device() else "file", "filename": str(path)}


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
