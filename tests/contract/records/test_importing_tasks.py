"""Images that an import makes itself: there with the task and the job, or not at all; gone if it fails."""

from dataclasses import replace
from uuid import uuid4

import pytest

from glimpse.catalog.ports import Allowance, Resource
from glimpse.catalog.records import Records
from glimpse.domain.errors import Duplicate, LimitExceeded, NotFound
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task, TaskStatus, TaskType
from glimpse.jobs.ports import Job
from tests.contract.records.making import LATER, NOW, an_image, create


def begin(records: Records, image: Image, allowance: Allowance | None = None) -> Job:
    """The job of an import that makes this image, taken by a worker."""
    job = Job(str(uuid4()), "import", image.id, {"deletes_image": True}, worker="w", due_at=1000.0)
    task = Task(job.id, TaskType.IMPORT, TaskStatus.PENDING, "mine", NOW, NOW, image_id=image.id)
    records.imports.create(image, allowance, task, job)
    return job


def importing(**fields: object) -> Image:
    return an_image(status=ImageStatus.IMPORTING, properties={"colour": "red"}, **fields)


def test_all_is_there_at_once(records: Records) -> None:
    image = importing(tags=frozenset({"a"}))
    job = begin(records, image)
    assert records.images.get(image.id, "mine") == image
    assert records.jobs.get(job.id) == job
    assert records.tasks.get(job.id, "mine").image_id == image.id


@pytest.mark.parametrize("most", [0, -1])
def test_no_more_images_than_allowed(records: Records, most: int) -> None:
    project = str(uuid4())
    image = importing(owner=project)
    allowance = Allowance(project, {Resource.COUNT_TOTAL: most})
    if most < 0:
        begin(records, image, allowance)
        return
    with pytest.raises(LimitExceeded):
        begin(records, image, allowance)
    with pytest.raises(NotFound):
        records.images.get(image.id, project)
    assert records.jobs.of_subject(image.id) == []
    assert records.tasks.of_image(image.id, None, NOW) == []


def test_an_id_that_is_taken(records: Records) -> None:
    image = create(records)
    with pytest.raises(Duplicate):
        begin(records, importing(id=image.id))
    assert records.images.get(image.id, "mine").status is ImageStatus.QUEUED
    assert records.jobs.of_subject(image.id) == []


@pytest.mark.parametrize("protected", [False, True])
def test_a_failure_deletes_the_image(records: Records, protected: bool) -> None:
    image = importing(protected=protected)
    job = begin(records, image)
    assert records.imports.fail(job, "no such luck", None, LATER, NOW) == []
    with pytest.raises(NotFound):
        records.images.get(image.id, "mine")
    task = records.tasks.get(job.id, "mine")
    assert (task.status, task.message, task.expires_at) == (TaskStatus.FAILURE, "no such luck", LATER)
    assert records.jobs.get(job.id) is None


def test_only_who_has_the_job_can_fail_it(records: Records) -> None:
    image = importing()
    job = begin(records, image)
    assert records.imports.fail(replace(job, worker="other"), "why", None, LATER, NOW) == []
    assert records.images.get(image.id, "mine") == image
    assert records.tasks.get(job.id, "mine").status is TaskStatus.PENDING


@pytest.mark.parametrize("status", [ImageStatus.ACTIVE, ImageStatus.DELETED])
def test_an_image_that_is_not_importing_any_more_stays_as_it_is(
    records: Records, status: ImageStatus
) -> None:
    image = importing()
    job = begin(records, image)
    if status is ImageStatus.DELETED:
        records.images.delete(image.id, frozenset({ImageStatus.IMPORTING}), "w", 0.0, NOW)
    else:
        records.images.move(image.id, frozenset({ImageStatus.IMPORTING}), status, NOW)
    assert records.imports.fail(job, "why", None, LATER, NOW) == []
    assert records.images.get(image.id, "mine", deleted=True).status is status
    assert records.tasks.get(job.id, "mine").status is TaskStatus.FAILURE
