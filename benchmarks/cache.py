"""A boot storm: many readers of one cold image on Ceph's S3 API, and what it costs to read it warm.

The readers are connected and wait before the store answers: a relay in front of it holds the read back until
then, counts how often the image is read, and tells when its first byte came.
"""

import contextlib
import ctypes
import multiprocessing
import os
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import backends, databases, load, processes, servers, transfers
from benchmarks.context import Context
from benchmarks.load import Address
from benchmarks.settings import MIB
from benchmarks.transfers import Client

READERS = 1000
PATIENCE = 1200.0
PIECE = 4 * MIB
HITS = 8

_LIBC = ctypes.CDLL(None)
# The kernel throws away what comes: readers shall cost little.
_DROP = socket.MSG_TRUNC | socket.MSG_DONTWAIT


class Relay:
    """Passes all on to a server. GETs of objects are counted, and held back while `open` is not set."""

    def __init__(self, target: Address) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.open = threading.Event()
        self.open.set()
        self.reads = 0
        self.first_byte = 0.0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self._target)
            for work in (self._there, self._back):
                threading.Thread(target=work, args=(client, server), daemon=True).start()

    def _there(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(PIECE):
                # /bucket/key
                if data.startswith(b"GET /") and b"/" in data.split(b" ")[1][1:].partition(b"?")[0]:
                    self.reads += 1
                    self.open.wait()
                    self.first_byte = 0.0
                server.sendall(data)
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_WR)

    def _back(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := server.recv(PIECE):
                self.first_byte = self.first_byte or time.monotonic()
                client.sendall(data)
            client.shutdown(socket.SHUT_WR)


def relay(orders: Connection, target: Address) -> None:
    """A relay in its own process; each order is answered with its reads and the time of its first byte."""
    passing = Relay(target)
    orders.send(passing.port)
    while (order := orders.recv()) != "end":
        if order == "hold":
            passing.reads = 0
            passing.open.clear()
        if order == "go":
            passing.open.set()
        orders.send((passing.reads, passing.first_byte))


@dataclass(slots=True)
class Reader:
    connection: socket.socket
    head: bytes = b""
    first_byte: float = 0.0
    received: int = 0  # of the body

    def take(self) -> bool:
        """Read what there is; whether it goes on."""
        if not self.first_byte:
            self.first_byte = time.monotonic()
            data = self.connection.recv(65_536)
            self.head, _, body = data.partition(b"\r\n\r\n")
            self.received = len(body)
            return bool(data)
        count = _LIBC.recv(self.connection.fileno(), None, PIECE, _DROP)
        self.received += max(count, 0)
        return bool(count)


def read(report: Connection, address: Address, request: bytes, size: int) -> None:
    """The readers, in a process of their own: tells that all have asked, then when each had its first byte,
    and how many got all.
    """
    readers = [Reader(socket.create_connection(address, timeout=60)) for _ in range(READERS)]
    selector = selectors.DefaultSelector()
    for reader in readers:
        reader.connection.sendall(request)
        selector.register(reader.connection, selectors.EVENT_READ, reader)
    report.send("asked")
    deadline, left = time.monotonic() + PATIENCE, len(readers)
    while left and time.monotonic() < deadline:
        for key, _ in selector.select(1.0):
            if not key.data.take() or key.data.received >= size:
                selector.unregister(key.fileobj)
                key.data.connection.close()
                left -= 1
    whole = sum(one.received == size and one.head.startswith(b"HTTP/1.1 200") for one in readers)
    report.send(([one.first_byte for one in readers], whole))


def run(context: Context) -> None:
    """Glimpse alone: upstream reads the store once for each of the readers."""
    facts, folder = _ceph(context)
    url = urlsplit(facts["CEPH_RGW_URL"])
    spawn = multiprocessing.get_context("spawn")
    orders, theirs = spawn.Pipe()
    passing = spawn.Process(target=relay, args=(theirs, (url.hostname, url.port)))
    passing.start()
    try:
        facts = {**facts, "CEPH_RGW_URL": f"http://127.0.0.1:{orders.recv()}"}
        for side in context.sides:
            if side.name == "glimpse":
                storm(context, side, facts, orders)
                compare(context, side)
    finally:
        orders.send("end")
        passing.join()
        if folder is not None:
            databases.services("down", "ceph", folder)


def _ceph(context: Context) -> tuple[Mapping[str, str], Path | None]:
    """Ceph's addresses, and the folder of a Ceph that was started for this; one that runs already is used."""
    running = os.environ.get("GLIMPSE_SERVICES_DIR")
    if running:
        return backends.read_facts(Path(running) / "env"), None
    folder = context.chosen.folder / "services"
    databases.services("up", "ceph", folder)
    return backends.read_facts(folder / "env"), folder


def caching(context: Context) -> str:
    return f"image_cache = true\n[DEFAULT]\nimage_cache_dir = {context.chosen.stores / 'cache'}\n"


def storm(context: Context, side: servers.Side, facts: Mapping[str, str], orders: Connection) -> None:
    """Everybody reads at once what nobody has read before."""
    s3 = f"[glance_store]\nstores = file,s3\ndefault_store = s3\n{backends.s3_options(facts)}"
    size = context.chosen.image_size // 4
    source = transfers.make_source(context.chosen.stores / "source", size)
    side.prepare("cache", more=caching(context) + s3)
    server = servers.start(side, "cache")
    client, sheet = Client(server, side.identity()), context.sheet
    try:
        transfers.warm_up(client, context.chosen.stores / "warm-up")
        image = transfers.new_image(client)
        transfers.put(client, image, source)
        servers.wake_all_workers(server, client.identity)
        idle = processes.memory(server.pid).pss
        orders.send("hold")
        orders.recv()
        spawn = multiprocessing.get_context("spawn")
        report, theirs = spawn.Pipe()
        request = load.encode("GET", f"/v2/images/{image}/file", client.identity)
        crowd = spawn.Process(target=read, args=(theirs, server.address, request, size))
        crowd.start()
        theirs.close()
        report.recv()
        time.sleep(3)  # until all wait for the store
        orders.send("go")
        orders.recv()
        most = idle
        while not report.poll(0.5):
            most = max(most, processes.memory(server.pid).pss)
        first_bytes, whole = report.recv()
        crowd.join()
        orders.send("tell")
        reads, begun = orders.recv()
        waits = sorted(1000 * (moment - begun) for moment in first_bytes)
        title = f"{READERS:,} readers of a cold image of {size // MIB} MiB on S3"
        sheet.add(f"{title}: reads of the store", "", side.name, reads)
        sheet.add(f"{title}: got all of it", "%", side.name, 100 * whole / READERS)
        sheet.add(f"{title}: first byte after the store's, median", "ms", side.name, statistics.median(waits))
        sheet.add(f"{title}: first byte after the store's, last", "ms", side.name, waits[-1])
        sheet.add(f"{title}: memory over idle (PSS)", "MiB", side.name, (most - idle) / MIB)
    finally:
        server.stop()
        source.unlink()


def compare(context: Context, side: servers.Side) -> None:
    """A download from the cache, and the same from the filesystem store, in turns."""
    size = context.chosen.image_size // 4
    source = transfers.make_source(context.chosen.stores / "source", size)
    for name, more in (("cache", caching(context)), ("file", "")):
        side.prepare("cache", more=more)
        client = Client(servers.start(side, "cache"), side.identity())
        try:
            transfers.warm_up(client, context.chosen.stores / "warm-up")
            image = transfers.new_image(client)
            transfers.put(client, image, source)
            path = f"/v2/images/{image}/file"
            action = partial(_read_often, client, path, size)
            action()
            time.sleep(2)  # until what was filled in is listed
            title = "download of a warm image" if name == "cache" else "download from the filesystem store"
            transfers.cost(client.server.pid, side.name, title, HITS * size, context.sheet, action)
        finally:
            client.server.stop()
    source.unlink()


def _read_often(client: Client, path: str, size: int) -> None:
    for _ in range(HITS):
        transfers.get(client.server.address, path, client.identity, size)
