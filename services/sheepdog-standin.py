"""A stand-in for Sheepdog's daemon, of which there is no package: python sheepdog-standin.py PORT [BYTES].

It speaks the daemon's wire protocol on 127.0.0.1 and keeps objects in memory, at most BYTES of them. What it does
was written after the daemon's behaviour, not tested against it: disks found by hash and name, snapshots and clones
that share objects, objects that vanish with the last table entry that leads to them, answers without the zeros at
their ends. It has one node, and no redundancy.
"""

import hashlib
import socketserver
import struct
import sys
import threading

REQUEST = struct.Struct("<BBHIII32s")
OBJECT = struct.Struct("<QQBBBBIII")
VDI = struct.Struct("<QIBBBBII")
RESPONSE = struct.Struct("<BBHIIIIIQ16s")
INODE = struct.Struct("<256s256sQQQQQBBBBIIII")
TABLE = 4664
SHIFT = 22
INODE_BYTES = TABLE + 4 * 2**20
INODE_BIT, SNAPSHOT_TIME = 1 << 63, 520
CREATE, READ, WRITE, REMOVE, NEW, LOCK, RELEASE, INFO, BITMAP, DELETE = 1, 2, 3, 4, 0x11, 0x12, 0x13, 0x14, 0x15, 0x17
OK, NO_OBJECT, EXISTS, INVALID, NO_VDI, NO_TAG, NO_SPACE = 0, 2, 4, 5, 8, 0x0E, 0x15
SECTOR = 512


class Refused(Exception):
    pass


class Cluster:
    """The objects, by their ids. An inode is kept as its head and as the entries of its table that are not 0."""

    def __init__(self, capacity):
        self.capacity = capacity
        self.lock = threading.Lock()
        self.pieces = {}
        self.heads = {}
        self.tables = {}

    def answer(self, operation, fields, data, wanted):
        """The number that goes into the answer, and the answer's data."""
        if operation in (CREATE, READ, WRITE, REMOVE):
            oid, *_, offset, _ = OBJECT.unpack(fields)
            return self.object(operation, oid, offset, data, wanted)
        if operation == RELEASE:
            return 0, b""
        if operation == BITMAP:
            bits = bytearray(2**24 // 8)
            for vid in self.heads:
                bits[vid // 8] |= 1 << vid % 8
            return 0, bytes(bits)
        name, tag = data[:256], data[256:512]
        if operation == NEW:
            size, base, *_, snapshot, _ = VDI.unpack_from(fields)
            return self.new(name, size, base, snapshot), b""
        vid = self.find(name, tag)
        if operation == DELETE:
            # The head stays, without name: vids are not used again. The table must have been emptied.
            if not self.tables[vid]:
                self.heads[vid][0:256] = bytes(256)
                self.heads[vid][536:544] = bytes(8)
            return 0, b""
        if operation in (LOCK, INFO):
            return vid, b""
        raise Refused(INVALID)

    def object(self, operation, oid, offset, data, wanted):
        if oid & INODE_BIT:
            vid = oid >> 32 & 0xFFFFFF
            if vid not in self.heads:
                raise Refused(NO_OBJECT)
            if operation == READ:
                return self.trimmed(self.inode(vid, offset, wanted))
            self.write_inode(vid, offset, data)
        elif operation == CREATE:
            self.pieces.pop(oid, None)
            if sum(map(len, self.pieces.values())) + len(data) > self.capacity:
                raise Refused(NO_SPACE)
            self.pieces[oid] = bytes(offset) + data
        elif oid not in self.pieces:
            raise Refused(NO_OBJECT)
        elif operation == READ:
            return self.trimmed(self.pieces[oid][offset : offset + wanted].ljust(wanted, b"\0"))
        elif operation == WRITE:
            old = self.pieces[oid].ljust(offset, b"\0")
            self.pieces[oid] = old[:offset] + data + old[offset + len(data) :]
        else:
            del self.pieces[oid]
        return 0, b""

    def inode(self, vid, offset, length):
        if offset + length <= TABLE:
            return bytes(self.heads[vid][offset : offset + length])
        if offset < TABLE or offset % 4 or length % 4 or offset + length > INODE_BYTES:
            raise Refused(INVALID)
        data, first = bytearray(length), (offset - TABLE) // 4
        for index, entry in self.tables[vid].items():
            if 0 <= index - first < length // 4:
                struct.pack_into("<I", data, (index - first) * 4, entry)
        return bytes(data)

    def write_inode(self, vid, offset, data):
        if offset + len(data) <= TABLE:
            self.heads[vid][offset : offset + len(data)] = data
            return
        if offset < TABLE or offset % 4 or len(data) % 4:
            raise Refused(INVALID)
        for index, (entry,) in enumerate(struct.iter_unpack("<I", data), (offset - TABLE) // 4):
            old = self.tables[vid].pop(index, 0)
            if entry:
                self.tables[vid][index] = entry
            if old not in (0, entry) and not any(table.get(index) == old for table in self.tables.values()):
                self.pieces.pop(old << 32 | index, None)

    def new(self, name, size, base, snapshot):
        vid = int.from_bytes(hashlib.sha256(name).digest()[:3], "big") or 1
        try:
            current = self.find(name, bytes(256))
        except Refused:
            current = None
        if snapshot and current is None:
            raise Refused(NO_VDI)
        if not snapshot and current is not None:
            raise Refused(EXISTS)
        if base and base not in self.heads:
            raise Refused(NO_OBJECT)
        while vid in self.heads:
            vid = (vid + 1) % 2**24 or 1
        if snapshot:
            struct.pack_into("<Q", self.heads[current], SNAPSHOT_TIME, 1)
        size = INODE.unpack_from(self.heads[base])[5] if base else size
        head = INODE.pack(name, b"", 1, 0, 0, size, 0, 0, 0, 1, SHIFT, 1, vid, base, 0)
        self.heads[vid] = bytearray(head.ljust(TABLE, b"\0"))
        self.tables[vid] = dict(self.tables[base]) if base else {}
        return vid

    def find(self, name, tag):
        named = [vid for vid, head in self.heads.items() if name.strip(b"\0") and head[:256] == name]
        for vid in named:
            is_snapshot = any(self.heads[vid][SNAPSHOT_TIME : SNAPSHOT_TIME + 8])
            if (is_snapshot and self.heads[vid][256:512] == tag) if tag.strip(b"\0") else not is_snapshot:
                return vid
        raise Refused(NO_TAG if named and tag.strip(b"\0") else NO_VDI)

    @staticmethod
    def trimmed(data):
        begin = (len(data) - len(data.lstrip(b"\0"))) // SECTOR * SECTOR
        end = -(-len(data.rstrip(b"\0")) // SECTOR) * SECTOR
        return (begin, data[begin:end]) if end > begin else (0, b"")


class Connection(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self):
        while header := self.rfile.read(REQUEST.size):
            version, operation, flags, epoch, number, length, fields = REQUEST.unpack(header)
            data = self.rfile.read(length) if flags & 1 else b""
            result, value, answer = OK, 0, b""
            try:
                if version != 2:
                    raise Refused(INVALID)
                with self.server.cluster.lock:
                    value, answer = self.server.cluster.answer(operation, fields, data, length)
            except Refused as refused:
                (result,) = refused.args
            head = RESPONSE.pack(version, operation, 0, epoch, number, len(answer), result, 0, value, bytes(16))
            self.wfile.write(head + answer)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    server = Server(("127.0.0.1", int(sys.argv[1])), Connection)
    server.cluster = Cluster(int(sys.argv[2]) if len(sys.argv) > 2 else sys.maxsize)
    server.serve_forever()
