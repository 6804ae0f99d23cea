"""A zip archive with one member, read in one pass from its beginning.

What tools look up in the directory at the end is here only compared: the member's own header leads. So the
end must say the same as the beginning, and that there was no other member.
"""

import struct
import zlib
from dataclasses import dataclass

from glimpse.transfer.pieces import PIECE_BYTES, Broken, Incoming, Inflate, Reader, read_stream

_MEMBER, _ENTRY, _END = b"PK\3\4", b"PK\1\2", b"PK\5\6"
_DESCRIPTOR, _END_64, _LOCATOR_64 = b"PK\7\x08", b"PK\6\6", b"PK\6\7"
# Signature, version, flags, method, time, date, CRC, packed size, size, lengths of name and extra fields.
_MEMBER_HEAD = struct.Struct("<4sHHHHHIIIHH")
# The same with two versions first; and behind it comment's length, disk, attributes (2), place.
_ENTRY_HEAD = struct.Struct("<4sHHHHHHIIIHHHHHII")
# Signature, disks (2), entries (2), size and place of the directory, comment's length.
_END_HEAD = struct.Struct("<4sHHHHIIH")
_ENCRYPTED, _SIZES_FOLLOW, _MASKED = 1 << 0, 1 << 3, 1 << 13
_STORED, _DEFLATED = 0, 8
_FULL = 0xFFFFFFFF
# The number of entries in 16 bits, and in 64.
_ALONE = ((1, None), (1, 1), (0xFFFF, 1))


@dataclass(frozen=True, slots=True)
class _Sums:
    crc: int
    packed: int
    size: int

    def descriptors(self) -> list[bytes]:
        """How they may be written behind a member: with a signature or without, in 32 bits or in 64."""
        shapes = ["<III", "<IQQ"] if max(self.packed, self.size) <= _FULL else ["<IQQ"]
        written = [struct.pack(shape, self.crc, self.packed, self.size) for shape in shapes]
        return [start + sums for start in (_DESCRIPTOR, b"") for sums in written]


@dataclass(frozen=True, slots=True)
class _Head:
    flags: int
    method: int
    told: _Sums


def unzip(incoming: Incoming) -> Reader[None]:
    """The pieces of the one member.

    :raises Broken: there is none, or more than one; it is encrypted or packed in a way that is not supported;
        it is damaged, or something else follows it.
    """
    head = yield from _read_head(incoming)
    start, crc, size = incoming.used, 0, 0
    if head.method == _STORED:
        body = _stored(incoming, head.told.size)
    else:
        body = read_stream(incoming, Inflate(-zlib.MAX_WBITS), zlib.error)
    for piece in body:
        crc, size = zlib.crc32(piece, crc), size + len(piece)
        yield piece
    found = _Sums(crc, incoming.used - start, size)
    if head.flags & _SIZES_FOLLOW:
        yield from _read_descriptor(incoming, found)
    elif found != head.told:
        raise Broken("its sum or size is wrong")
    yield from _read_directory(incoming, found)


def _read_head(incoming: Incoming) -> Reader[_Head]:
    signature = yield from incoming.peek(4)
    if signature == _END:
        raise Broken("it holds no member")
    _, _, flags, method, _, _, crc, packed, size, name, extra = _MEMBER_HEAD.unpack(
        (yield from incoming.exactly(_MEMBER_HEAD.size))
    )
    yield from incoming.exactly(name)
    fields = yield from incoming.exactly(extra)
    if flags & (_ENCRYPTED | _MASKED):
        raise Broken("its member is encrypted")
    if method not in (_STORED, _DEFLATED):
        raise Broken("its member is neither stored nor deflated")
    if method == _STORED and flags & _SIZES_FOLLOW:
        raise Broken("its member is stored without its size")
    if _FULL in (packed, size):
        size, packed = _long_sizes(fields, size, packed)
    if method == _STORED and packed != size:
        raise Broken("it is damaged")
    return _Head(flags, method, _Sums(crc, packed, size))


def _long_sizes(fields: bytes, size: int, packed: int) -> tuple[int, int]:
    """Size and packed size in 64 bits; as they are if the extra fields do not tell them."""
    while len(fields) >= 4:
        kind, length = struct.unpack_from("<HH", fields)
        if kind == 1 and length >= 16 and len(fields) >= 20:
            size, packed = struct.unpack_from("<QQ", fields, 4)
            break
        fields = fields[4 + length :]
    return size, packed


def _stored(incoming: Incoming, left: int) -> Reader[None]:
    while left:
        data = yield from incoming.more(min(left, PIECE_BYTES))
        if not data:
            raise Broken("it ends too early")
        left -= len(data)
        yield data


def _read_descriptor(incoming: Incoming, found: _Sums) -> Reader[None]:
    # The longest of them, and the signature behind it.
    tail = yield from incoming.peek(28)
    for written in found.descriptors():
        if tail.startswith((written + _ENTRY, written + _MEMBER)):
            yield from incoming.exactly(len(written))
            return
    raise Broken("it ends too early" if incoming.ended and len(tail) < 28 else "its sum or size is wrong")


def _read_directory(incoming: Incoming, found: _Sums) -> Reader[None]:
    """The rest of the archive, to its last byte: what is cut off is no archive."""
    if (yield from _read_entry(incoming)) != found.crc:
        raise Broken("its directory is of another member")
    total = None
    if (yield from incoming.peek(4)) == _END_64:
        total = yield from _read_end_64(incoming)
    signature, _, _, _, entries, _, _, comment = _END_HEAD.unpack(
        (yield from incoming.exactly(_END_HEAD.size))
    )
    if signature == _ENTRY or (signature == _END and (entries, total) not in _ALONE):
        raise Broken("it holds more than one member")
    if signature != _END:
        raise Broken("its directory is damaged")
    yield from incoming.exactly(comment)
    if (yield from incoming.more(1)):
        raise Broken("something else follows it")


def _read_end_64(incoming: Incoming) -> Reader[int]:
    """The end of the directory in 64 bits, and where it is. Returns the number of entries."""
    head = yield from incoming.exactly(40)
    length, total = struct.unpack_from("<Q", head, 4)[0], struct.unpack_from("<Q", head, 32)[0]
    yield from incoming.exactly(min(max(0, length - 28), PIECE_BYTES))
    if (yield from incoming.exactly(20))[:4] != _LOCATOR_64:
        raise Broken("its directory is damaged")
    return int(total)


def _read_entry(incoming: Incoming) -> Reader[int]:
    """The entry of the directory. Returns the sum that it tells."""
    signature = yield from incoming.peek(4)
    if signature == _MEMBER:
        raise Broken("it holds more than one member")
    head = _ENTRY_HEAD.unpack((yield from incoming.exactly(_ENTRY_HEAD.size)))
    if head[0] != _ENTRY:
        raise Broken("its directory is damaged")
    crc, name, extra, comment = head[7], head[10], head[11], head[12]
    yield from incoming.exactly(name + extra + comment)
    return int(crc)
