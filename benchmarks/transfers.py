"""One big image up and down, beside what bounds it: the digests alone, and nginx sending the same file."""

import hashlib
import json
import mmap
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks import databases, load, processes, servers, settings
from benchmarks.context import Context
from benchmarks.load import Address
from benchmarks.processes import Failed
from benchmarks.report import Sheet
from benchmarks.servers import Server
from benchmarks.settings import GIB, MIB, Settings

RANGES = 8
DIGESTS = {
    "md5 alone": ["md5"],
    "sha512 alone": ["sha512"],
    "both digests on two threads": ["md5", "sha512"],
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who transfers, and with which server."""

    server: Server
    identity: Mapping[str, str]


def run(context: Context) -> None:
    """Uploads and downloads in turns."""
    chosen, sheet = context.chosen, context.sheet
    touch_memory(chosen.stores, (1 + len(context.sides)) * chosen.image_size)
    source = make_source(chosen.stores / "source", chosen.image_size)
    for side in context.sides:
        side.prepare("transfers")
    clients = [Client(servers.start(side, "transfers"), side.identity()) for side in context.sides]
    nginx = start_nginx(chosen, source)
    try:
        for client in clients:
            warm_up(client, chosen.stores / "warm-up")
        for _ in range(chosen.rounds):
            measure_digests(source, sheet)
            images = [upload(client, source, sheet) for client in clients]
            download_nginx(nginx, source, sheet)
            for client, image in zip(clients, images, strict=True):
                download(client, image, chosen.image_size, sheet)
            for client, image in zip(clients, images, strict=True):
                delete(client, image)
    finally:
        for client in clients:
            client.server.stop()
        databases.services("down", "nginx", chosen.folder / "services")
        source.unlink()


def touch_memory(folder: Path, size: int) -> None:
    """A virtual machine pays for each page of memory at its first use: better now than in a measure."""
    path = folder / "nothing"
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(bytes(MIB))
    path.unlink()


def make_source(path: Path, size: int) -> Path:
    """Bytes that no file system can make smaller."""
    with path.open("wb") as file:
        for _ in range(size // MIB):
            file.write(os.urandom(MIB))
    return path


def warm_up(client: Client, path: Path) -> None:
    """The first transfers load what the later ones find; small ones, often enough to reach every worker."""
    source = make_source(path, 4 * MIB)
    for _ in range(8):
        image = new_image(client)
        put(client, image, source)
        get(client.server.address, f"/v2/images/{image}/file", client.identity, 4 * MIB)
        delete(client, image)


def start_nginx(chosen: Settings, source: Path) -> int:
    """nginx that serves the folder of the source; its pid."""
    folder = chosen.folder / "services"
    databases.services("down", "nginx", folder)
    databases.services("up", "nginx", folder, GLIMPSE_NGINX_ROOT=str(source.parent))
    return int((folder / "nginx" / "pid").read_text())


def measure_digests(source: Path, sheet: Sheet) -> None:
    """MD5 and SHA-512 of the same bytes, each alone and then side by side on two threads."""
    with source.open("rb") as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as data:
        for who, names in DIGESTS.items():
            threads = [threading.Thread(target=digest, args=(name, data)) for name in names]
            begun = time.perf_counter()
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            sheet.add("upload", "s/GiB", who, (time.perf_counter() - begun) * GIB / len(data))


def digest(name: str, data: mmap.mmap) -> None:
    state = hashlib.new(name)
    with memoryview(data) as view:
        for start in range(0, len(view), MIB):
            with view[start : start + MIB] as piece:
                state.update(piece)


def cost(pid: int, who: str, measure: str, size: int, sheet: Sheet, action: Callable[[], object]) -> None:
    """Wall and processor time of an action, for each GiB that it moved."""
    cpu = processes.cpu_seconds(pid)
    begun = time.perf_counter()
    action()
    seconds = time.perf_counter() - begun
    cpu = processes.cpu_seconds(pid) - cpu
    sheet.add(measure, "s/GiB", who, seconds * GIB / size)
    sheet.add(measure, "CPU s/GiB", who, cpu * GIB / size)


def upload(client: Client, source: Path, sheet: Sheet, measure: str = "upload") -> str:
    """Makes an image and sends its bytes; its id."""
    image = new_image(client)
    size = source.stat().st_size
    cost(client.server.pid, client.server.side, measure, size, sheet, lambda: put(client, image, source))
    return image


def new_image(client: Client) -> str:
    body = json.dumps({"name": "big", "disk_format": "raw", "container_format": "bare"}).encode()
    headers = {**client.identity, "Content-Type": "application/json"}
    answer = load.fetch(client.server.address, load.encode("POST", "/v2/images", headers, body))
    return str(json.loads(answer.body)["id"])


def put(client: Client, image: str, source: Path) -> None:
    """Sends the bytes as fast as the server takes them; the kernel reads the file."""
    size = source.stat().st_size
    headers = {**client.identity, "Content-Type": "application/octet-stream"}
    head = load.encode("PUT", f"/v2/images/{image}/file", headers, length=size)
    with (
        socket.create_connection(client.server.address, timeout=300) as connection,
        source.open("rb") as file,
    ):
        connection.sendall(head)
        connection.sendfile(file)
        answer = connection.recv(65_536)
    if not answer.startswith(b"HTTP/1.1 204"):
        raise Failed(f"the upload was answered with {answer.splitlines()[:1]!r}")


def download(client: Client, image: str, size: int, sheet: Sheet) -> None:
    server = client.server
    parts = parts_of(server.address, f"/v2/images/{image}/file", client.identity, size)
    for measure, action in parts.items():
        cost(server.pid, server.side, measure, size, sheet, action)


def download_nginx(pid: int, source: Path, sheet: Sheet) -> None:
    size = source.stat().st_size
    parts = parts_of(("127.0.0.1", settings.NGINX_PORT), f"/{source.name}", {}, size)
    for measure, action in parts.items():
        cost(pid, "nginx", measure, size, sheet, action)


def parts_of(
    address: Address, path: str, headers: Mapping[str, str], size: int
) -> dict[str, Callable[[], None]]:
    """Two ways to fetch it: all in one request, and piece by piece by ranges."""
    piece = size // RANGES

    def by_ranges() -> None:
        for start in range(0, size, piece):
            get(address, path, {**headers, "Range": f"bytes={start}-{start + piece - 1}"}, piece)

    return {
        "download": lambda: get(address, path, headers, size),
        f"download in {RANGES} ranges": by_ranges,
    }


def get(address: Address, path: str, headers: Mapping[str, str], size: int) -> None:
    """Receives a body of a known size and drops it."""
    buffer = bytearray(MIB)
    with socket.create_connection(address, timeout=300) as connection:
        connection.sendall(load.encode("GET", path, {**headers, "Connection": "close"}))
        head = b""
        while b"\r\n\r\n" not in head:
            head += connection.recv(4096)
        if head[9:12] not in (b"200", b"206"):
            raise Failed(f"the download was answered with {head[:300]!r}")
        received = len(head) - head.index(b"\r\n\r\n") - 4
        while received < size and (count := connection.recv_into(buffer)):
            received += count
    if received != size:
        raise Failed(f"{received} bytes came instead of {size}")


def delete(client: Client, image: str) -> None:
    load.fetch(client.server.address, load.encode("DELETE", f"/v2/images/{image}", client.identity))
