"""Stretches of zeros, which a file need not hold."""

from collections.abc import Iterator, Sequence

Buffer = bytes | memoryview

# Zeros become holes in steps of `_STRETCH` from the beginning of a chunk; what is shorter at the chunk's end
# becomes one if it may free a block of the filesystem at all.
_STRETCH = 64 * 1024
_SHORTEST_HOLE = 4 * 1024
_ZEROS = bytes(_STRETCH)


def data_and_holes(chunks: Sequence[bytes]) -> Iterator[list[Buffer] | int]:
    """Data to be written in one call, and lengths of zeros to be left out, in turn."""
    run: list[Buffer] = []
    for chunk in chunks:
        for piece in _pieces(chunk):
            if not isinstance(piece, int):
                run.append(piece)
                continue
            yield run
            yield piece
            run = []
    yield run


def _pieces(chunk: bytes) -> Iterator[Buffer | int]:
    """The chunk, itself if it has no long stretches of zeros; else cut at them, with their lengths."""
    begin = 0
    for at in range(0, len(chunk), _STRETCH):
        length = min(_STRETCH, len(chunk) - at)
        if _is_hole(chunk, at, length):
            if at > begin:
                yield memoryview(chunk)[begin:at]
            yield length
            begin = at + length
    if begin == 0:
        yield chunk
    elif begin < len(chunk):
        yield memoryview(chunk)[begin:]


def _is_hole(chunk: bytes, at: int, length: int) -> bool:
    # `startswith` compares in place and ends at the first difference: 16,384 calls for a GiB of data, 2 ms.
    if length == _STRETCH:
        return chunk.startswith(_ZEROS, at)
    return length >= _SHORTEST_HOLE and chunk[at] == 0 and chunk.startswith(_ZEROS[:length], at)
