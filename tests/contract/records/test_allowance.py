"""Limits that are kept elsewhere: compared with what is there under the project's lock."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from glimpse.catalog.ports import Allowance, Resource
from glimpse.catalog.records import Records
from glimpse.domain.errors import LimitExceeded
from glimpse.domain.status import ImageStatus
from tests.contract.records.making import DATA, NOW, an_image, an_intent, create, run_together

MIB = 2**20
OPEN = dict.fromkeys(Resource, -1)


def allowance(**limits: int) -> Allowance:
    """No limits for the project "mine" but these."""
    return Allowance("mine", {**OPEN, **{Resource(name): limit for name, limit in limits.items()}})


def test_totals(records: Records) -> None:
    assert records.images.totals("mine") == dict.fromkeys(Resource, 0)
    saving, staged = create(records), create(records, size=3)
    records.intents.begin_write(an_intent(saving, reserved_bytes=7), None, NOW)
    records.images.move(staged.id, frozenset({ImageStatus.QUEUED}), ImageStatus.UPLOADING, NOW)
    copying = {"os_glance_importing_to_stores": "a,b"}
    create(records, size=5, properties=copying)
    create(records, size=11, properties={"os_glance_importing_to_stores": ""})
    create(records, owner="theirs", size=13, properties=copying)
    gone = create(records, size=17, properties=copying)
    records.images.delete(gone.id, frozenset({ImageStatus.QUEUED}), "w", 1.0, NOW)
    assert records.images.totals("mine") == {
        Resource.SIZE_TOTAL: 7,
        Resource.STAGE_TOTAL: 8,
        Resource.COUNT_TOTAL: 4,
        Resource.COUNT_UPLOADING: 3,
    }


def test_images_are_counted(records: Records) -> None:
    two = allowance(image_count_total=2)
    for _ in range(2):
        records.images.create(an_image(owner="mine"), two)
    with pytest.raises(LimitExceeded) as refused:
        records.images.create(third := an_image(owner="mine"), two)
    error = refused.value
    assert (error.limit, error.maximum, error.attempted) == ("image_count_total", 2, 3)
    records.images.create(third)


def test_what_is_not_named_is_not_allowed(records: Records) -> None:
    with pytest.raises(LimitExceeded):
        records.images.create(an_image(owner="mine"), Allowance("mine", {}))


def test_bytes_are_reserved_and_settled(records: Records) -> None:
    one = allowance(image_size_total=1)
    with pytest.raises(LimitExceeded) as refused:
        records.intents.begin_write(an_intent(create(records), reserved_bytes=MIB + 1), None, NOW, one)
    error = refused.value
    assert (error.limit, error.maximum, error.attempted) == ("image_size_total", 1, 2)
    intent = an_intent(create(records))
    records.intents.begin_write(intent, None, NOW, one)
    with pytest.raises(LimitExceeded):
        records.intents.commit_write(intent.id, "w", replace(DATA, size=MIB + 1), None, NOW, one)
    records.intents.commit_write(intent.id, "w", replace(DATA, size=MIB), None, NOW, one)
    assert records.images.totals("mine")[Resource.SIZE_TOTAL] == MIB


def _creating(records: Records) -> Callable[[], object]:
    return partial(records.images.create, an_image(owner="mine"), allowance(image_count_total=5))


def _beginning(records: Records) -> Callable[[], object]:
    intent = an_intent(create(records))
    return partial(records.intents.begin_write, intent, None, NOW, allowance(image_count_uploading=5))


def _reserving(records: Records) -> Callable[[], object]:
    intent = an_intent(create(records), reserved_bytes=MIB)
    return partial(records.intents.begin_write, intent, None, NOW, allowance(image_size_total=5))


def _settling(records: Records) -> Callable[[], object]:
    intent = an_intent(create(records))
    records.intents.begin_write(intent, None, NOW)
    data = replace(DATA, size=MIB)
    return partial(
        records.intents.commit_write, intent.id, "w", data, None, NOW, allowance(image_size_total=5)
    )


@pytest.mark.parametrize("deed", [_creating, _beginning, _reserving, _settling])
def test_no_limit_is_ever_exceeded(records: Records, deed: Callable[[Records], Callable[[], object]]) -> None:
    outcomes = run_together(*[deed(records) for _ in range(16)])
    assert outcomes.count(None) == 5
    assert all(isinstance(outcome, LimitExceeded) for outcome in outcomes if outcome)
