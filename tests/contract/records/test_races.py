"""What happens to those who come second, and to many at once."""

from functools import partial

import pytest

from glimpse.catalog.ports import Viewer
from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, LimitExceeded
from glimpse.domain.image import ImageChange
from glimpse.domain.status import ImageStatus
from tests.contract.records.making import (
    DATA,
    EVERY_STATUS,
    NOW,
    a_query,
    an_image,
    an_intent,
    create,
    run_together,
)

QUEUED = frozenset({ImageStatus.QUEUED})


def test_one_of_several_moves_wins(records: Records) -> None:
    image = create(records)
    move = partial(records.images.move, image.id, QUEUED, ImageStatus.SAVING, NOW)
    outcomes = run_together(*[move] * 6)
    assert outcomes.count(None) == 1
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if outcome)


def test_one_of_several_uploads_begins(records: Records) -> None:
    image = create(records)
    begins = [partial(records.intents.begin_write, an_intent(image), None, NOW) for _ in range(6)]
    outcomes = run_together(*begins)
    assert outcomes.count(None) == 1
    assert len(records.intents.expired(2000, 10)) == 1


def test_one_of_several_workers_claims(records: Records) -> None:
    intent = an_intent(create(records))
    records.intents.begin_write(intent, None, NOW)
    taken: list[bool] = []
    claims = [
        lambda worker=f"w{number}": taken.append(records.intents.claim(intent, worker, 3000))
        for number in range(6)
    ]
    assert run_together(*claims) == [None] * 6
    assert taken.count(True) == 1


def test_a_commit_and_a_claim_do_not_both_succeed(records: Records) -> None:
    for _ in range(5):
        image = create(records)
        intent = an_intent(image)
        records.intents.begin_write(intent, None, NOW)
        taken: list[bool] = []
        committed, _ = run_together(
            lambda: records.intents.commit_write(intent.id, "w", DATA, None, NOW),  # noqa: B023
            lambda: taken.append(records.intents.claim(intent, "other", 3000)),  # noqa: B023
        )
        assert (committed is None) is not taken[0]
        status = records.images.get(image.id, None).status
        assert status is (ImageStatus.ACTIVE if committed is None else ImageStatus.SAVING)


def test_a_commit_and_a_delete_leave_no_half_image(records: Records) -> None:
    for _ in range(5):
        image = create(records)
        intent = an_intent(image)
        records.intents.begin_write(intent, None, NOW)
        outcomes = run_together(
            lambda: records.intents.commit_write(intent.id, "w", DATA, None, NOW),  # noqa: B023
            lambda: records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW),  # noqa: B023
        )
        assert outcomes[1] is None
        assert records.images.get(image.id, None, deleted=True).status is ImageStatus.DELETED
    assert records.images.usage("mine") == 0


def test_the_quota_is_never_exceeded(records: Records) -> None:
    images = [create(records) for _ in range(12)]
    begins = [
        partial(records.intents.begin_write, an_intent(image, reserved_bytes=10), 50, NOW) for image in images
    ]
    outcomes = run_together(*begins)
    assert outcomes.count(None) == 5
    assert all(isinstance(outcome, LimitExceeded) for outcome in outcomes if outcome)
    assert records.images.usage("mine") == 50


def test_the_quota_is_never_exceeded_by_what_was_not_announced(records: Records) -> None:
    intents = [an_intent(create(records)) for _ in range(8)]
    for intent in intents:
        records.intents.begin_write(intent, 21, NOW)
    commits = [partial(records.intents.commit_write, intent.id, "w", DATA, 21, NOW) for intent in intents]
    outcomes = run_together(*commits)
    assert outcomes.count(None) == 3
    assert all(isinstance(outcome, LimitExceeded) for outcome in outcomes if outcome)
    assert records.images.usage("mine") == 21


def test_changes_of_one_image_at_once_are_all_kept(records: Records) -> None:
    image = create(records, properties={"old": "x"}, tags=frozenset({"old"}))
    gone = ImageChange(dropped=frozenset({"old"}), tags_removed=frozenset({"old"}))
    records.images.change(image.id, gone, QUEUED, NOW)
    changes = [
        ImageChange(
            properties={f"p{number}": str(number), "old": "back"},
            tags_added=frozenset({f"t{number}", "old", "new"}),
        )
        for number in range(8)
    ]
    outcomes = run_together(
        *[partial(records.images.change, image.id, change, QUEUED, NOW) for change in changes]
    )
    assert outcomes == [None] * 8
    after = records.images.get(image.id, None)
    assert after.properties == {"old": "back"} | {f"p{number}": str(number) for number in range(8)}
    assert after.tags == {"old", "new"} | {f"t{number}" for number in range(8)}
    tagged = records.images.page(a_query(tags=("old",), limit=10), Viewer("mine"))
    assert len(tagged) == 1


@pytest.mark.parametrize("writers", [32])
def test_many_writers_at_once(records: Records, writers: int) -> None:
    def work() -> None:
        for _ in range(3):
            image = an_image(properties={"k": "v"}, tags=frozenset({"t"}))
            records.images.create(image)
            records.images.change(image.id, ImageChange({"name": "n"}, {"k": "w"}), QUEUED, NOW)
            assert records.images.get(image.id, None).properties == {"k": "w"}

    assert run_together(*[work] * writers) == [None] * writers
    assert len(records.images.page(a_query(), Viewer("mine"))) == 3 * writers
