from dataclasses import replace

import pytest

from glimpse.jobs.ports import Job
from glimpse.jobs.report import JobStatus, progress_text, status_of

MIB = 2**20
NEW = Job("job", "copy", "image")
RUNNING = replace(NEW, worker="w", due_at=110.0, attempts=1, done=12 * MIB, total=100 * MIB, rate=34.0 * MIB)


@pytest.mark.parametrize(
    ("job", "status"),
    [
        (NEW, JobStatus.WAITING),
        (replace(NEW, due_at=200.0), JobStatus.WAITING),
        (RUNNING, JobStatus.RUNNING),
        (replace(RUNNING, due_at=99.0), JobStatus.WAITING),
        (replace(RUNNING, cancelled=True), JobStatus.CANCELLING),
        (replace(NEW, cancelled=True), JobStatus.CANCELLING),
    ],
)
def test_status(job: Job, status: JobStatus) -> None:
    assert status_of(job, 100.0) is status


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "12 of 100 MiB, 34 MiB/s"),
        ({"attempts": 2, "error": "no answer"}, "12 of 100 MiB, 34 MiB/s; attempt 2 after: no answer"),
        ({"attempts": 3}, "12 of 100 MiB, 34 MiB/s; attempt 3"),
        ({"rate": 0.0}, "12 of 100 MiB"),
        ({"done": 0, "rate": 0.0}, "0 of 100 MiB"),
        ({"done": MIB // 2, "rate": 1536.4}, "0.5 of 100 MiB, 1.5 KiB/s"),
        ({"total": None}, "12 MiB, 34 MiB/s"),
        ({"done": 5, "total": 10, "rate": 1023.0}, "5 of 10 bytes, 1023 bytes/s"),
        ({"done": 3 * 2**50, "total": 5 * 2**50, "rate": 0.0}, "3072 of 5120 TiB"),
        ({"total": 0, "done": 0, "rate": 0.0}, "0 of 0 bytes"),
        ({"total": None, "done": 0, "rate": 0.0}, ""),
        ({"cancelled": True, "attempts": 2}, "12 of 100 MiB, 34 MiB/s; being cancelled"),
        ({"worker": "", "error": "it is away"}, "12 of 100 MiB; waiting for attempt 2 after: it is away"),
        ({"worker": "", "attempts": 0}, "12 of 100 MiB; waiting for a worker"),
    ],
)
def test_progress(fields: dict[str, object], text: str) -> None:
    assert progress_text(replace(RUNNING, **fields)) == text  # type: ignore[arg-type]


def test_a_new_job_waits() -> None:
    assert progress_text(NEW) == "waiting for a worker"
