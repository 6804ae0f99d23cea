"""Delayed deletion: pending_delete and back, the queue, and the point of no return."""

from datetime import timedelta

import pytest
from sqlalchemy import Table, select, update

from glimpse.catalog.deletion_ports import SCRUB
from glimpse.catalog.ports import IntentKind
from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, NotFound
from glimpse.domain.image import Image, ImageChange, Location
from glimpse.domain.status import ImageStatus
from glimpse.jobs.ports import Job
from glimpse.records import tables
from glimpse.records.database import Database
from tests.contract.records.making import (
    DATA,
    EVERY_STATUS,
    LATER,
    NOW,
    create,
    run_together,
    share,
    write_data,
)

MUCH_LATER = LATER + timedelta(hours=1)


def filled(records: Records, **fields: object) -> Image:
    """An active image with a property, a tag and a member."""
    image = create(records, properties={"k": "v", "old": "x"}, tags=frozenset({"t"}), **fields)
    share(records, image, "guest")
    write_data(records, image)
    return records.images.get(image.id, "guest")


def pending(records: Records, **fields: object) -> Image:
    image = filled(records, **fields)
    assert records.deletions.postpone(image.id, LATER)
    return image


def stored(database: Database, table: Table, column: str) -> list[object]:
    with database.writer.begin() as connection:
        return list(connection.execute(select(table.c[column])).scalars())


def test_postponed_is_gone_for_everybody_and_its_data_stays(records: Records, database: Database) -> None:
    image = pending(records)
    with pytest.raises(NotFound):
        records.images.get(image.id, None)
    assert records.images.get(image.id, None, deleted=True).status is ImageStatus.PENDING_DELETE
    assert records.intents.expired(1e12, 10) == []
    assert stored(database, tables.image_locations, "status") == ["pending_delete"]
    for table in (tables.images, tables.image_properties, tables.image_tags, tables.image_members):
        assert set(stored(database, table, "deleted_at")) == {LATER}, table.name
    assert records.images.usage("mine") == 0


@pytest.mark.parametrize("status", sorted(EVERY_STATUS))
def test_only_images_in_use_are_postponed(records: Records, status: ImageStatus) -> None:
    image = filled(records)
    records.images.move(image.id, frozenset({ImageStatus.ACTIVE}), status, NOW)
    allowed = status in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED)
    assert records.deletions.postpone(image.id, LATER) is allowed


def test_what_has_no_data_or_is_protected_is_not_postponed(records: Records) -> None:
    empty, kept = create(records, status=ImageStatus.ACTIVE), filled(records, protected=True)
    for image_id in (empty.id, kept.id, "unknown"):
        assert not records.deletions.postpone(image_id, LATER)
    assert records.images.get(kept.id, "guest") == kept


@pytest.mark.parametrize("status", [ImageStatus.ACTIVE, ImageStatus.DEACTIVATED])
def test_restored_is_what_it_was(records: Records, database: Database, status: ImageStatus) -> None:
    image = filled(records)
    dropped = ImageChange(dropped=frozenset({"old"}))
    records.images.change(image.id, dropped, EVERY_STATUS, NOW)
    records.images.move(image.id, EVERY_STATUS, status, NOW)
    before = records.images.get(image.id, "guest")
    for _ in range(2):
        assert records.deletions.postpone(image.id, LATER)
        assert records.deletions.queue(LATER, 10) == 1
        records.deletions.restore(image.id, NOW)
        assert records.images.get(image.id, "guest") == before
    assert before.status is status
    assert "old" not in before.properties
    assert records.jobs.get(image.id) is None
    assert stored(database, tables.images, "deleted_at") == [None]


def test_only_what_is_pending_is_restored(records: Records) -> None:
    image = filled(records)
    with pytest.raises(NotFound):
        records.deletions.restore("unknown", LATER)
    with pytest.raises(Conflict):
        records.deletions.restore(image.id, LATER)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, LATER)
    with pytest.raises(Conflict):
        records.deletions.restore(image.id, LATER)


