"""The engine: takes due jobs, keeps their leases, and sees each of them to its end.

A job ends in one of two ways: its `run` returned, or it was given up with a reason, since it cannot succeed
or was cancelled. Between them stand retries (a part behind the service is away, or something unexpected
happened), the take-over of jobs whose worker is silent, and release at once when this process shall stop.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.domain.figures import Count, Figure, uncounted
from glimpse.domain.spans import Attributes, work
from glimpse.jobs.ports import Job, JobRecords, Progress
from glimpse.jobs.worker import Worker

LOG = logging.getLogger(__name__)

# Seconds between two looks for jobs of other workers; those of this process wake the engine.
POLL = 1.0
# The longest wait before a failed job is tried again, in seconds.
LONGEST_WAIT = 60.0
# How often the wait is doubled at most: jobs that are never given up have any number of attempts.
_DOUBLINGS = 16

_DIED = "its workers ended while they did it, every time"
_CANCELLED = "it was cancelled"


@dataclass(frozen=True, slots=True)
class Kind:
    """How jobs of one kind are done: `run` does one and says how far it is, `give_up` undoes what was begun
    and notes the reason.

    Both may be called again after any line of theirs. At most `concurrency` run in this process at once; a
    job is given up after so many `attempts`, which are at most `longest_wait` seconds apart.
    """

    run: Callable[[Job, Progress], Awaitable[None]]
    give_up: Callable[[Job, str], Awaitable[None]]
    concurrency: int = 4
    attempts: int = 5
    longest_wait: float = LONGEST_WAIT


class Engine:
    """The jobs that this process does. `call` runs a blocking call off the event loop."""

    def __init__(
        self,
        records: JobRecords,
        worker: Worker,
        kinds: Mapping[str, Kind],
        call: Callable[..., Awaitable[Any]],
        count: Count = uncounted,
    ) -> None:
        self.worker = worker
        self._count = count
        self._records = records
        self._kinds = kinds
        self._call = call
        self._running: dict[str, asyncio.Task[None]] = {}
        self._jobs: dict[str, Job] = {}
        self._progress: dict[str, Progress] = {}
        self._cancelled: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """A job was added: look at once."""
        self._wake.set()

    async def take(self) -> Sequence[asyncio.Task[None]]:
        """Start the jobs that are due, as many as there is room for."""
        started: list[asyncio.Task[None]] = []
        for name, kind in self._kinds.items():
            room = kind.concurrency - sum(job.kind == name for job in self._jobs.values())
            if room > 0:
                started += [self._start(kind, job) for job in await self._claim(name, room)]
        return started

    async def _claim(self, kind: str, room: int) -> list[Job]:
        """Claim jobs. When this is cancelled they are let go, or they would wait for the end of the lease.

        A job that runs here is not claimed again, even if its lease ended while the database was away.
        """
        worker, claim_jobs, running = self.worker, self._records.claim, tuple(self._running)
        claim: asyncio.Future[list[Job]] = asyncio.ensure_future(
            self._call(claim_jobs, kind, worker.id, worker.lease_until(), worker.clock(), room, running)
        )
        try:
            return await asyncio.shield(claim)
        except asyncio.CancelledError:
            await asyncio.wait({claim})
            if claim.exception() is None:
                await self._release(claim.result())
            raise

    def _start(self, kind: Kind, job: Job) -> asyncio.Task[None]:
        progress = self._progress[job.id] = Progress(at=self.worker.clock())
        if job.cancelled:
            self._cancelled.add(job.id)
        task = asyncio.create_task(self._perform(kind, job, progress))
        self._running[job.id], self._jobs[job.id] = task, job
        task.add_done_callback(lambda _: self._forget(job.id))
        return task

    def _forget(self, job_id: str) -> None:
        del self._running[job_id], self._jobs[job_id], self._progress[job_id]
        self._cancelled.discard(job_id)
        self.wake()

    async def _perform(self, kind: Kind, job: Job, progress: Progress) -> None:
        about: Attributes = {"glimpse.subject": job.subject, "glimpse.attempt": job.attempts}
        try:
            with work(f"job {job.kind}", about):
                if await self._ended(kind, job, progress):
                    await self._call(self._records.finish, job)
        except GlimpseError as error:
            # The lease runs out, and somebody tries again.
            LOG.warning("the %s of %s is not settled yet: %s", job.kind, job.subject, error)
        except Exception:
            LOG.exception("the %s of %s is not settled yet", job.kind, job.subject)

    async def _ended(self, kind: Kind, job: Job, progress: Progress) -> bool:
        if job.cancelled or job.attempts > kind.attempts:
            await kind.give_up(job, _CANCELLED if job.cancelled else job.error or _DIED)
            if job.cancelled:
                self._count(Figure.JOBS_CANCELLED, job.kind, 1)
            return True
        try:
            await kind.run(job, progress)
        except asyncio.CancelledError:
            if job.id not in self._cancelled:
                raise
            await kind.give_up(job, _CANCELLED)
            self._count(Figure.JOBS_CANCELLED, job.kind, 1)
        except Unavailable as error:
            return await self._failed(kind, job, str(error))
        except GlimpseError as error:
            await kind.give_up(job, str(error))
        except Exception:
            LOG.exception("the %s of %s failed", job.kind, job.subject)
            return await self._failed(kind, job, "an internal error, of which the service's log tells")
        return True

    async def _failed(self, kind: Kind, job: Job, reason: str) -> bool:
        if job.attempts >= kind.attempts:
            await kind.give_up(job, reason)
            return True
        LOG.warning("the %s of %s is tried again later: %s", job.kind, job.subject, reason)
        wait = min(2.0 ** min(job.attempts - 1, _DOUBLINGS), kind.longest_wait)
        await self._call(self._records.postpone, job, self.worker.clock() + wait, reason)
        return False

    async def renew(self) -> None:
        """Prolong the leases of the running jobs; what somebody else has taken over ends here, and what was
        cancelled is given up.
        """
        running, worker = dict(self._running), self.worker
        if not running:
            return
        for progress in self._progress.values():
            progress.measure(worker.clock())
        held = await self._call(self._records.renew, dict(self._progress), worker.id, worker.lease_until())
        for job_id, task in running.items():
            cancelled = held.get(job_id, False)
            if job_id not in held or (cancelled and job_id not in self._cancelled):
                if cancelled:
                    self._cancelled.add(job_id)
                task.cancel()

    async def wait(self, seconds: float) -> None:
        """Wait until somebody calls `wake`, but not longer than that."""
        # Not `wait_for`, which may take no notice of being cancelled when the event comes at the same moment.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()
        self._wake.clear()

    async def stop(self) -> None:
        """Let all jobs go, so that other workers take them at once."""
        jobs, tasks = list(self._jobs.values()), list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._release(jobs)

    async def _release(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                await self._call(self._records.release, job, self.worker.clock())
            except GlimpseError as error:
                LOG.warning("the %s of %s goes on when its lease ends: %s", job.kind, job.subject, error)


async def run_jobs(engine: Engine) -> None:
    """Do jobs until cancelled."""
    try:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_repeat(engine.take, lambda: engine.wait(POLL)))
            tasks.create_task(_repeat(engine.renew, lambda: asyncio.sleep(engine.worker.lease / 4)))
    finally:
        await engine.stop()


async def do_due(engine: Engine) -> None:
    """Do what is due now, and what becomes due meanwhile, until nothing is."""
    rest = engine.worker.lease / 4
    renewing = asyncio.create_task(_repeat(engine.renew, lambda: asyncio.sleep(rest)))
    running: set[asyncio.Task[None]] = set()
    try:
        while True:
            running |= set(await engine.take())
            if not running:
                return
            _, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    finally:
        renewing.cancel()
        await engine.stop()


async def _repeat(work: Callable[[], Awaitable[object]], rest: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except GlimpseError as error:
            LOG.warning("jobs wait: %s", error)
        except Exception:
            # Whatever it is, jobs must be done for the rest of this process's life.
            LOG.exception("jobs wait")
        await rest()
