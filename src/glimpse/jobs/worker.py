"""The process that does the work, as others see it through its leases."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

# A difference of clocks of which the log tells, in seconds.
_NOTABLE = 2.0

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class SharedClock:
    """The time by which all processes judge leases, though their machines' clocks differ: this machine's, and
    how far the database's is `ahead` of it. Until `compare` is called the first time, they count as equal.
    """

    local: Callable[[], float] = time.time
    ahead: float = 0.0

    def __call__(self) -> float:
        return self.local() + self.ahead

    def compare(self, ask: Callable[[], float]) -> None:
        """Go by the database's time from now on, which `ask` tells; what that raises is raised."""
        asked = self.local()
        theirs = ask()
        answered = self.local()
        ahead = theirs - (asked + answered) / 2
        # What the time on the way may explain is no difference.
        if abs(ahead - self.ahead) <= (answered - asked) / 2:
            return
        if abs(ahead - self.ahead) >= _NOTABLE:
            LOG.warning(
                "the clock of this machine is %.0f seconds %s that of the database, by which leases go",
                abs(ahead),
                "behind" if ahead > 0 else "before",
            )
        self.ahead = ahead


@dataclass(frozen=True, slots=True)
class Worker:
    """One process. `id` is unique to its life; `lease` is how many seconds its silence is tolerated."""

    id: str
    lease: float = 10.0
    clock: Callable[[], float] = time.time

    def lease_until(self) -> float:
        """When a lease that is taken or renewed now ends, in seconds since the epoch."""
        return self.clock() + self.lease
