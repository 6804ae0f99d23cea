"""`glance-replicator` between two services."""

import json
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import AbstractContextManager
from itertools import chain, repeat
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from glimpse.compute.fetch import PIECE
from glimpse.compute.images import Body, ImageService
from glimpse.config.commands import NOT_REPLICATED
from glimpse.replication.dump import Dump
from glimpse.replication.verbs import How, Outcome, compare, dump, livecopy, load
from tests.commands.replicating import (
    OPEN,
    add,
    address,
    ask,
    data_of,
    everything,
    program,
    replicate,
    service,
    show,
)
from tests.relay import Relay
from tests.server import Server, running

DATA = random.Random(7).randbytes(3 * 1024 * 1024)
HOW = How(NOT_REPLICATED.split(), metaonly=False, chunk_size=64 * 1024)
META = How(NOT_REPLICATED.split(), metaonly=True, chunk_size=64 * 1024)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@pytest.fixture(scope="module")
def servers(home: Path) -> Iterator[tuple[Server, Server]]:
    with running(home / "source", OPEN) as source, running(home / "target", OPEN) as target:
        yield source, target


@pytest.fixture
def source(servers: tuple[Server, Server]) -> Iterator[Server]:
    """The source. After the test neither service has an image."""
    yield servers[0]
    for server in servers:
        for image_id in everything(server):
            ask(server, "DELETE", f"/{image_id}")


@pytest.fixture
def target(source: Server, servers: tuple[Server, Server]) -> Server:
    return servers[1]


def copy(source: Server, target: Server, how: How = HOW) -> Counter[Outcome]:
    return livecopy(service(source.url), service(target.url), how)


def test_a_service_is_copied_into_another(source: Server, target: Server, home: Path) -> None:
    fields: dict[str, Any] = {"name": "one", "tags": ["b", "a"], "visibility": "community", "min_disk": 3}
    fields["owner"] = "p1"
    one = add(source, DATA, **fields, os_type="linux")
    two = add(source, b"", os_hidden=True)
    add(source, None)
    code, _, log = replicate(home, "livecopy", address(source), address(target))
    assert code == 0
    assert "copied: 2, changed: 0, unchanged: 0, skipped: 1, failed: 0" in log.splitlines()[-1]
    copied = show(target, one["id"])
    assert {name for name in one if one[name] != copied[name]} <= {"created_at", "updated_at"}
    assert data_of(target, one["id"]) == DATA
    assert everything(target) == {one["id"], two["id"]}
    assert copy(source, target) == {Outcome.UNCHANGED: 2, Outcome.SKIPPED: 1}
    assert replicate(home, "compare", address(source), address(target))[0] == 0


def test_what_differs_is_told_and_brought_over(source: Server, target: Server, home: Path) -> None:
    one, two = add(source, b"one", name="one"), add(source, b"two", name="two")
    add(target, b"one", id=one["id"], name="other", mine="stays")
    code, _, log = replicate(home, "compare", address(source), address(target))
    assert code == 1
    assert f"{one['id']}: field name differs (source is one, target is other)" in log
    assert f'Image {two["id"]} ("two") is entirely missing' in log
    assert copy(source, target, META) == {Outcome.CHANGED: 1, Outcome.SKIPPED: 1}
    copied = show(target, one["id"])
    assert (copied["name"], copied["mine"]) == ("one", "stays")
    assert everything(target) == {one["id"]}


def test_other_data_is_not_taken_for_a_copy(source: Server, target: Server) -> None:
    one = add(source, b"one")
    add(target, b"two", id=one["id"])
    assert copy(source, target) == {Outcome.FAILED: 1}
    assert compare(service(source.url), service(target.url), HOW).different == [one["id"]]


