"""Clients that go away in the middle. The lease is long here: nobody waits for it."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.handles import open_images
from tests.faults.promises import (
    check_promises,
    files,
    has_status,
    intents,
    new_image,
    show,
    upload,
    wait_until,
)
from tests.faults.wire import Exchange, Upload
from tests.server import Server, running

pytestmark = pytest.mark.faults

SIZE = 3_000_000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with running(tmp_path / "glimpse", "[glimpse]\nlease_seconds = 3600\n") as started:
        yield started


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_sender_goes_away(server: Server, api: httpx.Client, chunked: bool) -> None:
    known: dict[str, bytes] = {}
    for sent in (0, 1, 100_000, SIZE // 2, SIZE - 1):
        image = new_image(api)
        with Upload(server, image, bytes(SIZE), chunked=chunked) as current:
            if sent:
                current.send(sent)
            wait_until("it has begun", partial(has_status, api, image, "saving"))
        wait_until("it is undone", partial(has_status, api, image, "queued"))
        wait_until("nothing is under way", lambda: not intents(server.state))
        assert files(server.state) == set(known)
        known[image] = image.encode()
        upload(api, image, known[image])
    check_promises(server, known)


def test_deleted_meanwhile(server: Server, api: httpx.Client) -> None:
    image = new_image(api)
    with Upload(server, image, bytes(SIZE)) as current:
        current.send(SIZE // 2)
        wait_until("it has begun", lambda: show(api, image)["status"] == "saving")
        assert api.delete(f"/v2/images/{image}").status_code == 204
        assert current.finish() in (404, 410)
    check_promises(server, {})


def test_reader_goes_away(server: Server, api: httpx.Client) -> None:
    image, data = new_image(api), bytes(range(256)) * 100_000
    upload(api, image, data)
    for _ in range(20):
        with Exchange(server, f"GET /v2/images/{image}/file") as reader:
            assert reader.status() == 200
            assert open_images(server) > 0
    wait_until("no file is open any more", lambda: open_images(server) == 0)
    assert api.get(f"/v2/images/{image}/file").content == data
