"""Sheepdog: the stand-in for its daemon that `services/up sheepdog` starts, and stand-ins of a test's own."""

import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from glimpse.stores.base import Store
from glimpse.stores.sheepdog.protocol import Operation, Result, suppress_result
from glimpse.stores.sheepdog.store import SheepdogStore
from tests.clients.keystone import service_address
from tests.server import free_port

_PROGRAM = Path(__file__).parents[2] / "services" / "sheepdog-standin.py"
_MIB = 1024 * 1024
_READ_BITMAP = 0x15


def options() -> str:
    """The store's options for the stand-in of `services/up`; skips the test where it does not run."""
    address, port = service_address("SHEEPDOG_ADDRESS"), service_address("SHEEPDOG_PORT")
    if address is None or port is None or not _accepts(int(port)):
        pytest.skip("the stand-in for Sheepdog is not running; start it with: services/up sheepdog")
    return f"sheepdog_store_address = {address}\nsheepdog_store_port = {port}\n"


class SheepdogServer:
    """A stand-in of a test's own, with room for so many bytes."""

    def __init__(self, capacity: int = 1 << 40) -> None:
        self.port = free_port()
        self._capacity = capacity
        self.start()

    def start(self) -> None:
        """Start it, without any data, and return when it answers."""
        self._process = subprocess.Popen([sys.executable, str(_PROGRAM), str(self.port), str(self._capacity)])
        for _ in range(300):
            if _accepts(self.port):
                return
            time.sleep(0.05)
        raise AssertionError("the stand-in for Sheepdog does not start")

    def kill(self) -> None:
        """End it without a farewell."""
        self._process.kill()
        self._process.wait()


class SheepdogBackend:
    """A store on stand-ins whose data no other test uses."""

    def __init__(self) -> None:
        self._servers = [SheepdogServer()]
        self._store = SheepdogStore("sheepdog", "127.0.0.1", self._servers[0].port)
        self._stores = [self._store]

    @property
    def store(self) -> Store:
        return self._store

    def full_store(self) -> Store:
        server = SheepdogServer(10 * _MIB)
        self._servers.append(server)
        store = SheepdogStore("full", "127.0.0.1", server.port)
        self._stores.append(store)
        return store

    def truncate(self, url: str, size: int) -> None:
        inode = self._store.inode_of(url.rpartition(":")[2].encode())
        assert inode is not None
        self._store.sheep.write_tag_and_size(inode, inode.tag, size)

    def leftovers(self) -> Sequence[str]:
        return [left for store in self._stores for left in everything(store)]

    def close(self) -> None:
        for server in self._servers:
            server.kill()


def everything(store: SheepdogStore) -> list[str]:
    """The names of all disks, and the objects of all disks that ever were."""
    _, bitmap = store.sheep._ask(_READ_BITMAP, bytes(32), wanted=2**24 // 8)
    vids = [
        8 * found.start() + bit
        for found in re.finditer(rb"[^\0]", bitmap, re.DOTALL)
        for bit in range(8)
        if found[0][0] >> bit & 1
    ]
    found = [store.sheep.read_inode(vid).name.decode() for vid in vids]
    return [name for name in found if name] + [
        f"{vid}/{index}" for vid in vids for index in _pieces(store, vid)
    ]


def _pieces(store: SheepdogStore, vid: int) -> Iterator[int]:
    for index in range(16):
        with suppress_result(Result.NO_OBJECT):
            store.sheep.read_piece(vid, index, 0, 1)
            yield index


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def snapshot(store: SheepdogStore, name: bytes, tag: bytes) -> int:
    """A snapshot of a disk, by another client; its vid. The disk goes on under another one."""
    inode = store.inode_of(name)
    assert inode is not None
    store.sheep.write_tag(inode, tag)
    _new_vdi(store, name, inode.vid, snapshot=1)
    return inode.vid


def clone(store: SheepdogStore, base: int, name: bytes) -> None:
    """A disk that begins as a snapshot of another one, by another client."""
    _new_vdi(store, name, base, snapshot=0)


def _new_vdi(store: SheepdogStore, name: bytes, base: int, snapshot: int) -> None:
    fields = struct.pack("<QIBBBBII", 0, base, 0, 0, 0, 0, snapshot, 0)
    store.sheep._ask(Operation.NEW_VDI, fields, name.ljust(256, b"\0"))
