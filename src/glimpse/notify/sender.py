"""The sender: takes events from requests without making them wait, and brings them to the bus.

Events wait in memory for a thread of this process, some milliseconds as long as the bus takes them. When it
does not, they go to a backlog in the database, from which they are sent, the oldest first, when it does
again; what is in memory when the process stops goes there too. Each message is sent at least once, always
with the same `message_id`.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from uuid import uuid4

from glimpse.catalog.events import Payload
from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.domain.figures import Count, Figure, uncounted
from glimpse.notify.ports import BacklogRecords, Bus, Message

LOG = logging.getLogger(__name__)

# How long the thread lets a request finish before it takes the processor from it, in seconds.
LINGER = 0.02
# How often the bus is tried again, and how often it is looked whether another process has left something.
RETRY = 2.0
LOOK = 10.0
# How many messages go to and from the backlog at once, and how long they are this process's.
BATCH = 50
LEASE = 60.0
# How long a process that stops waits for the bus.
FAREWELL = 3.0


@dataclass(frozen=True, slots=True)
class Choice:
    """What the operator decided: as whom events are sent, which are not, and how many may wait."""

    publisher_id: str = "image.localhost"
    disabled: frozenset[str] = frozenset()
    most: int = 10_000


@dataclass(slots=True)
class Figures:
    """How many events were sent, had to wait in the backlog, and were dropped since too many waited."""

    sent: int = 0
    kept: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class _Event:
    at: float
    type: str
    payload: Payload
    failed: bool


class Sender:
    """The catalog's port `Notifier`. Its thread runs between `start` and `close`."""

    def __init__(
        self,
        bus: Bus,
        backlog: BacklogRecords,
        choice: Choice,
        clock: Callable[[], float] = time.time,
        count: Count = uncounted,
    ) -> None:
        self.figures = Figures()
        self._count = count
        self._bus = bus
        self._backlog = backlog
        self._choice = choice
        self._clock = clock
        self._lock = Lock()
        self._waiting: deque[_Event] = deque()
        # Taken from those that wait, and not yet sent nor kept.
        self._taken: deque[Message] = deque()
        self._news, self._stop = Event(), Event()
        self._thread = Thread(target=self._run, name="notifications", daemon=True)
        # While the bus is behind, everything goes through the backlog, so that it stays in order.
        self._behind = False
        self._try_at = 0.0
        self._dropped_before = 0

    def wants(self, event: str) -> bool:
        """See the port. A type is disabled by its name, or by what stands before one of its dots."""
        disabled = self._choice.disabled
        return not disabled or not any(event == name or event.startswith(f"{name}.") for name in disabled)

    def notify(self, event: str, payload: Payload, *, failed: bool = False) -> None:
        """See the port. If too many events wait, the oldest is dropped."""
        with self._lock:
            if len(self._waiting) >= self._choice.most:
                self._waiting.popleft()
                self.figures.dropped += 1
                self._count(Figure.NOTIFICATIONS, "dropped", 1)
            self._waiting.append(_Event(self._clock(), event, payload, failed))
        if not self._news.is_set():
            self._news.set()

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def close(self) -> None:
        """Send what waits, or keep it in the backlog if the bus does not take it soon."""
        self._stop.set()
        self._news.set()
        self._thread.join(FAREWELL)
        # If the bus holds the thread, what it holds is kept as well: it may come twice, but is not lost.
        with self._lock:
            self._taken += map(self._message, self._waiting)
            self._waiting.clear()
        try:
            self._keep()
        except GlimpseError as error:
            LOG.error("%d notifications are lost: %s", len(self._taken), error)

    @property
    def waiting(self) -> int:
        """How many events wait in the memory of this process."""
        return len(self._waiting) + len(self._taken)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._turn()
            except GlimpseError as error:
                LOG.warning("notifications wait: %s", error)
                self._stop.wait(RETRY)
            except Exception:
                # Whatever it is, events must be sent for the rest of this process's life.
                LOG.exception("notifications wait")
                self._stop.wait(RETRY)
            self._news.wait(RETRY if self._behind else LOOK)
            self._news.clear()
            self._stop.wait(LINGER)
        if not self._behind:
            self._send_taken(until=self._clock() + FAREWELL / 2)

    def _turn(self) -> None:
        if not self._behind:
            self._send_taken()
        if self._behind:
            self._keep()
        if self._clock() >= self._try_at:
            self._send_kept()
        dropped = self.figures.dropped
        if dropped > self._dropped_before:
            new = dropped - self._dropped_before
            LOG.error("%d notifications were dropped, since too many wait; %d so far", new, dropped)
            self._dropped_before = dropped

    def _send_taken(self, until: float | None = None) -> None:
        """Send what waits in memory, until the bus fails."""
        while self._take() and (until is None or self._clock() < until):
            message = self._taken[0]
            if not self._send(message):
                return
            # `close` may have been tired of waiting, and kept it.
            with self._lock:
                if message in self._taken:
                    self._taken.remove(message)

    def _send_kept(self) -> None:
        """Send what waits in the backlog, until the bus fails."""
        while True:
            lease_until = self._clock() + LEASE
            batch = self._backlog.claim(BATCH, lease_until, self._clock())
            if not batch:
                break
            sent: list[int] = []
            for one in batch:
                if self._clock() >= lease_until or self._stop.is_set() or not self._send(one.message):
                    break
                sent.append(one.number)
            self._settle(sent, [one.number for one in batch[len(sent) :]])
            if len(sent) < len(batch):
                return
        self._try_at = self._clock() + LOOK
        if self._behind and self._backlog.count() == 0:
            self._behind = False
            LOG.info("notifications are sent again")

    def _settle(self, sent: Collection[int], left: Collection[int]) -> None:
        if sent:
            self._backlog.remove(sent)
        if left:
            self._backlog.release(left)

    def _send(self, message: Message) -> bool:
        try:
            self._bus.send(message)
        except Unavailable as error:
            if not self._behind:
                LOG.warning("notifications wait in the backlog: %s", error)
            self._behind = True
            self._try_at = self._clock() + RETRY
            return False
        self.figures.sent += 1
        self._count(Figure.NOTIFICATIONS, "sent", 1)
        return True

    def _keep(self) -> None:
        """Move what waits in memory to the backlog."""
        while self._take():
            batch = list(self._taken)
            dropped = self._backlog.keep(batch, self._choice.most)
            self._taken.clear()
            self.figures.kept += len(batch)
            self.figures.dropped += dropped
            self._count(Figure.NOTIFICATIONS, "kept", len(batch))
            self._count(Figure.NOTIFICATIONS, "dropped", dropped)

    def _take(self) -> bool:
        """Take events from those that wait, if none are taken; whether any are now."""
        if not self._taken:
            with self._lock:
                while self._waiting and len(self._taken) < BATCH:
                    self._taken.append(self._message(self._waiting.popleft()))
        return bool(self._taken)

    def _message(self, event: _Event) -> Message:
        return {
            "message_id": str(uuid4()),
            "publisher_id": self._choice.publisher_id,
            "event_type": event.type,
            "priority": "ERROR" if event.failed else "INFO",
            "payload": event.payload,
            "timestamp": str(datetime.fromtimestamp(event.at, UTC).replace(tzinfo=None)),
        }
