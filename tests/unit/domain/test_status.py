from itertools import product

import pytest

from glimpse.domain.status import (
    FORMATS_OPEN,
    GONE,
    IMAGE_TRANSITIONS,
    ImageStatus,
    sources_of,
)

# The state machine of Image API v2; a deactivated image may also be deleted with a delay and restored, and an
# image whose data is not what was signed is killed, by whichever road it comes; so is one that
# the API v1 got with data that was refused.
LEGAL = """
queued          saving uploading importing active killed deleted
saving          active queued killed deleted
uploading       importing queued killed deleted
importing       active queued killed deleted
active          deactivated pending_delete deleted
deactivated     active pending_delete deleted
killed          deleted
pending_delete  deleted active deactivated
deleted
"""
LEGAL_PAIRS = {
    (ImageStatus(source), ImageStatus(target))
    for source, *targets in map(str.split, LEGAL.strip().splitlines())
    for target in targets
}


@pytest.mark.parametrize(("source", "target"), list(product(ImageStatus, repeat=2)))
def test_image_transitions_are_exactly_the_legal_ones(source: ImageStatus, target: ImageStatus) -> None:
    legal = (source, target) in LEGAL_PAIRS
    assert (target in IMAGE_TRANSITIONS[source]) is legal
    assert (source in sources_of(target)) is legal


def test_every_status_has_a_row() -> None:
    assert set(IMAGE_TRANSITIONS) == set(ImageStatus)


def test_no_status_is_a_dead_end_but_deleted() -> None:
    assert [status for status, targets in IMAGE_TRANSITIONS.items() if not targets] == [ImageStatus.DELETED]


def test_every_status_can_be_left_for_deleted() -> None:
    assert sources_of(ImageStatus.DELETED) == set(ImageStatus) - {ImageStatus.DELETED}


def test_groups_of_statuses() -> None:
    assert {"deleted", "pending_delete"} == GONE
    assert {"queued", "importing"} == FORMATS_OPEN
