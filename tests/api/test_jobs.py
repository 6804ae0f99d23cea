"""Jobs, as those see them who wait for what they do."""

import time

import pytest

from glimpse.jobs.ports import Job, Progress
from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, READER, Client, Json, World
from tests.sources import Source

RULES = "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
MIB = 2**20


@pytest.fixture
def open_world(make_world: MakeWorld) -> World:
    return make_world(RULES)


@pytest.fixture
def alice(open_world: World) -> Client:
    return open_world.client(ALICE)


def begin(client: Client, source: Source, path: str = "/image") -> tuple[Json, str]:
    """An image that gets its location by a job, and the job's path."""
    image = client.create()
    assert client.post(f"/v2/images/{image['id']}/locations", {"url": source.url(path)}).status_code == 202
    return image, f"/v2/jobs/{task_of(client, image)['id']}"


def task_of(client: Client, image: Json) -> Json:
    [task] = client.get(f"/v2/images/{image['id']}/tasks").json()["tasks"]
    return dict(task)


def claim(world: World, *, progress: Progress | None = None, lease: float = 60.0) -> Job:
    """Another worker takes a job, and may be so far with it."""
    records, now = world.service.catalog.records, time.time()
    [job] = records.jobs.claim("location_import", "elsewhere", now + lease, now, 1)
    records.tasks.begin(job.id, world.clock())
    if progress is not None:
        records.jobs.renew({job.id: progress}, "elsewhere", now + lease)
    return job


def test_a_job_from_its_beginning_to_its_end(alice: Client, source: Source) -> None:
    image, path = begin(alice, source)
    waiting = {
        "id": path.rpartition("/")[2],
        "kind": "location_import",
        "image_id": image["id"],
        "status": "waiting",
        "bytes_done": 0,
        "bytes_total": None,
        "bytes_per_second": 0,
        "attempts": 0,
        "last_error": None,
        "worker": None,
        "due_at": None,
    }
    assert alice.get(path).json() == waiting
    assert alice.get("/v2/jobs").json() == {"jobs": [waiting], "first": "/v2/jobs"}
    claim(alice.world, progress=Progress(12 * MIB, 100 * MIB, 34.4 * MIB))
    running = alice.get(path).json()
    assert running.pop("due_at").endswith("Z")
    assert running == {
        **{name: waiting[name] for name in ("id", "kind", "image_id", "last_error")},
        "status": "running",
        "bytes_done": 12 * MIB,
        "bytes_total": 100 * MIB,
        "bytes_per_second": round(34.4 * MIB),
        "attempts": 1,
        "worker": "elsewhere",
    }
    alice.world.later = 100
    alice.world.do_jobs()
    assert alice.get(path).status_code == 404
    assert alice.get("/v2/jobs").json()["jobs"] == []
    assert task_of(alice, image)["status"] == "success"


def test_a_task_says_how_far_it_is(alice: Client, source: Source) -> None:
    image, path = begin(alice, source)
    # It is pending: there is nothing to tell yet.
    assert task_of(alice, image)["message"] == ""
    claim(alice.world, progress=Progress(12 * MIB, 100 * MIB, 34.0 * MIB))
    text = "12 of 100 MiB, 34 MiB/s"
    assert task_of(alice, image)["message"] == text
    admin = alice.world.client(ADMIN)
    shown = admin.get(path.replace("jobs", "tasks")).json()
    assert (shown["status"], shown["message"]) == ("processing", text)
    alice.world.later = 100
    alice.world.do_jobs()
    assert admin.get(path.replace("jobs", "tasks")).json()["message"] == ""


def test_a_task_says_why_it_waits(alice: Client, source: Source) -> None:
    image, path = begin(alice, source, "/error")
    alice.world.do_jobs()
    task = task_of(alice, image)
    assert task["status"] == "processing"
    assert task["message"].startswith("waiting for attempt 2 after: ")
    assert "500" in task["message"]
    job = alice.get(path).json()
    assert (job["status"], job["attempts"], job["worker"]) == ("waiting", 1, None)
    assert "500" in job["last_error"]


def test_cancelling_what_waits(alice: Client, source: Source) -> None:
    image, path = begin(alice, source)
    answer = alice.delete(path)
    assert (answer.status_code, answer.content) == (202, b"")
    assert alice.get(path).json()["status"] == "cancelling"
    alice.world.do_jobs()
    assert alice.get(path).status_code == alice.delete(path).status_code == 404
    assert alice.show(image["id"])["status"] == "queued"
    task = task_of(alice, image)
    assert (task["status"], task["message"]) == ("failure", "it was cancelled")


def test_cancelling_what_is_done_elsewhere(alice: Client, source: Source) -> None:
    image, path = begin(alice, source)
    claim(alice.world)
    assert alice.delete(path).status_code == 202
    assert alice.get(path).json()["status"] == "cancelling"
    assert task_of(alice, image)["message"] == "being cancelled"
    # The other one dies before it hears of it.
    alice.world.later = 100
    alice.world.do_jobs()
    assert alice.show(image["id"])["status"] == "queued"


def test_who_may(alice: Client, source: Source) -> None:
    _, path = begin(alice, source)
    world = alice.world
    for persona, shown, cancelled, listed in (
        (BOB, 404, 404, 0),
        (READER, 200, 403, 1),
        (ADMIN, 200, 202, 1),
        (ALICE, 200, 202, 1),
    ):
        client = world.client(persona)
        assert client.get(path).status_code == shown
        assert client.delete(path).status_code == cancelled
        assert len(client.get("/v2/jobs").json()["jobs"]) == listed
    assert world.client("").get("/v2/jobs").status_code == 401
    assert alice.get("/v2/jobs/11111111-2222-4333-8444-555555555555").status_code == 404


def test_pages(alice: Client, source: Source) -> None:
    ids = sorted(begin(alice, source)[1].rpartition("/")[2] for _ in range(3))
    page = alice.get("/v2/jobs?limit=2").json()
    assert [job["id"] for job in page["jobs"]] == ids[:2]
    assert page["first"] == "/v2/jobs?limit=2"
    rest = alice.get(page["next"]).json()
    assert [job["id"] for job in rest["jobs"]] == ids[2:]
    assert "next" not in rest
    assert alice.get("/v2/jobs?limit=0").json()["jobs"] == []


@pytest.mark.parametrize("query", ["limit=-1", "limit=x", "marker=x"])
def test_queries_that_make_no_sense(alice: Client, query: str) -> None:
    answer = alice.get(f"/v2/jobs?{query}")
    assert answer.status_code == 400
    assert query.partition("=")[0] in answer.text
