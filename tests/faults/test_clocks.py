"""Nodes whose clocks differ by minutes share one database, and do not take each other's work away."""

import contextlib
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.promises import check_promises, has_status, new_image, wait_until
from tests.faults.test_registry import node, registry
from tests.faults.wire import Upload
from tests.server import Server, free_port

pytestmark = pytest.mark.faults

MINUTES = {"late": "-300s", "early": "+300s"}
LEASE = 3.0
PIECE = 1000


@pytest.fixture
def library() -> Path:
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not installed: apt-get install faketime")
    return found[0]


@pytest.fixture
def nodes(tmp_path: Path, library: Path) -> Iterator[dict[str, Server]]:
    """One whose clock is the registry's, one that is behind, and one before it that does not run yet."""
    port = free_port()
    made = {name: node(tmp_path, name, port, lease=LEASE) for name in ("one", *MINUTES)}
    for name, difference in MINUTES.items():
        made[name].environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME": difference,
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
    with contextlib.ExitStack() as stack:
        (tmp_path / "one").mkdir()
        stack.enter_context(registry(tmp_path, port))
        for server in made.values():
            stack.callback(server.stop)
        for name in ("one", "late"):
            made[name].start()
        yield made


def test_uploads_at_nodes_whose_clocks_differ(nodes: dict[str, Server]) -> None:
    chance = random.Random(5)
    uploads, known = [], {}
    for server in nodes.values():
        if server.process is None:
            # What it finds when it starts is not left, though all of it seems to be minutes old.
            server.start()
        with server.client() as api:
            image = new_image(api)
        known[image] = chance.randbytes(20 * PIECE)
        uploads.append(Upload(server, image, known[image]))
        uploads[-1].send(PIECE)
    for _ in range(15):
        assert all(upload.send(PIECE) for upload in uploads)
        time.sleep(2 * LEASE / 15)
    assert [upload.finish() for upload in uploads] == [204] * len(uploads)
    images = check_promises(nodes["one"], known)
    assert {image["status"] for image in images.values()} == {"active"}
    for name, words in (("late", "behind"), ("early", "before")):
        assert f"the clock of this machine is 300 seconds {words} that of the database" in nodes[name].log()
    for name in MINUTES:
        killed_amid_an_upload(nodes[name], nodes["one"])


def killed_amid_an_upload(victim: Server, survivor: Server) -> None:
    """What the victim leaves is settled by the others when its lease ends, and not five minutes later."""
    with victim.client() as api, survivor.client() as other:
        image = new_image(api)
        with Upload(victim, image, b"data" * PIECE) as upload:
            upload.send(PIECE)
            wait_until("it has begun", lambda: has_status(other, image, "saving"))
            victim.kill()
        wait_until("it is undone", lambda: has_status(other, image, "queued"))
