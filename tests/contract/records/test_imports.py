from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from glimpse.catalog.import_ports import Publication, Staged
from glimpse.catalog.ports import Allowance, Charge, Intent, IntentKind, Resource
from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, Gone, LimitExceeded, NotFound, Unavailable
from glimpse.domain.image import ImageChange, Location
from glimpse.domain.properties import IMPORT_TASK
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task, TaskStatus, TaskType
from glimpse.jobs.ports import Job
from tests.contract.records.making import (
    DATA,
    EVERY_STATUS,
    LATER,
    NOW,
    an_image,
    an_intent,
    create,
    run_together,
    write_data,
)

UPLOADING, IMPORTING = ImageStatus.UPLOADING, ImageStatus.IMPORTING
NO_CHARGE = Charge("mine")
PLACE, OTHER = Location("file:///one/1", {"store": "one"}), Location("file:///two/1", {"store": "two"})


def begin_staging(records: Records, **fields: Any) -> tuple[Intent, Staged]:
    """An image that is uploading, by an intent, and what could be noted of it."""
    image = create(records)
    intent = an_intent(image, **fields)
    records.intents.begin_write(intent, None, NOW, status=UPLOADING)
    findings = {"format": "raw"}
    url = f"file:///{image.id}"
    staged = Staged(image.id, "file", image.id, intent.id, url, 7, DATA.digests, findings, "mine")
    return intent, staged


def stage(records: Records) -> Staged:
    """What is staged for an image."""
    intent, staged = begin_staging(records)
    records.imports.commit_stage(intent.id, "w", staged, None, LATER)
    return staged


def a_task(image_id: str, identity: str) -> Task:
    task_type = TaskType.API_IMAGE_IMPORT
    return Task(identity, task_type, TaskStatus.PENDING, "mine", NOW, NOW, image_id=image_id)


def begin(records: Records, image_id: str, status: ImageStatus, identity: str = "task") -> None:
    """Begin an import of an image in this status."""
    columns = {} if status is ImageStatus.ACTIVE else {"status": IMPORTING}
    change = ImageChange(columns, {IMPORT_TASK: identity})
    job = Job(identity, "import", image_id)
    records.imports.begin(a_task(image_id, identity), job, status, change, NOW)


def importing(records: Records, staged: Staged | None = None) -> Job:
    """The claimed job of an import, of what is staged or into a queued image."""
    if staged is None:
        begin(records, create(records).id, ImageStatus.QUEUED)
    else:
        begin(records, staged.image_id, UPLOADING)
    [job] = records.jobs.claim("import", "w", 10.0, 1.0, 1)
    return job


def copies_of(job: Job, *stores: str, **fields: Any) -> list[Intent]:
    """COPY intents of a job."""
    image = an_image(id=job.subject)
    return [an_intent(image, kind=IntentKind.COPY, store=store, **fields) for store in stores]


def a_publication(copies: list[Intent], *places: Location, **fields: Any) -> Publication:
    columns = {"status": ImageStatus.ACTIVE, "size": 7}
    change = ImageChange(columns, dropped=frozenset({IMPORT_TASK}), locations=((), places))
    return Publication(change, frozenset({IMPORTING}), [copy.id for copy in copies], **fields)


