"""Jobs are done by `glimpse worker` processes, and outlive each of them."""

import hashlib
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from glimpse.jobs.engine import POLL
from tests.faults.promises import has_status, new_image, show, wait_until
from tests.faults.workers import Gate, Workers, gated, job, process_of
from tests.server import running
from tests.sources import DATA, Source

pytestmark = pytest.mark.faults

OPTIONS = (
    "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
    "[glimpse]\nrun_jobs = false\nlease_seconds = {lease}\n"
)
DIGESTS = {"os_hash_algo": "sha256", "os_hash_value": hashlib.sha256(DATA).hexdigest()}


@pytest.fixture
def source() -> Iterator[tuple[Source, Gate]]:
    with gated() as source:
        yield source


@pytest.fixture
def workers(tmp_path: Path, lease: float) -> Iterator[Workers]:
    with (
        running(tmp_path / "glimpse", OPTIONS.format(lease=lease)) as server,
        closing(Workers(server)) as workers,
    ):
        yield workers


@pytest.fixture
def api(workers: Workers) -> Iterator[httpx.Client]:
    with workers.server.client() as api:
        yield api


def begin_import(api: httpx.Client, source: Source) -> tuple[str, str]:
    """The ids of an image that will be active when all of its data has been read, and of the job."""
    image = new_image(api)
    body = {"url": source.url("/gate"), "validation_data": DIGESTS}
    answer = api.post(f"/v2/images/{image}/locations", json=body)
    assert answer.status_code == 202, answer.text
    [task] = api.get(f"/v2/images/{image}/tasks").json()["tasks"]
    return image, task["id"]


def is_done_by(api: httpx.Client, job_id: str, processes: set[int]) -> bool:
    return process_of(api, job_id) in processes


@pytest.mark.parametrize("lease", [1.5])
def test_the_worker_is_killed(workers: Workers, api: httpx.Client, source: tuple[Source, Gate]) -> None:
    image, job_id = begin_import(api, source[0])
    # The server leaves it alone.
    time.sleep(2 * POLL)
    assert (job(api, job_id)["status"], source[0].requests) == ("waiting", [])
    pair = {workers.start(), workers.start()}
    wait_until("a worker has some bytes", lambda: job(api, job_id)["bytes_done"] > 0)
    victim = process_of(api, job_id)
    assert victim in pair
    [task] = api.get(f"/v2/images/{image}/tasks").json()["tasks"]
    assert " of 256 KiB" in task["message"]
    workers.end(victim, signal.SIGKILL)
    assert workers.status(victim) == -signal.SIGKILL
    wait_until("the other one does it", lambda: is_done_by(api, job_id, pair - {victim}))
    assert (job(api, job_id)["attempts"], show(api, image)["status"]) == (2, "importing")
    source[1].open()
    wait_until("the image is active", lambda: has_status(api, image, "active"))
    assert show(api, image)["os_hash_value"] == DIGESTS["os_hash_value"]
    assert api.get(f"/v2/images/{image}/file").content == DATA
    assert job(api, job_id) == {}
    [task] = api.get(f"/v2/images/{image}/tasks").json()["tasks"]
    assert (task["status"], task["message"]) == ("success", "")


# As long as this nobody waits: it is taken over since it was let go.
@pytest.mark.parametrize("lease", [3600])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_worker_is_told_to_stop(
    workers: Workers, api: httpx.Client, source: tuple[Source, Gate], number: signal.Signals
) -> None:
    first = workers.start()
    image, job_id = begin_import(api, source[0])
    wait_until("it has begun", lambda: is_done_by(api, job_id, {first}))
    second = workers.start()
    workers.end(first, number)
    wait_until("the other one does it", lambda: is_done_by(api, job_id, {second}))
    assert job(api, job_id)["attempts"] == 1
    source[1].open()
    assert workers.status(first) == 0
    wait_until("the image is active", lambda: has_status(api, image, "active"))


@pytest.mark.parametrize("lease", [1.5])
def test_what_a_worker_does_is_cancelled(
    workers: Workers, api: httpx.Client, source: tuple[Source, Gate]
) -> None:
    worker = workers.start()
    image, job_id = begin_import(api, source[0])
    wait_until("it has begun", lambda: is_done_by(api, job_id, {worker}))
    assert api.delete(f"/v2/jobs/{job_id}").status_code == 202
    wait_until("it is given up", lambda: job(api, job_id) == {})
    assert has_status(api, image, "queued")
    [task] = api.get(f"/v2/images/{image}/tasks").json()["tasks"]
    assert (task["status"], task["message"]) == ("failure", "it was cancelled")
