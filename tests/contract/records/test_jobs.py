from dataclasses import replace

import pytest

from glimpse.catalog.ports import Charge
from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, Gone, LimitExceeded, Unavailable
from glimpse.domain.image import Location
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task, TaskStatus, TaskType
from glimpse.jobs.ports import Job, Progress
from tests.contract.records.making import EVERY_STATUS, LATER, NOW, create, run_together

PLACE = Location("http://a/b")


def a_job(number: int = 1, **fields: object) -> Job:
    return replace(Job(f"job-{number}", "copy", "image", {"a": [1, {"b": None}]}), **fields)  # type: ignore[arg-type]


def test_a_job_comes_back_as_it_was_added(records: Records) -> None:
    job = a_job(due_at=12.5, error="because")
    records.jobs.add(job)
    assert records.jobs.get(job.id) == job
    assert records.jobs.get("absent") is None


def test_jobs_are_claimed_when_they_are_due(records: Records) -> None:
    for number, due_at in enumerate((30.0, 10.0, 20.0)):
        records.jobs.add(a_job(number, due_at=due_at))
    records.jobs.add(a_job(9, kind="other"))
    assert records.jobs.claim("copy", "w", 100.0, 5.0, 10) == []
    [first] = records.jobs.claim("copy", "w", 100.0, 25.0, 1)
    assert (first.id, first.worker, first.attempts) == ("job-1", "w", 1)
    [second] = records.jobs.claim("copy", "w", 100.0, 25.0, 10)
    assert second.id == "job-2"
    stored = records.jobs.get(second.id)
    assert stored == second


def test_jobs_that_run_still_are_not_taken_again(records: Records) -> None:
    for number in range(3):
        records.jobs.add(Job(f"job-{number}", "copy", "image"))
    [first] = records.jobs.claim("copy", "w", 10.0, 1.0, 1)
    taken = records.jobs.claim("copy", "w", 60.0, 50.0, 1, besides={first.id})
    taken += records.jobs.claim("copy", "w", 60.0, 50.0, 5, besides={first.id})
    assert [job.id for job in taken] == ["job-1", "job-2"]
    assert records.jobs.get(first.id) == first


def test_one_worker_gets_it(records: Records) -> None:
    for number in range(20):
        records.jobs.add(a_job(number))
    taken: dict[str, list[str]] = {}

    def claim(worker: str) -> None:
        taken[worker] = [job.id for job in records.jobs.claim("copy", worker, 100.0, 1.0, 20)]

    workers = [f"w{number}" for number in range(4)]
    assert run_together(*(lambda worker=worker: claim(worker) for worker in workers)) == [None] * 4
    assert sorted(job for jobs in taken.values() for job in jobs) == sorted(f"job-{n}" for n in range(20))


def test_take_over(records: Records) -> None:
    records.jobs.add(a_job())
    [mine] = records.jobs.claim("copy", "mine", 10.0, 1.0, 1)
    progress = {mine.id: Progress(), "absent": Progress()}
    assert records.jobs.renew(progress, "mine", 20.0) == {mine.id: False}
    assert records.jobs.claim("copy", "other", 30.0, 15.0, 1) == []
    [theirs] = records.jobs.claim("copy", "other", 40.0, 21.0, 1)
    assert (theirs.worker, theirs.attempts) == ("other", 2)
    # Whoever lost it can do nothing to it any more.
    assert records.jobs.renew({mine.id: Progress()}, "mine", 99.0) == {}
    records.jobs.postpone(mine, 99.0, "late")
    records.jobs.release(mine, 0.0)
    assert not records.jobs.finish(mine)
    assert records.jobs.get(mine.id) == theirs
    assert records.jobs.finish(theirs)
    assert records.jobs.get(mine.id) is None


def test_postponed_and_released(records: Records) -> None:
    records.jobs.add(a_job())
    [job] = records.jobs.claim("copy", "w", 10.0, 1.0, 1)
    records.jobs.postpone(job, 50.0, "away")
    assert records.jobs.claim("copy", "w", 60.0, 49.0, 1) == []
    [job] = records.jobs.claim("copy", "w", 60.0, 50.0, 1)
    assert (job.attempts, job.error) == (2, "away")
    records.jobs.release(job, 55.0)
    [job] = records.jobs.claim("copy", "v", 70.0, 55.0, 1)
    assert (job.worker, job.attempts) == ("v", 2)


def importing(records: Records) -> Job:
    """The claimed job of an image that waits for its location."""
    image = create(records)
    task = Task("task", TaskType.LOCATION_IMPORT, TaskStatus.PENDING, "mine", NOW, NOW, image_id=image.id)
    records.location_imports.begin(task, Job(task.id, "copy", image.id), NOW)
    assert records.images.get(image.id, None).status is ImageStatus.IMPORTING
    with pytest.raises(Conflict):
        records.location_imports.begin(replace(task, id="two"), Job("two", "copy", image.id), NOW)
    assert records.jobs.get("two") is None
    [job] = records.jobs.claim("copy", "w", 10.0, 1.0, 1)
    records.tasks.begin(task.id, NOW)
    assert records.tasks.get(task.id, None).status is TaskStatus.PROCESSING
    return job


