import time
from dataclasses import replace

import pytest

from glimpse.catalog.ports import IntentKind
from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, Gone, LimitExceeded, NotFound
from glimpse.domain.status import ImageStatus
from tests.contract.records.making import DATA, EVERY_STATUS, LATER, NOW, an_intent, create, write_data


def test_begin_moves_the_image_and_notes_the_intent(records: Records) -> None:
    image = create(records)
    intent = an_intent(image, reserved_bytes=5)
    records.intents.begin_write(intent, None, LATER)
    assert records.images.get(image.id, None).status is ImageStatus.SAVING
    assert records.intents.expired(2000, 10) == [intent]


def test_begin_needs_a_queued_image(records: Records) -> None:
    active = create(records, status=ImageStatus.ACTIVE)
    with pytest.raises(Conflict):
        records.intents.begin_write(an_intent(active), None, NOW)
    with pytest.raises(NotFound):
        records.intents.begin_write(replace(an_intent(active), image_id="unknown"), None, NOW)
    assert records.intents.expired(2000, 10) == []


def test_commit_publishes_everything_at_once(records: Records) -> None:
    image = create(records)
    intent = an_intent(image)
    records.intents.begin_write(intent, None, NOW)
    records.intents.commit_write(intent.id, "w", DATA, None, LATER)
    after = records.images.get(image.id, None)
    assert after == replace(
        image,
        status=ImageStatus.ACTIVE,
        size=7,
        virtual_size=9,
        checksum=DATA.digests.checksum,
        os_hash_algo=DATA.digests.os_hash_algo,
        os_hash_value=DATA.digests.os_hash_value,
        locations=(DATA.location,),
        updated_at=LATER,
    )
    assert records.intents.expired(2000, 10) == []


def test_commit_needs_the_intent(records: Records) -> None:
    image = create(records)
    intent = an_intent(image)
    records.intents.begin_write(intent, None, NOW)
    assert records.intents.claim(intent, "other", 3000)
    with pytest.raises(Conflict):
        records.intents.commit_write(intent.id, "w", DATA, None, NOW)
    with pytest.raises(Conflict):
        records.intents.commit_write("unknown", "w", DATA, None, NOW)
    assert records.images.get(image.id, None).locations == ()
    records.intents.commit_write(intent.id, "other", DATA, None, NOW)
    with pytest.raises(Conflict):
        records.intents.commit_write(intent.id, "other", DATA, None, NOW)


def test_commit_for_an_image_that_was_deleted_meanwhile(records: Records) -> None:
    image = create(records)
    intent = an_intent(image)
    records.intents.begin_write(intent, None, NOW)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)
    with pytest.raises(Gone):
        records.intents.commit_write(intent.id, "w", DATA, None, NOW)
    assert len(records.intents.expired(2000, 10)) == 1
    assert records.images.get(image.id, None, deleted=True).locations == ()


def test_undo_puts_the_image_back(records: Records) -> None:
    image = create(records)
    intent = an_intent(image)
    records.intents.begin_write(intent, None, NOW)
    assert not records.intents.undo_write(intent.id, "stranger", LATER)
    assert records.images.get(image.id, None).status is ImageStatus.SAVING
    assert records.intents.undo_write(intent.id, "w", LATER)
    assert records.images.get(image.id, None) == replace(image, updated_at=LATER)
    assert not records.intents.undo_write(intent.id, "w", LATER)


@pytest.mark.parametrize("begun", [ImageStatus.SAVING, ImageStatus.UPLOADING])
def test_undo_may_kill_the_image(records: Records, begun: ImageStatus) -> None:
    image = create(records)
    intent = an_intent(image, reserved_bytes=50)
    records.intents.begin_write(intent, None, NOW, None, begun)
    assert records.intents.undo_write(intent.id, "w", LATER, ImageStatus.KILLED)
    assert records.images.get(image.id, None) == replace(image, status=ImageStatus.KILLED, updated_at=LATER)
    assert records.images.usage("mine") == 0
    assert records.intents.expired(2000, 10) == [replace(intent, kind=IntentKind.DISCARD)]


def test_undo_after_a_commit_leaves_everything_alone(records: Records) -> None:
    image = create(records)
    intent = an_intent(image)
    records.intents.begin_write(intent, None, NOW)
    records.intents.commit_write(intent.id, "w", DATA, None, NOW)
    assert not records.intents.undo_write(intent.id, "w", LATER)
    assert records.images.get(image.id, None).status is ImageStatus.ACTIVE
    assert records.intents.expired(2000, 10) == []


def test_undo_leaves_a_discard_intent_until_the_bytes_are_gone(records: Records) -> None:
    image = create(records)
    intent = an_intent(image, reserved_bytes=50)
    records.intents.begin_write(intent, None, NOW)
    records.intents.undo_write(intent.id, "w", NOW)
    assert records.images.get(image.id, None).status is ImageStatus.QUEUED
    assert records.images.usage("mine") == 0
    assert records.intents.expired(2000, 10) == [replace(intent, kind=IntentKind.DISCARD)]
    with pytest.raises(Conflict):
        records.intents.commit_write(intent.id, "w", DATA, None, NOW)
    records.intents.finish(intent.id)
    assert records.intents.expired(2000, 10) == []