def test_the_queue_takes_what_is_old_enough_once(records: Records) -> None:
    images = [pending(records) for _ in range(3)]
    filled(records)
    gone = filled(records)
    records.images.delete(gone.id, EVERY_STATUS, "w", 1000.125, NOW)
    assert records.deletions.queue(LATER - timedelta(seconds=1), 10) == 0
    assert [records.deletions.queue(LATER, 2) for _ in range(3)] == [2, 1, 0]
    jobs = records.jobs.claim(SCRUB, "w", 100.0, 1.0, 10)
    assert {job.subject for job in jobs} == {image.id for image in images} == {job.id for job in jobs}


def test_the_queue_is_filled_once_by_many(records: Records) -> None:
    for _ in range(20):
        pending(records)
    queued: list[int] = []
    works = [lambda: queued.append(records.deletions.queue(LATER, 100))] * 4
    assert run_together(*works) == [None] * 4
    assert sum(queued) == 20 == len(records.jobs.page(100))


def test_a_job_is_ensured_once(records: Records) -> None:
    job = Job("lead", "lead", "")
    assert run_together(*[lambda: records.deletions.ensure(job)] * 4) == [None] * 4
    records.deletions.ensure(job)
    assert records.jobs.page(10) == [job]


def test_begun_cannot_be_restored_and_ends_when_all_is_removed(records: Records) -> None:
    image = pending(records)
    assert records.deletions.waiting(image.id, NOW) == []
    assert records.deletions.begin(image.id, NOW, "w", 1000.125, 1.0) == []
    assert records.deletions.waiting(image.id, LATER) == [DATA.location]
    [intent] = records.deletions.begin(image.id, LATER, "w", 1000.125, 1.0)
    assert (intent.kind, intent.target, intent.store) == (IntentKind.DELETE, "file:///images/1", "file")
    with pytest.raises(Conflict, match="gone"):
        records.deletions.restore(image.id, MUCH_LATER)
    assert not records.deletions.finish(image.id, MUCH_LATER)
    records.intents.finish(intent.id)
    assert records.deletions.finish(image.id, MUCH_LATER)
    assert records.images.get(image.id, None, deleted=True).status is ImageStatus.DELETED
    assert not records.deletions.finish(image.id, MUCH_LATER)


def test_an_earlier_attempt_is_taken_over_when_its_lease_has_ended(records: Records) -> None:
    image = pending(records)
    [first] = records.deletions.begin(image.id, LATER, "dead", 1000.125, 1.0)
    [live] = records.deletions.begin(image.id, LATER, "w", 2000.125, 1000.0)
    assert live == first
    [taken] = records.deletions.begin(image.id, LATER, "w", 2000.125, 1001.0)
    assert (taken.id, taken.worker, taken.lease_until) == (first.id, "w", 2000.125)


@pytest.mark.parametrize("_", range(5))
def test_restore_and_removal_exclude_each_other(records: Records, _: int) -> None:
    image = pending(records)
    begun: list[int] = []
    [_first, refused] = run_together(
        lambda: begun.append(len(records.deletions.begin(image.id, LATER, "w", 1000.125, 1.0))),
        lambda: records.deletions.restore(image.id, MUCH_LATER),
    )
    assert begun == ([1] if refused else [0])


def test_locations_that_glance_left_pending(records: Records, database: Database) -> None:
    """Glance never removes the data of a single location that was deleted with a delay."""
    image = filled(records)
    other = Location("file:///images/2", {"store": "file"})
    row = {"created_at": NOW, "deleted": True, "deleted_at": LATER, "status": "pending_delete"}
    left = [
        {**row, "image_id": image.id, "value": url, "meta_data": '{"store": "file"}'}
        for url in (other.url, DATA.location.url)
    ]
    with database.writer.begin() as connection:
        connection.execute(tables.image_locations.insert(), left)
    assert records.deletions.queue(LATER, 10) == 1
    [intent] = records.deletions.begin(image.id, LATER, "w", 1000.125, 1.0)
    assert intent.target == other.url, "the image still has the other place"
    assert records.images.get(image.id, "guest") == image
    records.intents.finish(intent.id)
    assert not records.deletions.finish(image.id, MUCH_LATER)
    assert records.deletions.begin(image.id, LATER, "w", 1000.125, 1.0) == []
    with database.writer.begin() as connection:
        connection.execute(update(tables.jobs).values(due_at=0.0))
    [job] = records.jobs.claim(SCRUB, "w", 100.0, 1.0, 10)
    assert records.jobs.finish(job)
    assert records.deletions.queue(MUCH_LATER, 10) == 0
