"""The wire protocol of Sheepdog's daemon, version 2: a header of 48 bytes each way, little-endian, then data.

A virtual disk (VDI) has a name, and a number `vid`. Its inode, an object of its own, holds its size, a tag,
and a table that says for each piece of the disk (4 MiB, unless the cluster was formatted otherwise) which
disk's object holds it; 0: none, it is zeros. Writing another number, or 0, over an entry lets go of the
object that it led to.
"""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum

NAME_BYTES = 256
MOST_PIECES = 2**20

_VERSION = 2
_CARRIES_DATA = 1
# Seconds to connect, and for every answer.
_CONNECT_DEADLINE = 5.0
_ANSWER_DEADLINE = 60.0

_REQUEST = struct.Struct("<BBHIII32s")
# oid, cow_oid, copies, copy_policy, ec_index, -, tgt_epoch, offset, -
_OF_OBJECT = struct.Struct("<QQBBBBIII")
# size, base vid, copies, copy_policy, store_policy, block shift, snapid, lock type; 0: as the cluster has it
_OF_VDI = struct.Struct("<QIBBBBII")
_RESPONSE = struct.Struct("<BBHIIIIII20s")

# name, tag, ctime, snap_ctime, vm_clock, size, vm_state_size, policies, block shift, snapid, vid, parent
_INODE = struct.Struct("<256s256sQQQQQ3sBIII")
_TAG_AT = 256
_TAG_TO_SIZE = struct.Struct("<256sQQQQ")
_TABLE_AT = 4664
_ENTRY_BYTES = 4
# So many entries are emptied in one call: the daemon may remove their objects before it answers.
_EMPTIED_AT_ONCE = 128


class Operation(IntEnum):
    """What the daemon is asked for."""

    CREATE_OBJECT = 0x01
    READ_OBJECT = 0x02
    WRITE_OBJECT = 0x03
    REMOVE_OBJECT = 0x04
    NEW_VDI = 0x11
    FIND_VDI = 0x14
    DELETE_VDI = 0x17


class Result(IntEnum):
    """What the daemon answers, as far as we tell it apart."""

    SUCCESS = 0x00
    NO_OBJECT = 0x02
    VDI_EXISTS = 0x04
    NO_VDI = 0x08
    NO_MORE_VDIS = 0x13
    NO_SPACE = 0x15
    WAIT_FOR_FORMAT = 0x16
    WAIT_FOR_JOIN = 0x17
    HALT = 0x19
    READ_ONLY = 0x1A


class SheepError(Exception):
    """The daemon refuses; `result` may be a number that `Result` does not know."""

    def __init__(self, result: int) -> None:
        super().__init__(f"result {result:#x}")
        self.result = result


@dataclass(frozen=True, slots=True)
class Inode:
    """What we read of a disk's inode before its table."""

    vid: int
    name: bytes
    tag: bytes
    times: tuple[int, int, int]
    size: int
    piece: int


