"""The scrubber: removes the data of images whose deletion was delayed, when their time has come.

Any number of processes do so, each image being a job in the database. One of them at a time has the lead,
which is a job, too: it looks for images whose time has come and queues them, for itself and the others. When
it dies, another takes the lead as it takes any job.
"""

import asyncio
import logging
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from glimpse.catalog.deletion_ports import SCRUB
from glimpse.catalog.ports import Intent
from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.jobs.engine import POLL, Engine, Kind, do_due, run_jobs
from glimpse.jobs.ports import Job, Progress
from glimpse.transfer.removal import agree_on_time, keep_leases, settle
from glimpse.transfer.transfer import Transfer

LOG = logging.getLogger(__name__)

# How many images are queued in one transaction.
BATCH = 1000

# Who has this job has the lead.
LEAD = Job(id="scrub_queue", kind="scrub_queue", subject="")

_ENDLESS = sys.maxsize


@dataclass(slots=True)
class Tally:
    """What one process has done: how many images it removed, and those that it could not remove yet."""

    removed: int = 0
    failed: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Scrubber:
    """One process. `scrub_time` is how long data waits after a deletion, in seconds, `wakeup_time` how long
    the scrubber sleeps between two looks for such images, and `pool_size` how many it removes side by side.
    """

    transfer: Transfer
    scrub_time: int = 0
    wakeup_time: int = 300
    pool_size: int = 1
    tally: Tally = field(default_factory=Tally)

    def before(self) -> datetime:
        """The data of what was deleted by then may go now."""
        return self.transfer.catalog.clock() - timedelta(seconds=self.scrub_time)


async def scrub_once(scrubber: Scrubber) -> None:
    """Queue the images whose time has come, and remove them until none is left that can be removed now.

    When another process has the lead, it queues them, and this one helps.

    :raises Unavailable: the database does not answer.
    """
    engine = _engine(scrubber, lambda: fill(scrubber))
    await scrubber.transfer.threads.record(scrubber.transfer.agree)
    keeping = asyncio.create_task(keep_leases(scrubber.transfer))
    try:
        await _settle_lead(scrubber)
        await do_due(engine)
    finally:
        keeping.cancel()


async def scrub_forever(scrubber: Scrubber) -> None:
    """Remove images when their time has come, until cancelled."""

    async def lead() -> None:
        while True:
            await fill(scrubber)
            await asyncio.sleep(scrubber.wakeup_time)

    await agree_on_time(scrubber.transfer)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_leases(scrubber.transfer))
        tasks.create_task(run_jobs(_engine(scrubber, lead)))
        tasks.create_task(_keep_lead(scrubber))


async def fill(scrubber: Scrubber) -> None:
    """Queue the images whose time has come."""
    transfer = scrubber.transfer
    queue = transfer.catalog.records.deletions.queue
    before = scrubber.before()
    while queued := await transfer.threads.record(queue, before, BATCH):
        LOG.info("queued %d images to be removed", queued)
        if queued < BATCH:
            return


def scrub(scrubber: Scrubber, image_id: str) -> bool:
    """Remove the data of an image that waits; whether the image is deleted by that.

    Nothing is begun unless every store is known here, and what is begun is seen to its end by any worker.

    :raises Unavailable: a store does not let go of the data now.
    """
    transfer, before = scrubber.transfer, scrubber.before()
    deletions, worker = transfer.catalog.records.deletions, transfer.worker
    for location in deletions.waiting(image_id, before):
        transfer.stores.holding(location)
    intents = deletions.begin(image_id, before, worker.id, worker.lease_until(), worker.clock())
    failures = [failure for intent in intents if (failure := _failure(transfer, intent))]
    if failures:
        raise Unavailable("store", "; ".join(failures))
    return deletions.finish(image_id, transfer.catalog.clock())


def _failure(transfer: Transfer, intent: Intent) -> str | None:
    """Remove what an intent speaks of; why that did not work, or None."""
    if intent.worker != transfer.worker.id:
        return "another worker is removing the data"
    transfer.live.add(intent.id)
    try:
        settle(transfer, intent)
    except GlimpseError as error:
        return str(error)
    finally:
        transfer.live.discard(intent.id)
    return None


def _engine(scrubber: Scrubber, lead: Callable[[], Awaitable[None]]) -> Engine:
    transfer = scrubber.transfer

    async def scrub_job(job: Job, _: Progress) -> None:
        image_id = job.subject
        scrubber.tally.failed.add(image_id)
        removed = await transfer.threads.bulk(scrub, scrubber, image_id)
        scrubber.tally.failed.discard(image_id)
        if removed:
            scrubber.tally.removed += 1
            LOG.info("removed image %s", image_id)

    async def lead_job(_job: Job, _: Progress) -> None:
        LOG.info("this scrubber has the lead")
        await lead()

    async def let_go(job: Job, reason: str) -> None:
        # An image is still pending_delete, and queued again.
        LOG.warning("the %s of %s is given up for now: %s", job.kind, job.subject or "images", reason)

    longest_wait = max(float(scrubber.wakeup_time), POLL)
    kinds = {
        LEAD.kind: Kind(lead_job, let_go, concurrency=1, attempts=_ENDLESS),
        SCRUB: Kind(scrub_job, let_go, scrubber.pool_size, _ENDLESS, longest_wait),
    }
    return Engine(transfer.catalog.records.jobs, transfer.worker, kinds, transfer.threads.record)


async def _keep_lead(scrubber: Scrubber) -> None:
    """See to it that there is a lead to be had: one that was cancelled is gone."""
    transfer = scrubber.transfer
    while True:
        try:
            await transfer.threads.record(transfer.catalog.records.deletions.ensure, LEAD)
        except GlimpseError as error:
            LOG.warning("the lead waits: %s", error)
        await asyncio.sleep(transfer.worker.lease)


async def _settle_lead(scrubber: Scrubber) -> None:
    """Wait until the lead can be had, or whoever has it shows that it is alive by renewing its lease."""
    transfer = scrubber.transfer
    records, worker = transfer.catalog.records, transfer.worker
    await transfer.threads.record(records.deletions.ensure, LEAD)
    seen: float | None = None
    while True:
        job = await transfer.threads.record(records.jobs.get, LEAD.id)
        if job is None or job.due_at <= worker.clock() or seen not in (None, job.due_at):
            return
        seen = job.due_at
        await asyncio.sleep(worker.lease / 20)
