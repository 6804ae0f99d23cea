"""Imports whose worker is killed, sleeps or is told to stop: another one sees them to their end."""

import itertools
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.importing import (
    Import,
    another,
    begin,
    check_imports,
    failed_tasks,
    import_options,
    jobs,
    method,
    slowly,
    stage,
    web,
)
from tests.faults.promises import has_status, new_image, query, show, stored, wait_until
from tests.faults.wire import Exchange, Upload
from tests.server import Server, running
from tests.sources import Source, serving

pytestmark = pytest.mark.faults

SEED = 9292

# So many imports and stagings must have been torn, each at a moment of its own.
MOMENTS = int(os.environ.get("GLIMPSE_KILLS", "30"))
MOST_ROUNDS = 10 + MOMENTS

# The latest kill of a round, in seconds from its first event: by then a quiet machine has done most of it.
ROUND_SECONDS = 0.35

# Of so many images a round each method imports.
EACH = 2


class Stage(Upload):
    """A PUT of data that is to be imported."""

    resource = "stage"


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    state = tmp_path / "glimpse"
    with running(state, import_options(state)) as started:
        yield started


class Round:
    """What is under way when a server is killed: `known` is the data of each image, `wanted` the imports that
    were asked for, of which those that were `accepted` must be done.
    """

    def __init__(self, api: httpx.Client, source: Source, known: dict[str, bytes], seed: int) -> None:
        self.chance = random.Random(seed)
        self.known = known
        self.accepted: set[str] = set()
        self.wanted: dict[str, Mapping[str, Any]] = {}
        self.staging = [new_image(api) for _ in range(EACH)]
        for image in self.staging:
            known[image] = self._data()
        for number in range(EACH):
            both = {"stores": ["one", "two"]}
            elsewhere = {"stores": ["two"]} if number else both
            self._note(image := new_image(api), data := self._data(), web(source.url(f"/{image}"), **both))
            source.pages[f"/{image}"] = slowly(data)
            self._note(stage(api, data := self._data()), data, method("glance-direct", **elsewhere))
            self._note(stored(api, data := self._data()), data, method("copy-image", stores=["two"]))

    def _data(self) -> bytes:
        return self.chance.randbytes(self.chance.choice((10_000, 1_000_000, 4_000_000)))

    def _note(self, image: str, data: bytes, wanted: Mapping[str, Any]) -> None:
        self.known[image], self.wanted[image] = data, wanted

    def tear(self, victim: Server) -> int:
        """Begin everything and kill the server meanwhile: how much was torn."""
        begun: dict[str, Exchange] = {}
        uploads = [Stage(victim, image, self.known[image]) for image in self.staging]
        end = time.monotonic() + self.chance.uniform(0.02, ROUND_SECONDS)
        for image, wanted in self.chance.sample(sorted(self.wanted.items()), len(self.wanted)):
            begun[image] = Import(victim, image, wanted)
            if self.chance.random() < 0.5:
                begun[image].status()
        for upload in uploads:
            upload.send(self.chance.randrange(len(upload.body) + 1))
        time.sleep(max(0.0, end - time.monotonic()))
        victim.kill()
        torn = len(jobs(victim.state) & begun.keys())
        for image, request in [*begun.items(), *zip(self.staging, uploads, strict=True)]:
            with request:
                status = request.status()
            assert status in (202, 204, None), (image, request.received)
            torn += status is None and image in self.staging
            if status is not None:
                self.accepted.add(image)
        return torn


def test_killed(server: Server, source: Source) -> None:
    """Each image becomes active, except that what was not staged to the end was not staged at all."""
    known: dict[str, bytes] = {}
    rounds: list[Round] = []
    torn = 0
    with server.client() as api:
        for number in itertools.count():
            assert number < MOST_ROUNDS
            with another(server, f"victim-{number}") as victim:
                rounds.append(Round(api, source, known, SEED + number))
                torn += rounds[-1].tear(victim)
            if torn >= MOMENTS:
                break
        images = check_imports(server, known)
        # The next victims may have had the same job, and died too, until nobody tried again.
        unlucky = {image for image in known if failed_tasks(api, [image])}
        assert set(failed_tasks(api, unlucky)) <= {"its workers ended while they did it, every time"}
        assert len(unlucky) < len(known) / 2
        for one in rounds:
            one.accepted -= unlucky
            check_round(one, images)
        finish(api, rounds, {image: images[image] for image in known.keys() - unlucky})
    after = check_imports(server, known)
    assert {after[image]["status"] for image in known.keys() - unlucky} == {"active"}


def check_round(one: Round, images: Mapping[str, Mapping[str, Any]]) -> None:
    """What was answered is true."""
    for image in one.accepted & one.wanted.keys():
        document = images[image]
        assert document["status"] == "active", document
        assert set(one.wanted[image]["stores"]) <= set(document["stores"].split(",")), document
    for image in one.staging:
        possible = {"uploading"} if image in one.accepted else {"queued", "uploading"}
        assert images[image]["status"] in possible


def finish(api: httpx.Client, rounds: list[Round], images: Mapping[str, Mapping[str, Any]]) -> None:
    """What a kill has left can be used at once."""
    headers = {"Content-Type": "application/octet-stream"}
    for one in rounds:
        for image in one.staging:
            if images[image]["status"] == "queued":
                data = one.known[image]
                answer = api.put(f"/v2/images/{image}/stage", content=data, headers=headers)
                assert answer.status_code == 204, answer.text
            begin(api, image, method("glance-direct"))
        for image, wanted in one.wanted.items():
            if image in images and images[image]["status"] != "active":
                begin(api, image, wanted)


