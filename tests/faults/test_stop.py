"""SIGTERM: what has begun is finished, or undone when it takes too long; the next start finds all well."""

import random
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import httpx
import pytest

from glimpse.cli.serve import DRAIN_SECONDS
from tests.faults.promises import (
    DEADLINE_SECONDS,
    check_promises,
    has_status,
    new_image,
    stored,
    wait_until,
)
from tests.faults.wire import Exchange, Upload
from tests.server import Server

pytestmark = pytest.mark.faults

SIZE = 24_000_000
PIECES = 20
PAUSE = 0.1


def send_slowly(current: Upload) -> int | None:
    for _ in range(PIECES):
        time.sleep(PAUSE)
        current.send(len(current.body) // PIECES)
    return current.finish()


def read_slowly(reader: Exchange, size: int) -> bytes:
    """Head and body of an answer, a bit at a time."""
    received = bytearray(reader.received)
    while (head := received.find(b"\r\n\r\n") + 4) < 4 or len(received) < head + size:
        piece = reader.connection.recv(size // PIECES)
        if not piece:
            break
        received += piece
        time.sleep(PAUSE / 4)
    return bytes(received)


def test_what_has_begun_is_finished_or_undone(server: Server, api: httpx.Client) -> None:
    assert server.process is not None
    data = random.Random(1).randbytes(SIZE)
    known = {stored(api, data): data}
    [served] = known
    finishing, stalled = new_image(api), new_image(api)
    known[finishing] = data[::-1]
    with (
        Upload(server, finishing, known[finishing]) as good,
        Upload(server, stalled, data) as bad,
        Exchange(server, f"GET /v2/images/{served}/file") as reader,
        ThreadPoolExecutor(2) as pool,
    ):
        good.send(1000)
        bad.send(1000)
        assert reader.status() == 200
        for image in (finishing, stalled):
            wait_until("it has begun", partial(has_status, api, image, "saving"))
        server.process.send_signal(signal.SIGTERM)
        sending = pool.submit(send_slowly, good)
        reading = pool.submit(read_slowly, reader, SIZE)
        assert sending.result() == 204
        assert reading.result().endswith(data)
        # The one that does not go on is given up, and does not keep the service from ending.
        server.process.wait(DRAIN_SECONDS + DEADLINE_SECONDS)
        assert bad.status() != 204
    server.process = None
    server.start()
    images = check_promises(server, known)
    assert images[finishing]["status"] == "active"
    assert images[stalled]["status"] == "queued"


def test_idle_connections_do_not_delay_it(server: Server, api: httpx.Client) -> None:
    assert server.process is not None
    with Exchange(server, "GET /v2/images") as idle:
        assert idle.status() == 200
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE_SECONDS) in (0, -signal.SIGTERM)
    server.process = None
