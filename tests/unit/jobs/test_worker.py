import logging

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.jobs.worker import SharedClock, Worker
from tests.unit.world import Clock


def test_leases_go_by_the_time_of_others(clock: Clock) -> None:
    shared = SharedClock(clock)
    worker = Worker("me", 10.0, shared)
    assert worker.lease_until() == clock() + 10
    shared.compare(lambda: clock() + 300)
    assert worker.lease_until() == clock() + 310
    clock.pass_by(5)
    assert shared() == clock() + 300


def test_a_difference_that_matters_is_told_once(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    shared = SharedClock(clock)
    for ahead in (-300.0, -300.5, -299.5):
        shared.compare(lambda ahead=ahead: clock() + ahead)  # type: ignore[misc]
    assert [record.getMessage() for record in caplog.records] == [
        "the clock of this machine is 300 seconds before that of the database, by which leases go"
    ]
    shared.compare(clock)
    assert len(caplog.records) == 2


def test_the_time_on_the_way_is_no_difference(clock: Clock) -> None:
    shared = SharedClock(clock)

    def slow() -> float:
        clock.pass_by(4)
        return clock() - 1

    shared.compare(slow)
    assert shared.ahead == 0


def test_what_is_not_answered_changes_nothing(clock: Clock) -> None:
    shared = SharedClock(clock)
    shared.compare(lambda: clock() + 300)

    def away() -> float:
        raise Unavailable("database", "nobody listens")

    with pytest.raises(Unavailable):
        shared.compare(away)
    assert shared.ahead == 300
