"""What the sender of notifications needs from the outside: a bus, and somebody who keeps what must wait."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

# A notification as it goes over the bus: message_id, publisher_id, event_type, priority, payload, timestamp.
Message = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Kept:
    """A message that waits, and the number under which it does: who came first has the lower one."""

    number: int
    message: Message


class Bus(Protocol):
    """The way to those who listen."""

    def send(self, message: Message) -> None:
        """Send a message; it may take its time. :raises Unavailable: it was not taken."""


class BacklogRecords(Protocol):
    """Messages that wait for the bus, durable and shared by all processes of the service.

    Calls are synchronous, thread-safe and transactional; each may raise `Unavailable`.
    """

    def keep(self, messages: Sequence[Message], most: int) -> int:
        """Add messages, and remove the oldest if more than about `most` wait: how many were removed."""

    def claim(self, limit: int, lease_until: float, now: float) -> list[Kept]:
        """The oldest messages, which nobody else gets until `lease_until` (seconds since the epoch).

        None if there are none, or another process is sending them: only one does so at a time.
        """

    def remove(self, numbers: Collection[int]) -> None:
        """Forget messages that were sent."""

    def release(self, numbers: Collection[int]) -> None:
        """Let messages go that could not be sent."""

    def count(self) -> int:
        """How many wait."""
