"""A disk image in one format made into one in another, by qemu-img.

qemu-img trusts what it reads: images may name other files, of which it makes a part of the result, or keep
it busy for ever. So the content is inspected by us, then by qemu-img under tight limits (CVE-2015-5162), and
only what stands for itself is converted (CVE-2022-47951, CVE-2024-32498).
"""

import re
import signal
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from glimpse.domain.errors import LimitExceeded, Unavailable, UnsupportedContent
from glimpse.transfer.confined import Ended, Limits, run_confined
from glimpse.transfer.inspection import Findings, Inspection, judge
from glimpse.transfer.threads import Threads, to_the_end

MIB = 1024 * 1024
GIB = 1024 * MIB
VMDK_TYPES = frozenset({"monolithicSparse", "streamOptimized"})

# What qemu-img calls the formats that it may read and write here.
READABLE = {
    "raw": "raw",
    "iso": "raw",
    "qcow2": "qcow2",
    "vmdk": "vmdk",
    "vhd": "vpc",
    "vhdx": "vhdx",
    "vdi": "vdi",
    "ploop": "parallels",
}
WRITABLE = frozenset({"raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi"})

_INFO = Limits(memory=GIB, cpu=2, file=0, wall=60.0)
_LONGEST_DOCUMENT = 4 * MIB
_PROGRESS = re.compile(rb"\((\d{1,3}(?:\.\d+)?)/100%\)")
_PATH = re.compile(r"'[^']*/[^']*'|(?<!\w)/\S+")
# What is read at once when the content is inspected.
_WINDOW = 8 * MIB


@dataclass(frozen=True, slots=True)
class Converted:
    """The result, in bytes: of the file, and of the disk in it."""

    size: int
    virtual_size: int


def _ignore(_: float) -> None:
    """Progress that nobody wants to know of."""


async def convert(
    threads: Threads,
    source: Path,
    source_format: str,
    target: Path,
    target_format: str,
    *,
    largest: int,
    findings: Findings | None = None,
    vmdk_types: Collection[str] = VMDK_TYPES,
    memory: int = 4 * GIB,
    progress: Callable[[float], None] = _ignore,
) -> Converted:
    """Make the file `target`, of at most `largest` bytes, from the file `source`, which nobody else changes.

    The formats are Glance's names. `findings` are those of all of the source's bytes, if they are known
    already; `vmdk_types` are the kinds of VMDK that are taken; `memory` is what qemu-img may use, in bytes.
    `progress` is told which part is done, from 0 to 1. Whatever is raised, no target and no program stays.

    :raises UnsupportedContent: a format that cannot be converted; content that is not of the source's format,
        unsafe, damaged, encrypted, or that names other files.
    :raises LimitExceeded: the result would be larger than `largest` (`image_size_cap`).
    :raises Unavailable: qemu-img is not installed, was killed, or found no room for the result.
    """
    if source_format not in READABLE or target_format not in WRITABLE:
        raise UnsupportedContent(f"Images cannot be converted from {source_format} to {target_format}.")
    _check_content(findings or await _inspect(threads, source), source_format)
    described = await _info(source, source_format)
    virtual_size = _check_info(described, source, source_format, vmdk_types)
    if target_format == "raw" and virtual_size > largest:
        raise LimitExceeded("image_size_cap", largest, virtual_size, "bytes")
    limits = Limits(memory, cpu=None, file=largest, wall=None)
    try:
        await _check(source, source_format, int(described.get("cluster-size", 1)), limits)
        await _convert(source, source_format, target, target_format, limits, progress)
        described = await _info(target, target_format)
        return Converted((await threads.bulk(target.stat)).st_size, int(described["virtual-size"]))
    except BaseException:
        await to_the_end(threads.bulk(target.unlink, missing_ok=True))
        raise


async def _inspect(threads: Threads, source: Path) -> Findings:
    inspection = Inspection()
    with await threads.bulk(source.open, "rb") as file:
        while chunk := await threads.bulk(file.read, _WINDOW):
            await threads.bulk(inspection.watch, [chunk])
    return inspection.findings()


def _check_content(findings: Findings, declared: str) -> None:
    """More strictly than uploads: what is called raw may be a disk with partitions, but nothing else."""
    judge(findings, declared)
    if declared == "raw" and (other := findings.formats.keys() - {"gpt"}):
        raise UnsupportedContent(
            f"The data looks like {' and '.join(sorted(other))}, but disk_format is raw."
        )


