"""Many slow readers on one worker: who is served, what it costs, and how a small request fares meanwhile."""

import contextlib
import multiprocessing
import socket
import statistics
import time
from collections.abc import Mapping
from dataclasses import dataclass
from multiprocessing.connection import Connection

from benchmarks import load, processes, servers, transfers
from benchmarks.context import Context
from benchmarks.load import Address
from benchmarks.report import Sheet
from benchmarks.servers import Server
from benchmarks.settings import MIB, Settings

READERS = {"glimpse": 2000, "upstream": 500}
RATE = 65_536  # bytes a second for each reader
WINDOW = 2 * RATE
IMAGE_SIZE = 4 * MIB
TURNS = 4  # in a second for each reader
GROUPS = 12  # of readers, which take their turns one after the other
PATIENCE = 30.0  # seconds for the rest of the image, once the readers are slow no more


@dataclass(slots=True)
class Reader:
    connection: socket.socket
    received: int = 0  # with the header
    ended: bool = False


@dataclass(frozen=True, slots=True)
class Served:
    """How many readers got something while they were slow, and how many got all of it in the end."""

    begun: int
    whole: int
    rate: float


def run(context: Context) -> None:
    """One side after the other: each has the machine to itself."""
    for side in context.sides:
        side.prepare("readers", workers=1)
        server = servers.start(side, "readers")
        try:
            measure(server, side.identity(), context.chosen, context.sheet)
        finally:
            server.stop()


def measure(server: Server, identity: Mapping[str, str], chosen: Settings, sheet: Sheet) -> None:
    count = READERS[server.side]
    source = transfers.make_source(chosen.stores / "small-source", IMAGE_SIZE)
    client = transfers.Client(server, identity)
    image = transfers.new_image(client)
    transfers.put(client, image, source)
    show = load.encode("GET", f"/v2/images/{image}", identity)
    probe(server, show, 1.0)
    idle = processes.memory(server.pid)
    quiet = probe(server, show, 2.0)
    request = load.encode("GET", f"/v2/images/{image}/file", identity)
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    crowd = multiprocessing.get_context("spawn").Process(
        target=read_slowly, args=(theirs, server.address, request, count, chosen.slow_seconds)
    )
    crowd.start()
    theirs.close()  # so that the death of the crowd is noticed
    ours.recv()  # all are connected
    latencies = probe(server, show, chosen.slow_seconds - 1)
    busy = processes.memory(server.pid)
    served: Served = ours.recv()
    crowd.join()
    title = "slow readers (glimpse 2,000; upstream 500)"
    sheet.add(f"{title}: served at once", "%", server.side, 100 * served.begun / count)
    sheet.add(f"{title}: served to the end", "%", server.side, 100 * served.whole / count)
    sheet.add(f"{title}: what a reader gets", "KiB/s", server.side, served.rate / 1024)
    sheet.add(f"{title}: memory over idle (PSS)", "MiB", server.side, (busy.pss - idle.pss) / MIB)
    for name, values in (("before", quiet), ("meanwhile", latencies)):
        sheet.add(f"show {name}, median", "ms", server.side, 1000 * statistics.median(values))
        sheet.add(
            f"show {name}, 99th of 100", "ms", server.side, 1000 * sorted(values)[len(values) * 99 // 100]
        )


def probe(server: Server, request: bytes, seconds: float) -> list[float]:
    """Sends a small request every 20 ms; how long each took (without an answer: all the time left)."""
    latencies: list[float] = []
    deadline = time.perf_counter() + seconds
    while (begun := time.perf_counter()) < deadline:
        with contextlib.suppress(OSError):
            load.fetch(server.address, request, timeout=deadline - begun + 0.1)
        latencies.append(time.perf_counter() - begun)
        time.sleep(0.02)
    return latencies


def read_slowly(report: Connection, address: Address, request: bytes, count: int, seconds: float) -> None:
    """The readers; runs in a process of its own, so that the probe does not wait for it."""
    readers = [connect(address, request) for _ in range(count)]
    report.send("connected")
    begun = time.perf_counter()
    for tick in range(int(seconds * TURNS * GROUPS)):
        for reader in readers[tick % GROUPS :: GROUPS]:
            take(reader, RATE // TURNS)
        time.sleep(max(0.0, begun + (tick + 1) / TURNS / GROUPS - time.perf_counter()))
    slow = time.perf_counter() - begun
    some = [reader.received for reader in readers if reader.received]
    rate = statistics.median(some) / slow if some else 0.0
    drain(readers)
    whole = sum(reader.received >= IMAGE_SIZE for reader in readers)
    report.send(Served(len(some), whole, rate))


def connect(address: Address, request: bytes) -> Reader:
    """A client behind a network: its small segments and window keep the image out of the kernel's buffers."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
    connection.settimeout(10)
    connection.connect(address)
    connection.sendall(request)
    connection.setblocking(False)
    return Reader(connection)


def take(reader: Reader, limit: int) -> None:
    """Reads at most so many bytes, as far as they have come."""
    while limit > 0 and not reader.ended:
        try:
            data = reader.connection.recv(limit)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        reader.received += len(data)
        reader.ended = not data or reader.received > IMAGE_SIZE + 4096
        limit -= len(data)


def drain(readers: list[Reader]) -> None:
    """Now as fast as it comes, for a limited time."""
    deadline = time.perf_counter() + PATIENCE
    waiting = readers
    while waiting and time.perf_counter() < deadline:
        for reader in waiting:
            take(reader, MIB)
        waiting = [reader for reader in waiting if not reader.ended and reader.received < IMAGE_SIZE]
    for reader in readers:
        reader.connection.close()
