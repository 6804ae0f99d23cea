"""The inspection gate: what the bytes are, against what they are said to be.

The recognisers are those of oslo.utils, which Nova and Cinder share. What is decided from their answers is
the table of "Content inspection" in the description of the Image API; unlike upstream, an unsafe image is
refused even where mismatches are tolerated.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from oslo_utils.imageutils.format_inspector import (
    ALL_FORMATS,
    FileInspector,
    ImageFormatError,
    SafetyCheckFailed,
)

from glimpse.domain.errors import UnsupportedContent

LOG = logging.getLogger(__name__)

INSPECTABLE = frozenset(ALL_FORMATS)

# Recognisers learn from one part of the data where the next is, and miss it if it comes in the same chunk.
_BITE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Findings:
    """What some data was found to be: nothing that depends on what it is declared as.

    `formats` are those that matched, with the size of each one's disk in bytes (None: it cannot be told);
    `size` counts the bytes seen; `unsafe` says why the data must be refused, None if it need not be.
    """

    formats: Mapping[str, int | None]
    size: int
    unsafe: str | None = None

    def to_document(self) -> dict[str, object]:
        """As values that JSON knows."""
        return {"formats": dict(self.formats), "size": self.size, "unsafe": self.unsafe}

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Findings":
        """The inverse of `to_document`. :raises KeyError: a value is missing."""
        return cls(document["formats"], document["size"], document["unsafe"])


class Inspection:
    """Watches the chunks of one image go by, in order."""

    def __init__(self) -> None:
        self._candidates: list[FileInspector] = [
            inspector() for name, inspector in ALL_FORMATS.items() if name != "raw"
        ]
        self._size = 0

    def watch(self, chunks: Sequence[bytes]) -> None:
        """Look at the next chunks. Formats that can no longer match are dropped on the way."""
        for chunk in chunks:
            self._size += len(chunk)
            for at in range(0, len(chunk), _BITE):
                if not self._candidates:
                    break
                bite = chunk[at : at + _BITE]
                self._candidates = [c for c in self._candidates if _still_possible(c, bite)]

    def findings(self) -> Findings:
        """After the last chunk: what the data is."""
        found = {candidate.NAME: candidate for candidate in self._candidates if _matches(candidate)}
        # A bootable CD image carries a partition table too, rightly, and one unlike a disk's.
        if found.keys() == {"iso", "gpt"}:
            del found["gpt"]
        sizes = {name: _virtual_size(candidate) for name, candidate in found.items()}
        unsafe = next((reason for one in found.values() if (reason := _failed_check(one))), None)
        return Findings(sizes, self._size, unsafe)

    def verdict(self, declared: str, *, require_match: bool = True) -> int | None:
        """After the last chunk: what `judge` says about the findings."""
        return judge(self.findings(), declared, require_match=require_match)


def judge(findings: Findings, declared: str, *, require_match: bool = True) -> int | None:
    """The disk's size in bytes if the data is said to be of the format `declared`; None if it cannot be told.

    :raises UnsupportedContent: the content is unsafe, or (with `require_match`) not of this format.
    """
    # All that matched must be safe, whatever the data is declared to be.
    if findings.unsafe is not None:
        raise UnsupportedContent(findings.unsafe)
    found = findings.formats
    if len(found) == 1 and declared in found:
        return found[declared]
    if declared == "raw" and len(found) < 2:
        return findings.size
    # What no recogniser exists for cannot be contradicted by finding nothing.
    if found or declared in INSPECTABLE:
        _mismatch(declared, set(found) or {"raw"}, require_match)
    return None


def _mismatch(declared: str, names: set[str], require_match: bool) -> None:
    found = " and ".join(sorted(names))
    if require_match:
        raise UnsupportedContent(f"The data looks like {found}, but disk_format is {declared}.")
    LOG.warning("data declared as %s looks like %s", declared, found)


def _still_possible(inspector: FileInspector, chunk: bytes) -> bool:
    try:
        inspector.eat_chunk(chunk)
        return bool(inspector.format_match or not inspector.complete)
    except Exception as error:  # a recogniser that fails on foreign data has said no
        LOG.debug("no %s: %s", inspector.NAME, error)
        return False


def _matches(inspector: FileInspector) -> bool:
    try:
        inspector.finish()
        return bool(inspector.format_match)
    except Exception as error:
        LOG.debug("no %s: %s", inspector.NAME, error)
        return False


def _failed_check(inspector: FileInspector) -> str | None:
    try:
        inspector.safety_check()
    except SafetyCheckFailed as error:
        LOG.warning("unsafe %s image found: %s", inspector.NAME, error)
        failed = ", ".join(sorted(error.failures))
        return f"The {inspector.NAME} image failed safety checks: {failed}."
    except ImageFormatError:
        return f"The {inspector.NAME} image ends before its header does."
    return None


def _virtual_size(inspector: FileInspector) -> int | None:
    try:
        return int(inspector.virtual_size)
    except Exception as error:  # a damaged header must not fail an upload that matched
        LOG.debug("no virtual size in %s: %s", inspector.NAME, error)
        return None