@pytest.fixture
def disk(tmp_path: Path) -> tuple[bytes, bytes]:
    """A disk as qcow2, and its bytes."""
    data = random.Random(SEED).randbytes(6_000_000).ljust(8 * 1024 * 1024, b"\0")
    (tmp_path / "raw").write_bytes(data)
    command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", str(tmp_path / "raw")]
    subprocess.run([*command, str(tmp_path / "qcow2")], check=True)
    return (tmp_path / "qcow2").read_bytes(), data


def test_killed_during_conversion(tmp_path: Path, disk: tuple[bytes, bytes]) -> None:
    state, chance = tmp_path / "glimpse", random.Random(SEED)
    options = import_options(state, "[image_import_opts]\nimage_import_plugins = [image_conversion]\n")
    known: dict[str, bytes] = {}
    torn: set[str] = set()
    with running(state, options) as server, server.client() as api:
        for number in range(MOST_ROUNDS):
            images = [stage(api, disk[0], "qcow2") for _ in range(EACH)]
            known |= dict.fromkeys(images, disk[1])
            with another(server, f"victim-{number}") as victim, victim.client() as theirs:
                for image in images:
                    begin(theirs, image, method("glance-direct", stores=["one", "two"]))
                    time.sleep(chance.uniform(0, 0.2))
                victim.kill()
            torn |= jobs(state)
            if len(torn) >= MOMENTS // 6:
                break
        documents = check_imports(server, known)
        assert torn
        assert {(image["status"], image["disk_format"]) for image in documents.values()} == {
            ("active", "raw")
        }
        # What a dead process left in the scratch folder goes with the next import.
        known[image := stage(api, disk[0], "qcow2")] = disk[1]
        begin(api, image, method("glance-direct"))
        check_imports(server, known)
        assert list((state / "scratch").iterdir()) == []


def send_signal(server: Server, number: signal.Signals) -> None:
    assert server.process is not None
    os.killpg(server.process.pid, number)


def holder(state: Path, image: str) -> str:
    """The worker that imports an image."""
    rows = query(state, f"SELECT worker FROM glimpse_jobs WHERE subject = '{image}'")
    return str(rows[0][0]) if rows else ""


def put_to_sleep(server: Server) -> None:
    """Stop it, but not in the middle of a transaction: SQLite has nobody who would end that one."""
    while True:
        send_signal(server, signal.SIGSTOP)
        wait_until("every thread stands still", partial(is_asleep, server))
        database = sqlite3.connect(server.state / "glimpse.db", timeout=0.2)
        with suppress(sqlite3.OperationalError), closing(database) as connection:
            connection.execute("BEGIN IMMEDIATE")
            return
        send_signal(server, signal.SIGCONT)
        time.sleep(0.1)


def is_asleep(server: Server) -> bool:
    """Whether its threads have heard of the signal: one that is at work in the kernel ends that first."""
    assert server.process is not None
    threads = Path(f"/proc/{server.process.pid}/task").glob("*/stat")
    return {thread.read_text().rpartition(")")[2].split()[0] for thread in threads} == {"T"}


def test_sleeper(server: Server, source: Source) -> None:
    """Whoever wakes up after its lease publishes nothing any more, and takes no bytes along."""
    data = random.Random(SEED).randbytes(6_000_000)
    with another(server, "sleeper") as sleeper, server.client() as api, sleeper.client() as theirs:
        known: dict[str, bytes] = {}
        for _ in range(2):
            wanted = {
                (image := new_image(api)): web(source.url(f"/{image}")),
                stage(api, data): method("glance-direct"),
                stored(api, data): method("copy-image"),
            }
            source.pages[f"/{image}"] = slowly(data)
            for image, one in wanted.items():
                known[image] = data
                begin(theirs, image, {**one, "stores": ["two"]})
        # They are at different places then.
        put_to_sleep(sleeper)
        assert jobs(server.state)
        images = check_imports(server, known)
        assert {image["status"] for image in images.values()} == {"active"}
        send_signal(sleeper, signal.SIGCONT)
        wait_until("it answers again", lambda: theirs.get("/healthcheck").status_code == 200)
        # It looks for what it still holds every half second.
        time.sleep(1.0)
        assert check_imports(server, known) == images
        assert failed_tasks(api, known) == []


def test_told_to_stop(tmp_path: Path, source: Source) -> None:
    """The lease is long here: nobody waits for it."""
    state, data = tmp_path / "glimpse", random.Random(SEED).randbytes(2_000_000)
    options = import_options(state).replace("lease_seconds = 2", "lease_seconds = 3600")
    with running(state, options) as server, server.client() as api:
        with another(server, "leaving") as leaving, leaving.client() as theirs:
            image = new_image(api)
            source.pages[f"/{image}"] = slowly(data, pieces=20, pause=0.3)
            begin(theirs, image, web(source.url(f"/{image}"), stores=["one", "two"]))
            wait_until("it has begun", lambda: len(source.requests) > 0)
            first = holder(state, image)
            source.pages[f"/{image}"] = slowly(data)
            leaving.stop()
            wait_until("it is done", partial(has_status, api, image, "active"))
        assert first != ""
        assert show(api, image)["stores"] == "one,two"
        check_imports(server, {image: data})