class TestStaging:
    def test_the_image_is_uploading_and_counts(self, records: Records) -> None:
        intent, staged = begin_staging(records, reserved_bytes=5)
        assert records.images.get(staged.image_id, None).status is UPLOADING
        assert records.imports.staged(staged.image_id) is None
        assert records.images.usage("mine") == 5
        records.imports.commit_stage(intent.id, "w", staged, None, LATER)
        image = records.images.get(staged.image_id, None)
        assert (image.status, image.size, image.locations) == (UPLOADING, 7, ())
        assert records.imports.staged(staged.image_id) == staged
        assert (records.intents.writing(image.id), records.images.usage("mine")) == ([], 7)

    def test_it_needs_its_intent(self, records: Records) -> None:
        intent, staged = begin_staging(records)
        with pytest.raises(Conflict):
            records.imports.commit_stage(intent.id, "other", staged, None, NOW)
        assert records.intents.undo_write(intent.id, "w", NOW)
        with pytest.raises(Conflict):
            records.imports.commit_stage(intent.id, "w", staged, None, NOW)
        assert records.imports.staged(staged.image_id) is None

    def test_undone_the_image_is_queued(self, records: Records) -> None:
        intent, staged = begin_staging(records)
        assert not records.intents.undo_write(intent.id, "other", NOW)
        assert records.intents.undo_write(intent.id, "w", NOW)
        assert records.images.get(staged.image_id, None).status is ImageStatus.QUEUED
        [left] = records.intents.writing(staged.image_id)
        assert left == replace(intent, kind=IntentKind.DISCARD)

    def test_an_image_that_was_deleted(self, records: Records) -> None:
        intent, staged = begin_staging(records)
        records.images.delete(staged.image_id, EVERY_STATUS, "w", 1000.0, NOW)
        with pytest.raises(Gone):
            records.imports.commit_stage(intent.id, "w", staged, None, NOW)
        assert records.imports.staged(staged.image_id) is None
        assert records.intents.writing(staged.image_id) == [intent]

    def test_what_does_not_fit(self, records: Records) -> None:
        intent, staged = begin_staging(records)
        with pytest.raises(LimitExceeded):
            records.imports.commit_stage(intent.id, "w", staged, 6, NOW)
        huge = replace(staged, size=2 * 1024 * 1024)
        allowance = Allowance("mine", {Resource.STAGE_TOTAL: 1})
        with pytest.raises(LimitExceeded):
            records.imports.commit_stage(intent.id, "w", huge, None, NOW, allowance)
        assert records.imports.staged(staged.image_id) is None
        assert records.images.get(staged.image_id, None).size is None
        records.imports.commit_stage(intent.id, "w", staged, 7, NOW, allowance)

    def test_only_queued_images(self, records: Records) -> None:
        staged = stage(records)
        image = an_image(id=staged.image_id)
        with pytest.raises(Conflict):
            records.intents.begin_write(an_intent(image), None, NOW, status=UPLOADING)
        with pytest.raises(Conflict):
            records.intents.begin_write(an_intent(image), None, NOW)

    def test_deleting_takes_it_along(self, records: Records) -> None:
        staged = stage(records)
        [intent] = records.images.delete(staged.image_id, EVERY_STATUS, "v", 2000.5, NOW)
        assert (intent.kind, intent.id, intent.target) == (IntentKind.DISCARD, staged.attempt, staged.target)
        assert (intent.image_id, intent.store, intent.worker) == (staged.image_id, "file", "v")
        assert records.intents.expired(3000, 10) == [intent]
        assert records.imports.staged(staged.image_id) is None
        assert records.images.usage("mine") == 0


class TestBeginning:
    def test_task_job_and_image(self, records: Records) -> None:
        staged = stage(records)
        begin(records, staged.image_id, UPLOADING)
        image = records.images.get(staged.image_id, None)
        assert (image.status, image.properties[IMPORT_TASK]) == (IMPORTING, "task")
        assert records.tasks.get("task", None).status is TaskStatus.PENDING
        job = records.jobs.get("task")
        assert job is not None
        assert (job.subject, job.worker) == (image.id, "")
        assert records.imports.staged(image.id) == staged

    def test_another_status(self, records: Records) -> None:
        image = create(records)
        with pytest.raises(Conflict):
            begin(records, image.id, UPLOADING)
        with pytest.raises(NotFound):
            begin(records, "absent", UPLOADING)
        assert records.jobs.page(10) == []

    def test_one_at_a_time(self, records: Records) -> None:
        image = create(records)
        write_data(records, image)
        begin(records, image.id, ImageStatus.ACTIVE)
        with pytest.raises(Conflict):
            begin(records, image.id, ImageStatus.ACTIVE, "two")
        assert (records.jobs.get("two"), records.images.get(image.id, None).properties) == (
            None,
            {IMPORT_TASK: "task"},
        )

    def test_many_at_once(self, records: Records) -> None:
        image = create(records)
        write_data(records, image)
        names = [f"task-{number}" for number in range(4)]
        outcomes = run_together(
            *(partial(begin, records, image.id, ImageStatus.ACTIVE, name) for name in names)
        )
        assert [type(one) for one in outcomes if one is not None] == [Conflict] * 3
        [winner] = [name for name, one in zip(names, outcomes, strict=True) if one is None]
        assert [job.id for job in records.jobs.of_subject(image.id)] == [winner]

    @pytest.mark.parametrize(
        ("status", "age", "free"),
        [
            (TaskStatus.PROCESSING, timedelta(minutes=59), False),
            (TaskStatus.PROCESSING, timedelta(minutes=61), True),
            (TaskStatus.FAILURE, timedelta(0), True),
        ],
    )
    def test_the_lock_of_glance(
        self, records: Records, status: TaskStatus, age: timedelta, *, free: bool
    ) -> None:
        """An import that Glance began holds the image as long as it is heard of."""
        image = create(records, properties={IMPORT_TASK: "theirs"})
        records.tasks.add(replace(a_task(image.id, "theirs"), status=status, updated_at=NOW - age))
        if free:
            begin(records, image.id, ImageStatus.QUEUED)
        else:
            with pytest.raises(Conflict):
                begin(records, image.id, ImageStatus.QUEUED)

    def test_the_lock_of_a_task_that_is_gone(self, records: Records) -> None:
        begin(records, create(records, properties={IMPORT_TASK: "gone"}).id, ImageStatus.QUEUED)