def test_an_image_gets_its_location(records: Records) -> None:
    job = importing(records)
    imports = records.location_imports
    imports.publish(job, PLACE, {"size": 7}, Charge("mine", 7), LATER)
    image = records.images.get(job.subject, None)
    assert (image.status, image.size, image.locations) == (ImageStatus.ACTIVE, 7, (PLACE,))
    with pytest.raises(Gone):
        imports.publish(job, PLACE, {"size": 7}, Charge("mine"), LATER)
    imports.complete(job, {"checksum": "x"}, LATER, LATER)
    assert records.images.get(job.subject, None).checksum == "x"
    task = records.tasks.get(job.id, None)
    assert (task.status, task.expires_at, records.jobs.get(job.id)) == (TaskStatus.SUCCESS, LATER, None)
    # What has ended stays as it is.
    imports.fail(job, "late", LATER, LATER)
    records.tasks.begin(job.id, LATER)
    assert records.tasks.get(job.id, None) == task


def test_an_image_gets_none(records: Records) -> None:
    job = importing(records)
    imports = records.location_imports
    with pytest.raises(LimitExceeded):
        imports.publish(job, PLACE, {"size": 7}, Charge("mine", 6), LATER)
    with pytest.raises(Unavailable):
        imports.publish(replace(job, worker="other"), PLACE, {"size": 7}, Charge("mine"), LATER)
    imports.fail(replace(job, worker="other"), "not mine", LATER, LATER)
    assert records.images.get(job.subject, None).status is ImageStatus.IMPORTING
    imports.fail(job, "because", LATER, LATER)
    image = records.images.get(job.subject, None)
    assert (image.status, image.size, image.locations) == (ImageStatus.QUEUED, None, ())
    task = records.tasks.get(job.id, None)
    assert (task.status, task.message, records.jobs.get(job.id)) == (TaskStatus.FAILURE, "because", None)


def test_progress_is_noted_by_whoever_holds_the_job(records: Records) -> None:
    records.jobs.add(a_job())
    [mine] = records.jobs.claim("copy", "mine", 10.0, 1.0, 1)
    assert records.jobs.renew({mine.id: Progress(7, 2**40, 0.5)}, "other", 20.0) == {}
    assert records.jobs.get(mine.id) == mine
    records.jobs.renew({mine.id: Progress(7, 2**40, 0.5)}, "mine", 20.0)
    assert records.jobs.get(mine.id) == replace(mine, due_at=20.0, done=7, total=2**40, rate=0.5)
    assert records.jobs.renew({}, "mine", 30.0) == {}


def test_cancelling(records: Records) -> None:
    for number in (1, 2):
        records.jobs.add(a_job(number, due_at=number * 100.0))
    [mine] = records.jobs.claim("copy", "mine", 150.0, 101.0, 1)
    for _ in range(2):
        assert [records.jobs.cancel(f"job-{number}", 110.0) for number in (1, 2, 3)] == [True, True, False]
    # The one that runs is told at its next renewal, the one that waits is due at once.
    assert records.jobs.renew({mine.id: Progress()}, "mine", 160.0) == {mine.id: True}
    [other] = records.jobs.claim("copy", "mine", 200.0, 111.0, 5)
    assert (other.id, other.cancelled) == ("job-2", True)


def test_finding_jobs(records: Records) -> None:
    for number, subject in enumerate(("a", "b", "a")):
        records.jobs.add(a_job(number, subject=subject))
    assert [job.id for job in records.jobs.of_subject("a")] == ["job-0", "job-2"]
    assert records.jobs.of_subject("c") == []
    assert [job.id for job in records.jobs.page(2)] == ["job-0", "job-1"]
    assert [job.id for job in records.jobs.page(2, "job-1")] == ["job-2"]


def test_an_id_is_taken_by_the_letter(records: Records) -> None:
    records.jobs.add(a_job())
    assert records.jobs.get("JOB-1") is None
    assert not records.jobs.cancel("JOB-1", 5.0)


def test_the_jobs_of_a_project(records: Records) -> None:
    first, second = create(records), create(records)
    theirs = create(records, owner="theirs")
    gone = create(records)
    subjects = (first, theirs, second, gone, first)
    for number, image in enumerate(subjects):
        records.jobs.add(a_job(number, subject=image.id))
    records.jobs.add(a_job(9, subject="no image"))
    records.images.delete(gone.id, EVERY_STATUS, "w", 0.0, LATER)
    page = records.jobs.page
    assert [job.id for job in page(9, owner="mine")] == ["job-0", "job-2", "job-4"]
    assert [job.id for job in page(1, "job-0", "mine")] == ["job-2"]
    assert page(9, owner="theirs") == [a_job(1, subject=theirs.id)]
    assert page(9, owner="nobody") == page(9, owner="") == []
    assert len(page(9)) == 6


def test_the_jobs_of_a_kind(records: Records) -> None:
    for number, due_at in enumerate((30.0, 10.0, 20.0)):
        records.jobs.add(a_job(number, due_at=due_at))
    records.jobs.add(a_job(9, kind="other"))
    records.jobs.cancel("job-2", 0.0)
    assert [job.id for job in records.jobs.of_kind("copy")] == ["job-1", "job-0"]
