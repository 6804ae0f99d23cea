"""Bytes out: range plan → store reader."""

import logging
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from glimpse.domain.errors import GlimpseError, Invalid, RangeNotSatisfiable, Unavailable
from glimpse.domain.image import Image, Location
from glimpse.stores.base import LocalFile, StoreObjectMissing
from glimpse.transfer.transfer import Stores, Transfer

LOG = logging.getLogger(__name__)

_RANGE = re.compile(r"bytes=(\d*)-(\d*)\Z", re.ASCII)
# What is read at once from a file.
_PIECE_BYTES = 1024 * 1024

_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Window:
    """`length` bytes from `offset`."""

    offset: int
    length: int


def plan_range(header: str, size: int) -> Window:
    """The window that a `Range` header asks for (RFC 9110 §14.2), clamped to the image's end.

    :raises Invalid: more than one range. :raises RangeNotSatisfiable: no range, or outside the image.
    """
    if "," in header:
        raise Invalid("Range", "only one range can be asked for")
    match = _RANGE.match(header.strip())
    if match is None or match.groups() == ("", ""):
        raise RangeNotSatisfiable(size, header)
    first, last = match.groups()
    if not first:
        length = min(_number(last), size)
        return _window(size - length, size - 1, size, header)
    return _window(_number(first), min(_number(last), size - 1) if last else size - 1, size, header)


def plan_content_range(header: str, size: int) -> Window:
    """The window of the request header `Content-Range`, an old habit of some clients.

    :raises RangeNotSatisfiable: no range, or outside the image.
    """
    match = _CONTENT_RANGE.match(header.strip())
    if match is None:
        raise RangeNotSatisfiable(size, header)
    first, last, total = match.groups()
    if total != "*" and _number(total) != size:
        raise RangeNotSatisfiable(size, header)
    return _window(_number(first), _number(last), size, header)


def _number(digits: str) -> int:
    # More digits than the size of any image has need not be read.
    return int(digits.lstrip("0")[:20] or "0")


def _window(first: int, last: int, size: int, header: str) -> Window:
    if not 0 <= first <= last < size:
        raise RangeNotSatisfiable(size, header)
    return Window(first, last - first + 1)


async def open_data(
    transfer: Transfer, image: Image, window: Window, prefer: Collection[str] = ()
) -> LocalFile | Iterator[bytes] | None:
    """The bytes of a window, from the first location that has them; None if no location has any.

    Locations in stores that are preferred come first, then those in stores of more weight. Chunks that end
    too early go on from the next location; what is wrong when none is left, the iterator raises.

    :raises Unavailable: at least one store that may have them does not answer.
    """
    return await transfer.threads.bulk(open_blocking, transfer.stores, image, window, prefer)


def open_blocking(
    stores: Stores, image: Image, window: Window, prefer: Collection[str] = ()
) -> LocalFile | Iterator[bytes] | None:
    """`open_data` for a thread."""
    left = iter(stores.ordered(image.locations, prefer))
    data = _open_next(stores, image, left, window)
    if data is None or isinstance(data, LocalFile):
        return data
    return _going_on(stores, image, left, window, data)


def _open_next(
    stores: Stores, image: Image, left: Iterator[Location], window: Window
) -> LocalFile | Iterator[bytes] | None:
    """A window of the first of these locations that has it; the iterator goes on behind it."""
    trouble: GlimpseError | None = None
    for location in left:
        try:
            return stores.holding(location).open_reader(location.url, window.offset, window.length)
        except StoreObjectMissing:
            LOG.error("image %s has no data in store %s", image.id, stores.holder(location))
        except Unavailable as error:
            LOG.warning("image %s cannot be read from a location: %s", image.id, error)
            trouble = error
    if trouble is not None:
        raise trouble
    return None


def _going_on(
    stores: Stores, image: Image, left: Iterator[Location], window: Window, chunks: Iterator[bytes]
) -> Iterator[bytes]:
    """The chunks, and where they break the rest from the locations that are left: all bytes, or an error."""
    at, end = window.offset, window.offset + window.length
    while True:
        trouble: GlimpseError = Unavailable("store", "the data ended too early")
        try:
            for chunk in chunks:
                at += len(chunk)
                yield chunk
        except (Unavailable, StoreObjectMissing) as error:
            trouble = error
        if at >= end:
            return
        LOG.warning("image %s breaks at byte %d: %s", image.id, at, trouble)
        data = _open_next(stores, image, left, Window(at, end - at))
        if data is None:
            raise trouble
        chunks = file_chunks(data) if isinstance(data, LocalFile) else data


def file_chunks(data: LocalFile) -> Iterator[bytes]:
    """What a file holds, piece by piece. :raises Unavailable: it cannot be read on."""
    try:
        with data.file as file:
            file.seek(data.offset)
            left = data.length
            while left and (chunk := file.read(min(left, _PIECE_BYTES))):
                left -= len(chunk)
                yield chunk
    except OSError as error:
        raise Unavailable("store", f"a file cannot be read ({type(error).__name__})") from error
