"""What the engine needs from the outside: somebody who keeps the jobs.

The promises of `catalog/ports.py` hold here too: calls are synchronous, thread-safe and transactional.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """Work that must be done, or given up with a reason, whatever happens to the process that does it.

    `subject` is what it is about. Until `due_at` (seconds since the epoch) the job belongs to `worker`, or
    waits if that is empty; from then on any worker may take it. `attempts` counts how often it was taken,
    `error` is why the last time failed.
    """

    id: str
    kind: str
    subject: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    worker: str = ""
    due_at: float = 0.0
    attempts: int = 0
    error: str = ""


class JobRecords(Protocol):
    """The jobs that are not done yet."""

    def add(self, job: Job) -> None:
        """Note a job."""

    def get(self, job_id: str) -> Job | None:
        """The job, None if it has ended."""

    def claim(self, kind: str, worker: str, due_at: float, now: float, limit: int) -> list[Job]:
        """Take at most `limit` jobs that are due, the longest due first; each goes to one worker only."""

    def renew(self, job_ids: Collection[str], worker: str, due_at: float) -> frozenset[str]:
        """Prolong those of the jobs that `worker` still holds; these come back."""

    def postpone(self, job: Job, due_at: float, error: str) -> None:
        """Let a job go until it is due, if its worker still holds it."""

    def release(self, job: Job, now: float) -> None:
        """Let a job go at once, as if it had not been taken, if its worker still holds it."""

    def finish(self, job: Job) -> bool:
        """End a job. False, and nothing is changed, if its worker no longer holds it."""