def test_undo_leaves_an_image_alone_that_went_on(records: Records) -> None:
    image = create(records)
    intent = an_intent(image)
    records.intents.begin_write(intent, None, NOW)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)
    assert records.intents.undo_write(intent.id, "w", NOW)
    assert records.images.get(image.id, None, deleted=True).status is ImageStatus.DELETED


def test_renew_prolongs_the_leases_named_that_are_still_held(records: Records) -> None:
    first, second, third = (an_intent(create(records)) for _ in range(3))
    for intent in (first, second, third):
        records.intents.begin_write(intent, None, NOW)
    assert records.intents.claim(second, "other", 1500)
    records.intents.renew([first.id, second.id], "w", 5000.25)
    records.intents.renew([], "w", 9000)
    held = {intent.id: intent.lease_until for intent in records.intents.expired(10_000, 10)}
    assert held == {first.id: 5000.25, second.id: 1500, third.id: third.lease_until}


def test_expired_come_oldest_first(records: Records) -> None:
    intents = [an_intent(create(records), lease_until=float(until)) for until in (30, 10, 20, 40)]
    for intent in intents:
        records.intents.begin_write(intent, None, NOW)
    assert [intent.lease_until for intent in records.intents.expired(40, 10)] == [10, 20, 30]
    assert [intent.lease_until for intent in records.intents.expired(40, 2)] == [10, 20]


def test_claim_takes_over_once(records: Records) -> None:
    intent = an_intent(create(records), lease_until=1700000000.123456)
    records.intents.begin_write(intent, None, NOW)
    (seen,) = records.intents.expired(1800000000, 1)
    assert records.intents.claim(seen, "second", 1900000000.5)
    assert not records.intents.claim(seen, "third", 1900000000.5)
    (now,) = records.intents.expired(2000000000, 1)
    assert now == replace(seen, worker="second", lease_until=1900000000.5)


def test_claim_respects_a_renewed_lease(records: Records) -> None:
    intent = an_intent(create(records))
    records.intents.begin_write(intent, None, NOW)
    records.intents.renew([intent.id], "w", intent.lease_until + 1)
    assert not records.intents.claim(intent, "other", 3000)


def test_claim_of_what_ended(records: Records) -> None:
    intent = an_intent(create(records))
    assert not records.intents.claim(intent, "other", 3000)


def test_finish_ends_what_removes_bytes_only(records: Records) -> None:
    image, other = create(records), create(records)
    write = an_intent(image)
    records.intents.begin_write(write, None, NOW)
    write_data(records, other)
    (remove,) = records.images.delete(other.id, EVERY_STATUS, "w", 1000.125, NOW)
    records.intents.finish(write.id)
    records.intents.finish(remove.id)
    records.intents.finish("unknown")
    assert [intent.id for intent in records.intents.expired(2000, 10)] == [write.id]


def test_the_reservation_must_fit_the_quota(records: Records) -> None:
    write_data(records, create(records))
    image = create(records)
    with pytest.raises(LimitExceeded) as caught:
        records.intents.begin_write(an_intent(image, reserved_bytes=94), 100, NOW)
    assert (caught.value.limit, caught.value.maximum, caught.value.attempted) == (
        "user_storage_quota",
        100,
        101,
    )
    assert records.images.get(image.id, None).status is ImageStatus.QUEUED
    records.intents.begin_write(an_intent(image, reserved_bytes=93), 100, NOW)
    with pytest.raises(LimitExceeded):
        records.intents.begin_write(an_intent(create(records), reserved_bytes=1), 100, NOW)
    theirs = an_intent(create(records), reserved_bytes=100, project_id="theirs")
    records.intents.begin_write(theirs, 100, NOW)


def test_the_real_size_must_fit_the_quota(records: Records) -> None:
    image = create(records)
    intent = an_intent(image, reserved_bytes=3)
    records.intents.begin_write(intent, 10, NOW)
    with pytest.raises(LimitExceeded) as caught:
        records.intents.commit_write(intent.id, "w", replace(DATA, size=11), 10, NOW)
    assert caught.value.attempted == 11
    after = records.images.get(image.id, None)
    assert (after.status, after.size, after.locations) == (ImageStatus.SAVING, None, ())
    records.intents.commit_write(intent.id, "w", replace(DATA, size=10), 10, NOW)
    assert records.images.usage("mine") == 10


def test_now(records: Records) -> None:
    # The databases of the tests run on this machine.
    before = time.time()
    told = [records.intents.now(), records.intents.now()]
    assert before - 0.01 <= told[0] <= told[1] <= time.time() + 0.01
