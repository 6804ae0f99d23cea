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
    `error` is why the last time failed. Of `total` bytes (None: unknown) `done` are done, lately `rate` a
    second. A job that is `cancelled` is given up by whoever has it, or takes it.
    """

    id: str
    kind: str
    subject: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    worker: str = ""
    due_at: float = 0.0
    attempts: int = 0
    error: str = ""
    done: int = 0
    total: int | None = None
    rate: float = 0.0
    cancelled: bool = False


@dataclass(slots=True)
class Progress:
    """How far a running job is, in bytes: its `run` writes `done` and `total` (None: unknown).

    `rate` is how many bytes a second were done before `at`, when `noted` were done.
    """

    done: int = 0
    total: int | None = None
    rate: float = 0.0
    noted: int = 0
    at: float = 0.0

    def measure(self, now: float) -> None:
        """Find the rate of the time since this was called last."""
        if now > self.at:
            self.rate = max(0, self.done - self.noted) / (now - self.at)
            self.noted, self.at = self.done, now


class JobRecords(Protocol):
    """The jobs that are not done yet."""

    def add(self, job: Job) -> None:
        """Note a job."""

    def get(self, job_id: str) -> Job | None:
        """The job, None if it has ended."""

    def claim(
        self, kind: str, worker: str, due_at: float, now: float, limit: int, besides: Collection[str] = ()
    ) -> list[Job]:
        """Take at most `limit` jobs that are due, the longest due first; each goes to one worker only.

        None of those `besides` is taken (by id): the worker does them still.
        """

    def renew(self, progress: Mapping[str, Progress], worker: str, due_at: float) -> Mapping[str, bool]:
        """Prolong those of the jobs (by id) that `worker` still holds, and note how far they are.

        These come back, with whether they were cancelled.
        """

    def of_subject(self, subject: str) -> list[Job]:
        """The jobs about something."""

    def of_kind(self, kind: str) -> list[Job]:
        """The jobs of a kind that nobody has cancelled, the longest due first."""

    def page(self, limit: int, after: str = "", owner: str | None = None) -> list[Job]:
        """At most `limit` jobs, by their ids, which follow `after`, in one statement.

        With an `owner` only those whose subject is an image of this project.
        """

    def cancel(self, job_id: str, now: float) -> bool:
        """Ask that a job be given up; one that waits is due at once. False: there is no such job."""

    def postpone(self, job: Job, due_at: float, error: str) -> None:
        """Let a job go until it is due, if its worker still holds it."""

    def release(self, job: Job, now: float) -> None:
        """Let a job go at once, as if it had not been taken, if its worker still holds it."""

    def finish(self, job: Job) -> bool:
        """End a job. False, and nothing is changed, if its worker no longer holds it."""
