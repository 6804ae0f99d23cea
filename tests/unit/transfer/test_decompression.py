"""What comes out of compressed data, however it is cut into chunks; and what never does."""

import asyncio
import bz2
import gzip
import io
import lzma
import os
import tracemalloc
import zipfile
import zlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from itertools import pairwise
from typing import Any

import pytest
from backports import zstd
from hypothesis import given
from hypothesis import strategies as st

from glimpse.domain.errors import LimitExceeded, UnsupportedContent
from glimpse.transfer.decompression import Decompressor, decompressed
from glimpse.transfer.pieces import PIECE_BYTES
from glimpse.transfer.threads import Crew, Threads

MIB = 1024 * 1024
NOISE = os.urandom(3000)
DATA = b"".join([NOISE, b"\0" * 70_000, b"some words " * 500, NOISE])


class Pipe(io.RawIOBase):
    """A file that can only be written on: zip archives get their sums behind the data."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.written += data
        return len(data)


def zipped(
    data: bytes, *others: bytes, method: int = zipfile.ZIP_DEFLATED, large: bool = False, piped: bool = False
) -> bytes:
    target: Any = Pipe() if piped else io.BytesIO()
    with zipfile.ZipFile(target, "w", method) as archive:
        for number, content in enumerate([data, *others]):
            member = zipfile.ZipInfo(f"disk{number}.img")
            member.compress_type = method
            with archive.open(member, "w", force_zip64=large) as file:
                file.write(content)
        archive.comment = b"a comment"
    return bytes(target.written if piped else target.getvalue())


def stored(data: bytes) -> bytes:
    return zipped(data, method=zipfile.ZIP_STORED)


def piped(data: bytes) -> bytes:
    return zipped(data, piped=True)


def large(data: bytes) -> bytes:
    return zipped(data, large=True)


def large_and_piped(data: bytes) -> bytes:
    return zipped(data, large=True, piped=True)


def without_descriptor_signature(data: bytes) -> bytes:
    return zipped(data, piped=True).replace(b"PK\7\x08", b"")


def zstded(data: bytes) -> bytes:
    """As the program does it, with a sum."""
    return zstd.compress(data, options={zstd.CompressionParameter.checksum_flag: True})


def twice(compress: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    def both(data: bytes) -> bytes:
        half = len(data) // 2
        return compress(data[:half]) + compress(data[half:])

    return both


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "gzip, two members": twice(gzip.compress),
    "bzip2": bz2.compress,
    "bzip2, two streams": twice(bz2.compress),
    "xz": lzma.compress,
    "xz, two streams": twice(lzma.compress),
    "zstd": zstded,
    "zstd, two frames": twice(zstded),
    "zip": zipped,
    "zip, stored": stored,
    "zip, piped": piped,
    "zip, large": large,
    "zip, large and piped": large_and_piped,
    "zip, piped without signature": without_descriptor_signature,
}
every_format = pytest.mark.parametrize("name", FORMATS)


def run(data: bytes, cuts: Iterator[int] | None = None) -> Iterator[bytes]:
    decompressor = Decompressor()
    places = [0, *sorted(cuts or ()), len(data)]
    for begin, end in pairwise(places):
        yield from decompressor.feed(data[begin:end])
    yield from decompressor.finish()


def decompress(data: bytes, cuts: Iterator[int] | None = None) -> bytes:
    return b"".join(run(data, cuts))


@every_format
@given(data=st.binary(max_size=300) | st.sampled_from([b"", DATA]), random=st.randoms(use_true_random=False))
def test_what_went_in_comes_out(name: str, data: bytes, random: Any) -> None:
    packed = FORMATS[name](data)
    cuts = (random.randrange(len(packed) + 1) for _ in range(random.randrange(20)))
    assert decompress(packed, cuts) == data


@every_format
def test_byte_by_byte(name: str) -> None:
    packed = FORMATS[name](DATA)
    assert decompress(packed, iter(range(len(packed)))) == DATA


@given(st.binary(max_size=50), st.lists(st.integers(0, 50)))
def test_anything_else_passes(data: bytes, cuts: list[int]) -> None:
    assert decompress(b"QFI\xfb" + data, (cut for cut in cuts if cut < len(data))) == b"QFI\xfb" + data


@pytest.mark.parametrize("data", [b"", b"\x1f", b"\x1f\x8b", b"PK", b"\0" * MIB, NOISE, b"(\xb5/"])
def test_what_is_too_short_to_tell_passes(data: bytes) -> None:
    assert decompress(data) == data


@every_format
def test_compression_within_compression_stays(name: str) -> None:
    packed = gzip.compress(DATA)
    assert decompress(FORMATS[name](packed)) == packed


@every_format
def test_every_beginning_is_too_short(name: str) -> None:
    packed = FORMATS[name](NOISE[:200])
    first_stream = len(packed) if "two" not in name else len(FORMATS[name.split(",")[0]](NOISE[:100]))
    for length in range(6, len(packed)):
        if length != first_stream:
            with pytest.raises(UnsupportedContent, match=f"{name.split(',')[0]} data.* ends too early"):
                decompress(packed[:length])


@every_format
@given(data=st.data())
def test_damage_is_noticed_or_does_none(name: str, data: st.DataObject) -> None:
    packed = bytearray(FORMATS[name](NOISE[:200]))
    at = data.draw(st.integers(6, len(packed) - 1))
    packed[at] ^= data.draw(st.integers(1, 255))
    with suppress(UnsupportedContent):
        assert decompress(bytes(packed)) == NOISE[:200]


@pytest.mark.parametrize("name", ["gzip", "bzip2", "xz", "zstd", "zip"])
def test_damaged_data_is_refused(name: str) -> None:
    packed = bytearray(FORMATS[name](DATA))
    packed[len(packed) // 2 : len(packed) // 2 + 40] = b"x" * 40
    with pytest.raises(UnsupportedContent, match=f"The {name} data cannot be decompressed"):
        decompress(bytes(packed))


def test_tapes_end_with_zeros() -> None:
    packed = gzip.compress(DATA)
    assert decompress(packed + b"\0" * 100_000 + packed + b"\0") == DATA * 2


@every_format
def test_something_else_behind_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedContent, match=r"damaged|follows|early"):
        decompress(FORMATS[name](DATA) + b"something else that follows")


@pytest.mark.parametrize("options", [{}, {"method": 0}, {"piped": True}, {"large": True, "piped": True}])
def test_two_members_are_refused(options: Any) -> None:
    with pytest.raises(UnsupportedContent, match="more than one member"):
        decompress(zipped(DATA, DATA, **options))


def test_an_archive_of_nothing_is_refused() -> None:
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    with pytest.raises(UnsupportedContent, match="no member"):
        decompress(empty.getvalue())


def test_a_hidden_member_is_refused() -> None:
    """The directory lists one of two members, as readers of the end would believe."""
    both, one = zipped(NOISE, NOISE), zipped(NOISE)
    second = both.index(b"PK\3\4", 1)
    with pytest.raises(UnsupportedContent, match="more than one member"):
        decompress(both[: both.index(b"PK\1\2")] + one[one.index(b"PK\1\2") :])
    with pytest.raises(UnsupportedContent, match="more than one member"):
        decompress(both[:second] + both[both.index(b"PK\1\2") :])


def test_a_directory_of_another_member_is_refused() -> None:
    one, other = zipped(NOISE), zipped(DATA)
    with pytest.raises(UnsupportedContent, match="another member"):
        decompress(one[: one.index(b"PK\1\2")] + other[other.index(b"PK\1\2") :])


@pytest.mark.parametrize(
    ("at", "value", "reason"), [(6, 1, "encrypted"), (8, 12, "neither stored nor deflated"), (14, 1, "sum")]
)
def test_members_that_are_not_supported(at: int, value: int, reason: str) -> None:
    packed = bytearray(zipped(NOISE))
    packed[at] ^= value if at != 8 else packed[8] ^ value
    with pytest.raises(UnsupportedContent, match=reason):
        decompress(bytes(packed))


def test_a_stored_member_of_unknown_size_is_refused() -> None:
    with pytest.raises(UnsupportedContent, match="without its size"):
        decompress(zipped(NOISE, method=0, piped=True))


def bomb(size: int) -> bytes:
    deflate = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = [deflate.compress(b"\0" * MIB) for _ in range(size // MIB)]
    return b"".join([*packed, deflate.flush()])


@pytest.mark.parametrize(
    "pack", [bomb, lambda size: zstd.compress(b"\0" * size), lambda size: bz2.compress(b"\0" * size)]
)
def test_a_bomb_goes_off_slowly(pack: Callable[[int], bytes]) -> None:
    packed = pack(64 * MIB)
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in run(packed)]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(sizes) == 64 * MIB
    assert max(sizes) <= PIECE_BYTES
    assert peak < 16 * MIB


def test_a_bomb_is_inflated_only_as_far_as_it_is_taken() -> None:
    packed = bomb(256 * MIB)
    pieces = Decompressor().feed(packed)
    assert sum(len(next(pieces)) for _ in range(20)) <= 20 * PIECE_BYTES


def test_many_short_members_are_no_burden() -> None:
    packed = gzip.compress(b"x") * 40_000
    assert decompress(packed) == b"x" * 40_000


@pytest.fixture
def threads() -> Iterator[Threads]:
    with ThreadPoolExecutor(2) as data:
        yield Threads(Crew(2, "records"), data)


async def chunks_of(data: bytes, taken: list[int] | None = None) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 65536):
        if taken is not None:
            taken.append(at)
        yield data[at : at + 65536]
        await asyncio.sleep(0)


async def collected(threads: Threads, data: bytes) -> bytes:
    return b"".join([chunk async for chunk in decompressed(threads, chunks_of(data))])


@pytest.mark.parametrize(
    "data",
    [b"", b"x", b"\x1f\x8b", os.urandom(3 * MIB + 5), b"\0" * 2 * MIB],
    ids=lambda data: str(len(data)),
)
def test_streams(threads: Threads, data: bytes) -> None:
    assert asyncio.run(collected(threads, b"QFI\xfb" + data)) == b"QFI\xfb" + data
    assert asyncio.run(collected(threads, gzip.compress(data))) == data
    with pytest.raises(UnsupportedContent):
        asyncio.run(collected(threads, gzip.compress(data)[:-1]))


def test_a_meter_stops_a_bomb(threads: Threads) -> None:
    taken: list[int] = []

    async def metered() -> None:
        total = 0
        async with aclosing(decompressed(threads, chunks_of(bomb(32 * MIB) * 1000, taken))) as chunks:
            async for chunk in chunks:
                total += len(chunk)
                if total > 8 * MIB:
                    raise LimitExceeded("image_size_cap", 8 * MIB)

    with pytest.raises(LimitExceeded):
        asyncio.run(metered())
    assert len(taken) < 40
