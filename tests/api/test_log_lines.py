"""What a request leaves in the log: a line for each transfer, by whatever thread, with the request's id."""

import logging
from collections.abc import Iterator

import pytest

from glimpse.domain.correlation import REQUEST
from tests.api.world import Client

DATA = bytes(3_000_000)


class Lines(logging.Handler):
    """Remembers messages, with the request and the thread that they come from."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((REQUEST.get(), record.getMessage()))

    def about(self, words: str) -> list[tuple[str, str]]:
        return [line for line in self.lines if words in line[1]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    handler, logger = Lines(), logging.getLogger("glimpse")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_transfers(alice: Client, lines: Lines) -> None:
    image = alice.post("/v2/images", {"disk_format": "raw", "container_format": "bare"}).json()["id"]
    assert alice.upload(image, DATA, **{"X-OpenStack-Request-ID": "req-up"}).status_code == 204
    assert alice.get(f"/v2/images/{image}/file", x_openstack_request_id="req-down").content == DATA
    [(request, line)] = lines.about("written to file")
    assert request == "req-up"
    assert line.startswith(f"image {image} written to file: 3000000 bytes in ")
    [(request, line)] = lines.about(f"image {image} read: 3000000 bytes in ")
    assert request == "req-down"
    assert line.endswith(" bytes/s")


def test_a_transfer_that_fails(alice: Client, lines: Lines) -> None:
    image = alice.post("/v2/images", {"disk_format": "qcow2", "container_format": "bare"}).json()["id"]
    assert alice.upload(image, DATA, **{"X-OpenStack-Request-ID": "req-bad"}).status_code == 415
    [(request, line)] = lines.about("not written: 3000000 bytes")
    assert (request, image in line) == ("req-bad", True)


def test_threads_know_the_request(alice: Client, lines: Lines) -> None:
    image = alice.post("/v2/images", {"disk_format": "raw", "container_format": "bare"}).json()["id"]
    alice.upload(image, DATA)
    [[folder]] = alice.world.settings.image_folders
    [file] = folder.rglob(f"{image}*")
    file.unlink()
    assert alice.get(f"/v2/images/{image}/file", x_openstack_request_id="req-lost").status_code == 204
    assert [request for request, _ in lines.about(f"image {image} has no data")] == ["req-lost"]
