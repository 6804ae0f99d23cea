"""The process that does the work, as others see it through its leases."""

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Worker:
    """One process. `id` is unique to its life; `lease` is how many seconds its silence is tolerated."""

    id: str
    lease: float = 10.0
    clock: Callable[[], float] = time.time

    def lease_until(self) -> float:
        """When a lease that is taken or renewed now ends, in seconds since the epoch."""
        return self.clock() + self.lease
