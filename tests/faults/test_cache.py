"""The image cache between several processes, one of which dies, and on a disk that is full."""

import contextlib
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.disks import mounted
from tests.faults.promises import wait_until
from tests.server import Server
from tests.sources import TAG, Handler, Source, running

pytestmark = pytest.mark.faults

READERS = 24
DATA = bytes(range(256)) * 4 * 4096
HALF = len(DATA) // 2
# What a kernel may keep on the way, so that a source that stops is seen to stop.
PIECE = 64 * 1024


@dataclass
class Gate:
    """Data of which a reader gets as much as the test allows."""

    allowed: int = len(DATA)
    reads: int = 0
    moved: threading.Condition = field(default_factory=threading.Condition)

    def allow(self, count: int) -> None:
        with self.moved:
            self.allowed = count
            self.moved.notify_all()

    def page(self, handler: Handler) -> None:
        begin, end = 0, len(DATA)
        if handler.command == "GET":
            asked = handler.headers.get("Range", "bytes=0-").removeprefix("bytes=")
            begin = int(asked.partition("-")[0])
            self.reads += 1
        span = f"bytes {begin}-{end - 1}/{end}"
        handler.begin(
            206 if "Range" in handler.headers else 200,
            Content_Length=str(end - begin),
            Content_Range=span,
            ETag=TAG,
            Connection="close",
        )
        for at in range(begin, end if handler.command == "GET" else 0, PIECE):
            with self.moved:
                assert self.moved.wait_for(lambda at=at: self.allowed > at, 60)  # type: ignore[misc]
            handler.wfile.write(DATA[at : at + PIECE])


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def source(gate: Gate) -> Iterator[Source]:
    with running(Source()) as source:
        source.pages = {"/image": gate.page}
        yield source


def options(folder: Path) -> str:
    return (
        f"workers = 2\nimage_cache_dir = {folder}\n[glimpse]\nimage_cache = true\nlease_seconds = 2\n"
        "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path, folder: Path) -> Iterator[Server]:
    server = Server(tmp_path / "glimpse", options(folder))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def image(server: Server, source: Source, gate: Gate) -> str:
    """An active image whose data the source has; nobody has downloaded it."""
    with server.client() as api:
        made = api.post("/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
        assert api.post(f"/v2/images/{made}/locations", json={"url": source.url()}).status_code == 202
        wait_until(
            "the digest is there", lambda: bool(api.get(f"/v2/images/{made}").json().get("os_hash_value"))
        )
    gate.reads = 0
    return str(made)


def download(server: Server, image: str) -> bytes:
    with server.client() as api:
        return api.get(f"/v2/images/{image}/file").raise_for_status().content


def together(pool: ThreadPoolExecutor, server: Server, image: str) -> list["Future[bytes]"]:
    return [pool.submit(download, server, image) for _ in range(READERS)]


def incomplete(folder: Path, image: str) -> Path:
    return folder / "incomplete" / image


def has_begun(folder: Path, image: str) -> bool:
    path = incomplete(folder, image)
    return path.exists() and path.stat().st_size > 0


def fill_up(folder: Path) -> None:
    """Leave no room on a disk."""
    with (folder / "ballast").open("wb", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(PIECE))


def filler(folder: Path, image: str) -> int:
    """The process that writes the file of an image that is being cached."""
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        try:
            for handle in (process / "fd").iterdir():
                info = (process / "fdinfo" / handle.name).read_text()
                writes = int(info.split("flags:")[1].split()[0], 8) & os.O_ACCMODE == os.O_RDWR
                if writes and os.path.samefile(handle, incomplete(folder, image)):
                    return int(process.name)
        except OSError:
            continue
    raise AssertionError("nobody writes it")


def test_workers_share_one_read(server: Server, gate: Gate, image: str, folder: Path) -> None:
    gate.allow(HALF)
    with ThreadPoolExecutor(READERS) as pool:
        answers = together(pool, server, image)
        wait_until("it is being fetched", lambda: has_begun(folder, image))
        time.sleep(0.3)  # both workers have readers by now
        gate.allow(len(DATA))
        assert {answer.result() == DATA for answer in answers} == {True}
    assert gate.reads == 1
    assert download(server, image) == DATA
    assert gate.reads == 1
    assert (folder / image).read_bytes() == DATA


def test_the_worker_that_fetches_is_killed(server: Server, gate: Gate, image: str, folder: Path) -> None:
    gate.allow(HALF)
    with ThreadPoolExecutor(READERS) as pool:
        answers = together(pool, server, image)
        wait_until("it is being fetched", lambda: has_begun(folder, image))
        time.sleep(0.3)
        os.kill(filler(folder, image), signal.SIGKILL)
        gate.allow(len(DATA))
        errors = [answer.exception() for answer in answers]
    # Those of the dead process see their connections break; all others have the right bytes.
    assert all(error is None or isinstance(error, httpx.TransportError) for error in errors)
    assert {answer.result() == DATA for answer, error in zip(answers, errors, strict=True) if not error} == {
        True
    }
    assert gate.reads <= 2
    wait_until("it is cached", lambda: (folder / image).exists())
    assert download(server, image) == DATA
    assert gate.reads == 2
    wait_until("nothing is left", lambda: list((folder / "incomplete").iterdir()) == [])


class TestFullDisk:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Iterator[Path]:
        with mounted(tmp_path, 16) as disk:
            yield disk.mount / "cache"

    def test_from_the_beginning(self, server: Server, gate: Gate, image: str, folder: Path) -> None:
        fill_up(folder)
        assert download(server, image) == DATA
        assert not (folder / image).exists()

    def test_in_the_middle(self, server: Server, gate: Gate, image: str, folder: Path) -> None:
        gate.allow(HALF)
        with ThreadPoolExecutor(READERS) as pool:
            answers = [pool.submit(download, server, image) for _ in range(4)]
            wait_until("it is being fetched", lambda: has_begun(folder, image))
            fill_up(folder)
            gate.allow(len(DATA))
            assert {answer.result() == DATA for answer in answers} == {True}
        assert not (folder / image).exists()