def test_the_size_is_told(source: Server, home: Path) -> None:
    add(source, DATA)
    add(source, b"1234")
    code, output, _ = replicate(home, "size", source.url)
    assert (code, output) == (0, "Total size is 3145732 bytes (3.0 MiB) across 2 images\n")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The ranges of bytes that are read in this process."""
    ranges: list[tuple[int, int]] = []
    read = ImageService.read

    def noting(self: ImageService, image_id: str, first: int, last: int) -> AbstractContextManager[Body]:
        ranges.append((first, last))
        return read(self, image_id, first, last)

    monkeypatch.setattr(ImageService, "read", noting)
    return ranges


def test_a_dump_that_was_killed_goes_on(
    source: Server, target: Server, tmp_path: Path, asked: list[tuple[int, int]]
) -> None:
    data = DATA * 6
    image = add(source, data, name="one", os_type="linux")
    folder, name = tmp_path / "dump", f"{image['id']}.img"
    relay = Relay(source.url)
    # The list and the first piece come through, the second does not.
    relay.cut_after = chain([PIECE + len(DATA) // 2], repeat(0))
    process = subprocess.Popen([program(), "dump", relay.url, str(folder)])
    finished = folder / f"{name}.part.finished"
    try:
        while not (finished.exists() and finished.read_text()):
            assert process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait(30)
    finally:
        process.kill()
        relay.close()
    assert not (folder / image["id"]).exists()
    assert dump(service(source.url), Dump(folder), HOW) == {Outcome.COPIED: 1}
    assert asked == [(PIECE, len(data) - 1)]
    assert (folder / name).read_bytes() == data
    assert sorted(path.name for path in folder.iterdir()) == [image["id"], name]
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert dump(service(source.url), Dump(folder), HOW) == {Outcome.UNCHANGED: 1}
    assert load(Dump(folder), service(target.url), HOW) == {Outcome.COPIED: 1}
    assert data_of(target, image["id"]) == data
    assert show(target, image["id"])["os_type"] == "linux"


def test_a_copy_goes_on_where_the_source_broke(source: Server, target: Server) -> None:
    image = add(source, DATA)
    relay = Relay(source.url)
    relay.cut_after = repeat(1024 * 1024)
    try:
        assert livecopy(service(relay.url), service(target.url), HOW) == {Outcome.COPIED: 1}
    finally:
        relay.close()
    assert relay.connections > 3
    assert data_of(target, image["id"]) == DATA


def test_damaged_data_never_becomes_active(
    source: Server, target: Server, caplog: pytest.LogCaptureFixture
) -> None:
    one, two = add(source, DATA, name="one"), add(source, b"two")
    (path,) = [path for path in (source.state / "images").rglob("*") if path.name == one["id"]]
    path.write_bytes(DATA[:-1] + b"?")
    assert copy(source, target) == {Outcome.FAILED: 1, Outcome.COPIED: 1}
    assert f"The sha512 of the data of image {one['id']} is not {one['os_hash_value']}" in caplog.text
    assert data_of(target, two["id"]) == b"two"
    assert show(target, one["id"])["status"] != "active"
    path.write_bytes(DATA)
    # The target may take a while to see that the upload has ended.
    deadline = time.monotonic() + 60
    while show(target, one["id"])["status"] == "saving":
        assert time.monotonic() < deadline
    assert copy(source, target) == {Outcome.COPIED: 1, Outcome.UNCHANGED: 1}
    assert data_of(target, one["id"]) == DATA


def test_what_glance_dumped_from_its_first_api_is_loaded(target: Server, tmp_path: Path) -> None:
    image_id = str(uuid4())
    document = {
        **{"id": image_id, "name": "old", "status": "active", "size": 4, "is_public": True, "checksum": None},
        **{"disk_format": "raw", "container_format": "bare", "min_disk": 1, "min_ram": 0, "owner": None},
        **{"protected": False, "deleted": False, "properties": {"os_type": "linux"}, "created_at": "2012"},
    }
    (tmp_path / image_id).write_text(json.dumps(document))
    (tmp_path / f"{image_id}.img").write_bytes(b"\xff\xfe\x00\x01")
    assert load(Dump(tmp_path), service(target.url), HOW) == {Outcome.COPIED: 1}
    loaded = show(target, image_id)
    assert (loaded["visibility"], loaded["os_type"], loaded["min_disk"]) == ("public", "linux", 1)
    assert data_of(target, image_id) == b"\xff\xfe\x00\x01"


def test_half_a_dump_is_not_loaded(source: Server, target: Server, tmp_path: Path) -> None:
    image = add(source, DATA)
    assert dump(service(source.url), Dump(tmp_path), HOW) == {Outcome.COPIED: 1}
    path = tmp_path / f"{image['id']}.img"
    path.write_bytes(DATA[:1000])
    assert load(Dump(tmp_path), service(target.url), HOW) == {Outcome.FAILED: 1}
    assert everything(target) == set()
    path.write_bytes(DATA[:-1] + b"?")
    assert load(Dump(tmp_path), service(target.url), HOW) == {Outcome.FAILED: 1}
    assert show(target, image["id"])["status"] != "active"
