"""The sender, on a backlog in SQLite and a bus that does as it is told."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.notify.ports import Message
from glimpse.notify.sender import Choice, Sender
from glimpse.records.database import Database
from glimpse.records.notifications import SqlBacklogRecords


class Wire:
    """A bus that takes messages while it is `up`, and waits while it `hangs`."""

    def __init__(self) -> None:
        self.up = True
        self.open = threading.Event()
        self.open.set()
        self.sent: list[Message] = []

    def send(self, message: Message) -> None:
        """See the port."""
        self.open.wait()
        if not self.up:
            raise Unavailable("message bus", "it is away")
        self.sent.append(message)

    @property
    def types(self) -> list[str]:
        """What was sent."""
        return [message["event_type"] for message in self.sent]


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.open.set()


@pytest.fixture
def backlog(database: Database) -> SqlBacklogRecords:
    return SqlBacklogRecords(database)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries again without patience."""
    for name in ("LINGER", "RETRY", "LOOK"):
        monkeypatch.setattr(f"glimpse.notify.sender.{name}", 0.01)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_messages_say_who_when_and_what(wire: Wire, backlog: SqlBacklogRecords) -> None:
    sender = Sender(wire, backlog, Choice("image.me"), clock=lambda: 1_800_000_000.25)
    sender.start()
    sender.notify("image.create", {"id": "x"})
    sender.notify("image.upload", "no", failed=True)
    sender.close()
    [first, second] = wire.sent
    assert len(first["message_id"]) == 36
    assert {name: value for name, value in first.items() if name != "message_id"} == {
        "publisher_id": "image.me",
        "event_type": "image.create",
        "priority": "INFO",
        "payload": {"id": "x"},
        "timestamp": "2027-01-15 08:00:00.250000",
    }
    assert (second["priority"], second["payload"]) == ("ERROR", "no")
    assert (sender.figures.sent, sender.figures.kept, sender.figures.dropped) == (2, 0, 0)


@pytest.mark.parametrize(
    ("disabled", "event", "wanted"),
    [
        ("image.create", "image.create", False),
        ("image.create", "image.update", True),
        ("image", "image.update", False),
        ("image", "image.member.create", False),
        ("image.member", "image.member.create", False),
        ("image.member", "image.create", True),
        ("imag", "image.create", True),
        ("task", "metadef_tag.create", True),
    ],
)
def test_what_is_disabled(
    wire: Wire, backlog: SqlBacklogRecords, disabled: str, event: str, wanted: bool
) -> None:
    assert Sender(wire, backlog, Choice(disabled=frozenset({disabled}))).wants(event) is wanted


@pytest.mark.usefixtures("quick")
def test_what_waits_is_sent_first_and_in_order(wire: Wire, backlog: SqlBacklogRecords) -> None:
    sender = Sender(wire, backlog, Choice())
    wire.up = False
    sender.start()
    for number in range(120):
        sender.notify(str(number), {})
    until(lambda: backlog.count() == 120)
    assert (wire.sent, sender.waiting, sender.figures.kept) == ([], 0, 120)
    wire.up = True
    sender.notify("last", {})
    until(lambda: len(wire.sent) == 121)
    sender.close()
    assert wire.types == [*map(str, range(120)), "last"]
    assert backlog.count() == 0


@pytest.mark.usefixtures("quick")
def test_the_oldest_are_dropped_and_counted(
    wire: Wire, backlog: SqlBacklogRecords, caplog: pytest.LogCaptureFixture
) -> None:
    counted: Counter[str] = Counter()
    sender = Sender(
        wire, backlog, Choice(most=30), count=lambda _, label, amount: counted.update({label: int(amount)})
    )
    wire.up = False
    sender.start()
    for number in range(100):
        sender.notify(str(number), {})
    until(lambda: "70 so far" in caplog.text)
    sender.close()
    assert backlog.count() == 30
    assert sender.figures.dropped == 70
    assert (counted["dropped"], counted["kept"], counted["sent"]) == (70, sender.figures.kept, 0)
    assert [one.message["event_type"] for one in backlog.claim(1, 1.0, 0.0)] == ["70"]


def test_a_bus_that_hangs_holds_nobody(
    wire: Wire, backlog: SqlBacklogRecords, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("glimpse.notify.sender.FAREWELL", 0.1)
    sender = Sender(wire, backlog, Choice(most=200))
    wire.open.clear()
    sender.start()
    for number in range(300):
        sender.notify(str(number), {})
    sender.close()
    assert backlog.count() + sender.figures.dropped == 300
    kept = [one.message["event_type"] for one in backlog.claim(300, 1.0, 0.0)]
    assert kept[-1] == "299"


def test_what_another_process_left_is_sent(wire: Wire, backlog: SqlBacklogRecords) -> None:
    backlog.keep([{"event_type": "left", "message_id": "x", "priority": "INFO"}], 10)
    sender = Sender(wire, backlog, Choice())
    sender.start()
    until(lambda: wire.types == ["left"])
    sender.close()
    assert backlog.count() == 0


@pytest.mark.usefixtures("quick")
def test_events_wait_in_memory_while_the_database_is_away_too(wire: Wire, database: Database) -> None:
    backlog = Unreachable(database)
    sender = Sender(wire, backlog, Choice())
    wire.up = False
    sender.start()
    sender.notify("a", {})
    until(lambda: backlog.refused > 2)
    assert sender.waiting == 1
    backlog.refused = -1
    until(lambda: backlog.count() == 1)
    wire.up = True
    until(lambda: wire.types == ["a"])
    sender.close()


class Unreachable(SqlBacklogRecords):
    """A backlog that refuses until `refused` is negative."""

    refused = 0

    def keep(self, messages: Sequence[Message], most: int) -> int:
        """See the port."""
        if self.refused < 0:
            return super().keep(messages, most)
        self.refused += 1
        raise Unavailable("database", "away")