class Sheep:
    """A client of one daemon. Connections are made when they are needed, and kept.

    All methods raise SheepError when the daemon refuses, and OSError when it does not answer.
    """

    def __init__(self, address: str, port: int) -> None:
        self._place = (address, port)
        self._lock = threading.Lock()
        self._idle: list[socket.socket] = []

    def create_vdi(self, name: bytes) -> int:
        """A new disk of size 0; its vid. Refused with VDI_EXISTS when there is one of that name."""
        return self._ask(Operation.NEW_VDI, _OF_VDI.pack(0, 0, 0, 0, 0, 0, 0, 0), _padded(name))[0]

    def find_vdi(self, name: bytes) -> int | None:
        """The vid of the disk of that name, as it is now, not one of its snapshots."""
        try:
            return self._ask(Operation.FIND_VDI, bytes(32), _padded(name) + bytes(NAME_BYTES))[0]
        except SheepError as error:
            if error.result != Result.NO_VDI:
                raise
            return None

    def delete_vdi(self, name: bytes, tag: bytes = b"") -> None:
        """Remove the disk of that name, or its snapshot of that tag.

        Nothing happens if there is none, or if its table is not empty.
        """
        with suppress_result(Result.NO_VDI):
            self._ask(Operation.DELETE_VDI, bytes(32), _padded(name) + _padded(tag))

    def read_inode(self, vid: int) -> Inode:
        """The inode of a disk, which says itself whose it is."""
        data = self._read(_inode_oid(vid), 0, _INODE.size)
        name, tag, created, snapped, clock, size, _, _, shift, _, own, _ = _INODE.unpack(data)
        return Inode(own, _text(name), _text(tag), (created, snapped, clock), size, 1 << shift)

    def write_tag(self, inode: Inode, tag: bytes) -> None:
        """Give a disk another tag."""
        self._write(_inode_oid(inode.vid), _TAG_AT, _padded(tag))

    def write_tag_and_size(self, inode: Inode, tag: bytes, size: int) -> None:
        """Give a disk another tag and another size, in one write."""
        self._write(_inode_oid(inode.vid), _TAG_AT, _TAG_TO_SIZE.pack(tag, *inode.times, size))

    def read_table(self, vid: int, first: int, count: int) -> tuple[int, ...]:
        """Entries of the table in a row."""
        data = self._read(_inode_oid(vid), _TABLE_AT + first * _ENTRY_BYTES, count * _ENTRY_BYTES)
        return struct.unpack(f"<{count}I", data)

    def write_table(self, vid: int, first: int, entries: list[int]) -> None:
        """Set entries of the table in a row."""
        data = struct.pack(f"<{len(entries)}I", *entries)
        self._write(_inode_oid(vid), _TABLE_AT + first * _ENTRY_BYTES, data)

    def empty_table(self, vid: int) -> None:
        """Set all entries to 0, which removes the objects that nothing else needs."""
        table = self._read(_inode_oid(vid), _TABLE_AT, MOST_PIECES * _ENTRY_BYTES)
        empty = bytes(_EMPTIED_AT_ONCE * _ENTRY_BYTES)
        for at in range(0, len(table), len(empty)):
            if not table.startswith(empty, at):
                self._write(_inode_oid(vid), _TABLE_AT + at, empty)

    def create_piece(self, vid: int, index: int, data: bytes) -> None:
        """Write a piece that was not there; beyond `data` it is zeros."""
        request = _OF_OBJECT.pack(_piece_oid(vid, index), 0, 0, 0, 0, 0, 0, 0, 0)
        self._ask(Operation.CREATE_OBJECT, request, data)

    def remove_piece(self, vid: int, index: int) -> None:
        """Remove a piece that no table leads to any more; nothing happens if it is not there."""
        with suppress_result(Result.NO_OBJECT):
            request = _OF_OBJECT.pack(_piece_oid(vid, index), 0, 0, 0, 0, 0, 0, 0, 0)
            self._ask(Operation.REMOVE_OBJECT, request)

    def read_piece(self, vid: int, index: int, offset: int, length: int) -> bytes:
        """A part of a piece. Refused with NO_OBJECT when it is not there."""
        return self._read(_piece_oid(vid, index), offset, length)

    def _read(self, oid: int, offset: int, length: int) -> bytes:
        request = _OF_OBJECT.pack(oid, 0, 0, 0, 0, 0, 0, offset, 0)
        begin, data = self._ask(Operation.READ_OBJECT, request, wanted=length)
        # Zeros at both ends may have been left out; then the answer says where its data begins.
        if len(data) == length:
            return data
        if begin + len(data) > length:
            raise ConnectionError("an answer that does not fit the question")
        return bytes(begin) + data + bytes(length - begin - len(data))

    def _write(self, oid: int, offset: int, data: bytes) -> None:
        self._ask(Operation.WRITE_OBJECT, _OF_OBJECT.pack(oid, 0, 0, 0, 0, 0, 0, offset, 0), data)

    def _ask(self, operation: int, fields: bytes, data: bytes = b"", wanted: int = 0) -> tuple[int, bytes]:
        """The number that the answer carries (a vid, or where its data begins), and its data."""
        flags = _CARRIES_DATA if data else 0
        header = _REQUEST.pack(_VERSION, operation, flags, 0, 0, len(data) or wanted, fields.ljust(32, b"\0"))
        with self._connection() as connection:
            connection.sendall(header)
            connection.sendall(data)
            *_, length, result, _, number, _ = _RESPONSE.unpack(_receive(connection, _RESPONSE.size))
            if length > wanted:
                raise ConnectionError("an answer that does not fit the question")
            received = _receive(connection, length)
        if result != Result.SUCCESS:
            raise SheepError(result)
        return number, received

    @contextmanager
    def _connection(self) -> Iterator[socket.socket]:
        """A connection to be used by one thread; after an error it is of no use any more."""
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection is not None and _is_closed(connection):
            connection.close()
            connection = None
        if connection is None:
            connection = socket.create_connection(self._place, _CONNECT_DEADLINE)
            connection.settimeout(_ANSWER_DEADLINE)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        with self._lock:
            self._idle.append(connection)


@contextmanager
def suppress_result(*results: Result) -> Iterator[None]:
    """Let these refusals pass."""
    try:
        yield
    except SheepError as error:
        if error.result not in results:
            raise


def _receive(connection: socket.socket, length: int) -> bytes:
    data = bytearray(length)
    view = memoryview(data)
    while view:
        received = connection.recv_into(view)
        if not received:
            raise ConnectionError("the daemon closed the connection")
        view = view[received:]
    return bytes(data)


def _is_closed(connection: socket.socket) -> bool:
    """Whether the daemon has closed an idle connection, on which nothing else can arrive."""
    connection.setblocking(False)
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True
    finally:
        connection.settimeout(_ANSWER_DEADLINE)
    return True


def _padded(text: bytes) -> bytes:
    return text.ljust(NAME_BYTES, b"\0")


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _inode_oid(vid: int) -> int:
    return 1 << 63 | vid << 32


def _piece_oid(vid: int, index: int) -> int:
    return vid << 32 | index
