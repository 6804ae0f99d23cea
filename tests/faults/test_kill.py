"""kill -9 in the middle of things."""

import itertools
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.promises import (
    QUICK_LEASE,
    check_promises,
    new_image,
    show,
    stored,
    upload,
    wait_until,
)
from tests.faults.wire import Exchange, Upload
from tests.server import Server, running

pytestmark = pytest.mark.faults

SEED = 9292

# So many uploads must have been torn; each one at a moment of its own.
MOMENTS = 100
TOGETHER = 10
MOST_ROUNDS = 40

# What happens between the first event of a round and the kill, in seconds. Receiving the last byte, fsync,
# and the transaction that publishes take about a third of it on a quiet machine.
ROUND_SECONDS = 0.12

Event = tuple[float, Callable[[], object]]


@pytest.fixture
def victims(server: Server) -> Iterator[Iterator[Server]]:
    """One server after the other on the state of `server`, each ready to be killed."""
    names = (f"victim-{number}" for number in itertools.count())
    living: list[Server] = []

    def start(name: str) -> Server:
        victim = Server(server.state, QUICK_LEASE, name=name)
        living.append(victim)
        victim.start()
        with victim.client() as api:  # the first request pays for the password
            assert api.get("/v2/images", params={"limit": 1}).status_code == 200
        return victim

    def ready() -> Iterator[Server]:
        # The next one starts while the present one is attacked.
        with ThreadPoolExecutor(1) as pool:
            coming = pool.submit(start, next(names))
            while True:
                victim = coming.result()
                coming = pool.submit(start, next(names))
                yield victim

    iterator = ready()
    yield iterator
    iterator.close()  # type: ignore[attr-defined]
    for victim in living:
        victim.kill()


def run(events: list[Event]) -> None:
    """Let things happen at their times."""
    begin = time.monotonic()
    for moment, happen in sorted(events, key=lambda event: event[0]):
        time.sleep(max(0.0, begin + moment - time.monotonic()))
        happen()