class TestReserving:
    def test_what_is_about_to_be_written(self, records: Records) -> None:
        job = importing(records)
        copies = copies_of(job, "one", "two", reserved_bytes=5)
        records.imports.reserve(job, copies, Charge("mine", 10))
        assert sorted(records.intents.writing(job.subject), key=lambda one: one.store) == copies
        assert records.images.usage("mine") == 10

    def test_what_does_not_fit(self, records: Records) -> None:
        job = importing(records)
        with pytest.raises(LimitExceeded):
            records.imports.reserve(job, copies_of(job, "one", "two", reserved_bytes=5), Charge("mine", 9))
        assert (records.intents.writing(job.subject), records.images.usage("mine")) == ([], 0)

    def test_a_job_that_was_lost(self, records: Records) -> None:
        job = importing(records)
        records.jobs.claim("import", "other", 20.0, 11.0, 1)
        with pytest.raises(Unavailable):
            records.imports.reserve(job, copies_of(job, "one"), NO_CHARGE)
        assert records.intents.writing(job.subject) == []

    def test_older_data_must_be_gone(self, records: Records) -> None:
        image = create(records)
        write_data(records, image)
        before = records.images.get(image.id, None).locations
        change = ImageChange({"status": ImageStatus.QUEUED}, locations=(before, ()))
        [removal] = records.images.relocate(image.id, change, EVERY_STATUS, None, "w", 1000.0, NOW)
        begin(records, image.id, ImageStatus.QUEUED)
        [job] = records.jobs.claim("import", "w", 10.0, 1.0, 1)
        with pytest.raises(Unavailable):
            records.imports.reserve(job, copies_of(job, "two", "file"), NO_CHARGE)
        records.imports.reserve(job, copies_of(job, "two"), NO_CHARGE)
        records.intents.finish(removal.id)
        records.imports.reserve(job, copies_of(job, "file"), NO_CHARGE)

    def test_abandoned_once(self, records: Records) -> None:
        job = importing(records)
        [copy] = copies_of(job, "one", reserved_bytes=5)
        records.imports.reserve(job, [copy], NO_CHARGE)
        assert not records.intents.abandon(copy.id, "other")
        assert records.intents.abandon(copy.id, "w")
        assert records.intents.writing(job.subject) == [replace(copy, kind=IntentKind.DISCARD)]
        assert not records.intents.abandon(copy.id, "w")
        assert not records.intents.abandon("absent", "w")
        assert records.images.usage("mine") == 0
        records.intents.finish(copy.id)
        assert records.intents.writing(job.subject) == []

    def test_a_write_is_not_abandoned(self, records: Records) -> None:
        intent, staged = begin_staging(records)
        assert not records.intents.abandon(intent.id, "w")
        assert records.intents.writing(staged.image_id) == [intent]
