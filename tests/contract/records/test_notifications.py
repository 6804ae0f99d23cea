"""The backlog of notifications, on every database."""

import pytest

from glimpse.notify.ports import Message
from glimpse.records.database import Database
from glimpse.records.notifications import SqlBacklogRecords
from tests.contract.records.making import run_together


@pytest.fixture
def backlog(database: Database) -> SqlBacklogRecords:
    return SqlBacklogRecords(database)


def messages(*names: str) -> list[Message]:
    return [{"message_id": name, "payload": {"a": [1, None, "ä😀"]}} for name in names]


def claimed(backlog: SqlBacklogRecords, limit: int = 10, now: float = 0.0) -> list[str]:
    return [kept.message["message_id"] for kept in backlog.claim(limit, now + 60.0, now)]


def test_messages_come_back_as_they_were_in_order(backlog: SqlBacklogRecords) -> None:
    assert (backlog.count(), backlog.claim(10, 60.0, 0.0)) == (0, [])
    backlog.keep(messages("a", "b"), 100)
    backlog.keep(messages("c"), 100)
    assert backlog.count() == 3
    kept = backlog.claim(2, 60.0, 0.0)
    assert [one.message for one in kept] == messages("a", "b")
    backlog.remove([one.number for one in kept])
    assert (backlog.count(), claimed(backlog)) == (1, ["c"])


def test_one_process_sends_at_a_time(backlog: SqlBacklogRecords) -> None:
    backlog.keep(messages("a", "b", "c"), 100)
    first = backlog.claim(2, 60.0, 0.0)
    assert claimed(backlog, now=59.0) == []
    assert claimed(backlog, now=60.0) == ["a", "b", "c"]
    backlog.release([one.number for one in first])
    assert claimed(backlog, 1, now=61.0) == ["a"]


def test_the_oldest_make_room(backlog: SqlBacklogRecords) -> None:
    assert backlog.keep(messages("a", "b", "c"), 3) == 0
    assert backlog.keep(messages("d", "e"), 3) == 2
    assert claimed(backlog) == ["c", "d", "e"]


def test_a_message_as_large_as_an_image_can_be(backlog: SqlBacklogRecords) -> None:
    message = {"message_id": "a", "payload": {f"p{number}": "x" * 65_535 for number in range(128)}}
    backlog.keep([message], 10)
    [kept] = backlog.claim(1, 60.0, 0.0)
    assert kept.message == message


def test_who_claims_at_the_same_time_gets_different_ones(backlog: SqlBacklogRecords) -> None:
    backlog.keep(messages(*map(str, range(40))), 100)
    taken: list[str] = []

    def work() -> None:
        taken.extend(claimed(backlog, 5))

    assert run_together(*[work] * 4) == [None] * 4
    assert len(taken) == len(set(taken)) == 5
