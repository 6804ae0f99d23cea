"""Who may see and cancel which job."""

import pytest

from glimpse.catalog import images, jobs
from glimpse.catalog.catalog import Catalog
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, GlimpseError, NotFound
from glimpse.domain.image import Image, Visibility
from glimpse.jobs.ports import Job
from glimpse.jobs.worker import Worker
from tests.unit.world import (
    ADMIN,
    ANONYMOUS,
    MEMBER,
    MISSING,
    NOBODYS,
    OTHER,
    READER,
    ROLELESS,
    register,
)

WORKER = Worker("worker", clock=lambda: 100.0)


def add(catalog: Catalog, job_id: str, image: Image) -> str:
    catalog.records.jobs.add(Job(job_id, "copy", image.id, due_at=500.0))
    return job_id


def ids(page: jobs.JobPage) -> list[str]:
    return [job.id for job in page.jobs]


def test_pages(catalog: Catalog) -> None:
    mine = [add(catalog, f"job-{number}", register(catalog)) for number in range(3)]
    theirs = add(catalog, "job-9", register(catalog, OTHER))
    first = jobs.page(catalog, MEMBER, 2)
    assert (ids(first), first.next_marker) == (mine[:2], "job-1")
    second = jobs.page(catalog, MEMBER, 2, "job-1")
    assert (ids(second), second.next_marker) == (mine[2:], None)
    assert ids(jobs.page(catalog, ADMIN, 10)) == [*mine, theirs]
    assert ids(jobs.page(catalog, READER, 10)) == mine
    assert jobs.page(catalog, MEMBER, 0) == jobs.page(catalog, NOBODYS, 10) == jobs.JobPage([])
    with pytest.raises(Forbidden):
        jobs.page(catalog, ROLELESS, 10)


def test_everybody_may_know_the_image_but_only_its_project_its_job(catalog: Catalog) -> None:
    job = add(catalog, "job", register(catalog, visibility=Visibility.PUBLIC))
    for caller in (MEMBER, READER, ADMIN):
        assert jobs.show(catalog, caller, job).id == job
    for caller in (OTHER, NOBODYS, ANONYMOUS):
        with pytest.raises(NotFound):
            jobs.show(catalog, caller, job)
        with pytest.raises(NotFound):
            jobs.cancel(catalog, WORKER, caller, job)


def test_an_image_without_a_project(catalog: Catalog) -> None:
    image = register(catalog, ADMIN, visibility=Visibility.PUBLIC, owner=None)
    job = add(catalog, "job", image)
    for caller in (NOBODYS, ANONYMOUS):
        with pytest.raises(NotFound):
            jobs.show(catalog, caller, job)


@pytest.mark.parametrize(
    ("caller", "error"), [(READER, Forbidden), (ROLELESS, NotFound), (OTHER, NotFound), (ANONYMOUS, NotFound)]
)
def test_who_may_not_cancel(catalog: Catalog, caller: Caller, error: type[GlimpseError]) -> None:
    job = add(catalog, "job", register(catalog))
    with pytest.raises(error):
        jobs.cancel(catalog, WORKER, caller, job)
    assert not jobs.show(catalog, ADMIN, job).cancelled


@pytest.mark.parametrize("caller", [MEMBER, ADMIN])
def test_cancelling(catalog: Catalog, caller: Caller) -> None:
    job = add(catalog, "job", register(catalog))
    for _ in range(2):
        jobs.cancel(catalog, WORKER, caller, job)
    found = jobs.show(catalog, caller, job)
    assert (found.cancelled, found.due_at) == (True, 100.0)


def test_what_is_not_there(catalog: Catalog) -> None:
    with pytest.raises(NotFound):
        jobs.show(catalog, ADMIN, MISSING)
    with pytest.raises(NotFound):
        jobs.cancel(catalog, WORKER, ADMIN, MISSING)


def test_administrators_end_the_job_of_an_image_that_is_gone(catalog: Catalog) -> None:
    image = register(catalog)
    job = add(catalog, "job", image)
    images.delete(catalog, WORKER, MEMBER, image.id)
    with pytest.raises(NotFound):
        jobs.show(catalog, MEMBER, job)
    jobs.cancel(catalog, WORKER, ADMIN, job)
    assert jobs.show(catalog, ADMIN, job).cancelled