def at_random_stages(uploads: list[Upload], chance: random.Random) -> list[Event]:
    """Events that leave a third of the uploads while bytes come in, and the rest around their last byte."""
    events: list[Event] = []
    for number, current in enumerate(uploads):
        size = len(current.body)
        times = sorted(chance.uniform(0, ROUND_SECONDS) for _ in range(3))
        rest = chance.randrange(1, size // 2)
        if number % 3 == 0:
            pieces = [(moment, size // 4) for moment in times]
        elif number % 3 == 1:
            pieces = [(0.0, size - rest), (times[2], rest)]
        else:
            pieces = [(times[0], size)]
        events += [(moment, partial(current.send, count)) for moment, count in pieces]
    return events


def tear_uploads(
    victim: Server, images: list[str], known: dict[str, bytes], chance: random.Random
) -> set[str]:
    """Upload to all images and kill the server meanwhile; those whose upload was answered."""
    uploads = []
    for image in images:
        known[image] = chance.randbytes(chance.choice((5_000, 100_000, 700_000, 1_500_000)))
        uploads.append(Upload(victim, image, known[image], chunked=chance.random() < 0.5))
    run([*at_random_stages(uploads, chance), (ROUND_SECONDS, victim.kill)])
    answered = set()
    for current in uploads:
        with current:
            status = current.status()
        assert status in (204, None), (status, current.received)
        if status == 204:
            answered.add(current.image)
    return answered


def upload_again(server: Server, known: dict[str, bytes], queued: list[str]) -> None:
    """What a kill has left can be used at once."""
    with server.client() as api:
        for image in queued:
            known[image] = image.encode() * 100
            upload(api, image, known[image])


def test_uploads(server: Server, api: httpx.Client, victims: Iterator[Server]) -> None:
    chance = random.Random(SEED)
    known: dict[str, bytes] = {}
    answered: set[str] = set()
    for victim in itertools.islice(victims, MOST_ROUNDS):
        answered |= tear_uploads(victim, [new_image(api) for _ in range(TOGETHER)], known, chance)
        if len(known) - len(answered) >= MOMENTS:
            break
    assert len(known) - len(answered) >= MOMENTS
    images = check_promises(server, known)
    assert images.keys() == known.keys()
    queued = [image for image in images if images[image]["status"] == "queued"]
    assert not answered & set(queued)
    # Else the moments are not what they are meant to be.
    assert answered
    assert queued
    upload_again(server, known, queued)
    after = check_promises(server, known)
    assert {image["status"] for image in after.values()} == {"active"}


def tear_deletes(victim: Server, images: list[str], chance: random.Random) -> set[str]:
    """Delete all images and kill the server meanwhile; those whose delete was answered."""
    requests: dict[str, Exchange] = {}

    def delete(image: str) -> None:
        requests[image] = Exchange(victim, f"DELETE /v2/images/{image}")

    length = ROUND_SECONDS / 2
    events: list[Event] = [(chance.uniform(0, length), partial(delete, image)) for image in images]
    run([*events, (length, victim.kill)])
    answered = set()
    for image, request in requests.items():
        with request:
            status = request.status()
        assert status in (204, None), (status, request.received)
        if status == 204:
            answered.add(image)
    return answered


def test_deletes(server: Server, api: httpx.Client, victims: Iterator[Server]) -> None:
    chance = random.Random(SEED)
    known: dict[str, bytes] = {}
    deleted: set[str] = set()
    # On a slow machine the kill may come before any of a round's deletes.
    for turn, victim in enumerate(itertools.islice(victims, 16)):
        if turn >= 4 and deleted:
            break
        images = []
        for data in (chance.randbytes(20_000) for _ in range(TOGETHER)):
            images.append(stored(api, data))
            known[images[-1]] = data
        deleted |= tear_deletes(victim, images, chance)
    left = check_promises(server, known)
    assert deleted
    assert not deleted & left.keys()
    assert {image["status"] for image in left.values()} <= {"active"}


def test_alone_and_started_again(server: Server) -> None:
    chance = random.Random(SEED)
    known: dict[str, bytes] = {}
    for _ in range(2):
        with server.client() as api:
            images = [new_image(api) for _ in range(6)]
        tear_uploads(server, images, known, chance)
        server.start()
        after = check_promises(server, known)
        queued = [image for image in images if after[image]["status"] == "queued"]
        upload_again(server, known, queued)
    assert {image["status"] for image in check_promises(server, known).values()} == {"active"}


def workers(server: Server) -> list[int]:
    """The processes that answer requests."""
    assert server.process is not None
    supervisor = server.process.pid
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    return [int(child) for child in children if is_worker(int(child))]


def is_worker(process: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False


def test_one_worker_of_two(tmp_path: Path) -> None:
    chance = random.Random(SEED)
    known: dict[str, bytes] = {}
    with running(tmp_path / "glimpse", f"workers = 2\n{QUICK_LEASE}") as server:
        for _ in range(2):
            wait_until("there are two workers", lambda: len(workers(server)) == 2)
            with server.client() as api:
                images = [new_image(api) for _ in range(8)]
            victim = chance.choice(workers(server))
            uploads = []
            for image in images:
                known[image] = chance.randbytes(300_000)
                uploads.append(Upload(server, image, known[image]))
            kill = partial(os.kill, victim, signal.SIGKILL)
            run([*at_random_stages(uploads, chance), (ROUND_SECONDS, kill)])
            answers = {current.image: current.finish() for current in uploads}
            assert set(answers.values()) <= {204, None}
            images_now = check_promises(server, known)
            assert all(images_now[image]["status"] == "active" for image in images if answers[image] == 204)


def test_readers_see_nothing_half(server: Server, api: httpx.Client, victims: Iterator[Server]) -> None:
    """While bytes come in, and after the death of the process that took them, there is nothing to read."""
    image = new_image(api)
    victim = next(victims)
    with Upload(victim, image, bytes(1_000_000)) as current:
        current.send(500_000)
        wait_until("it has begun", lambda: show(api, image)["status"] == "saving")
        assert api.get(f"/v2/images/{image}/file").status_code == 204
        victim.kill()
    wait_until("it is undone", lambda: show(api, image)["status"] == "queued")
    assert api.get(f"/v2/images/{image}/file").status_code == 204
    check_promises(server, {})