async def _info(image: Path, image_format: str) -> Mapping[str, Any]:
    """What qemu-img says of an image. :raises UnsupportedContent: it cannot read it, or not in time."""
    try:
        ended, described = await _ask("info", image, image_format, _INFO)
    except TimeoutError:
        ended, described = Ended(-signal.SIGXCPU, ""), {}
    if ended.status < 0:
        raise UnsupportedContent(f"The {image_format} image takes too much time or memory to read.")
    if ended.status > 0:
        raise UnsupportedContent(f"The {image_format} image cannot be read: {_reason(ended)}.")
    if "virtual-size" not in described:
        raise UnsupportedContent(f"The {image_format} image cannot be described.")
    return described


async def _ask(verb: str, image: Path, image_format: str, limits: Limits) -> tuple[Ended, Mapping[str, Any]]:
    """Let qemu-img look at an image. Returns how it ended, and the document that it printed, if any."""
    printed = bytearray()

    def keep(piece: bytes) -> None:
        printed.extend(piece)
        del printed[_LONGEST_DOCUMENT:]

    options = ["--output=json", "-f", READABLE[image_format], str(image.absolute())]
    ended = await run_confined(["qemu-img", verb, *options], limits, keep)
    try:
        document = orjson.loads(printed)
    except ValueError:
        document = None
    return ended, document if isinstance(document, dict) else {}


def _check_info(info: Mapping[str, Any], source: Path, declared: str, vmdk_types: Collection[str]) -> int:
    """Whether an image stands for itself. Returns the size of its disk."""
    special = info.get("format-specific", {}).get("data", {})
    reasons = {
        "is of another format": info.get("format") != READABLE[declared],
        "has a backing file": any("backing" in key for key in info),
        "has an external data file": "data-file" in special,
        "is encrypted": bool(info.get("encrypted") or special.get("encrypt")),
    }
    if declared == "vmdk":
        kind, extents = special.get("create-type"), special.get("extents", [])
        reasons[f"is of the type {kind}, which is not allowed"] = kind not in vmdk_types
        own = str(source.absolute())
        reasons["names other files"] = not extents or any(one.get("filename") != own for one in extents)
    for reason, holds in reasons.items():
        if holds:
            raise UnsupportedContent(f"The {declared} image {reason}.")
    return int(info["virtual-size"])


async def _check(source: Path, source_format: str, cluster_size: int, limits: Limits) -> None:
    """Whether an image is whole: what a file that was cut does not hold would be converted to zeros."""
    ended, found = await _ask("check", source, source_format, limits)
    if ended.status < 0:
        raise Unavailable("program qemu-img", f"it was ended by signal {-ended.status}")
    # The last cluster need not be there to its end.
    missing = int(found.get("image-end-offset", 0)) - source.stat().st_size
    # 3: space is wasted; 63: the format has no checks.
    if ended.status not in (0, 3, 63) or missing >= cluster_size:
        raise UnsupportedContent(f"The {source_format} image is damaged.")


async def _convert(
    source: Path,
    source_format: str,
    target: Path,
    target_format: str,
    limits: Limits,
    progress: Callable[[float], None],
) -> None:
    def heed(piece: bytes) -> None:
        if told := _PROGRESS.findall(piece):
            progress(min(1.0, float(told[-1]) / 100))

    formats = ["-f", READABLE[source_format], "-O", READABLE[target_format]]
    files = [str(source.absolute()), str(target.absolute())]
    ended = await run_confined(["qemu-img", "convert", "-p", *formats, *files], limits, heed)
    if ended.status == -signal.SIGXFSZ or "File too large" in ended.complaint:
        raise LimitExceeded("image_size_cap", limits.file, None, "bytes")
    if "No space left on device" in ended.complaint:
        raise Unavailable("space for conversions", "there is not enough of it")
    if ended.status < 0:
        raise Unavailable("program qemu-img", f"it was ended by signal {-ended.status}")
    if ended.status > 0:
        raise UnsupportedContent(f"The {source_format} image cannot be converted: {_reason(ended)}.")


def _reason(ended: Ended) -> str:
    """What a program complains of in the end, without the names of files."""
    lines = [line for line in ended.complaint.splitlines() if line.strip()] or [f"status {ended.status}"]
    return _PATH.sub("the image", lines[-1].removeprefix("qemu-img: ")).rstrip(".")
