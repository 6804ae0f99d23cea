"""The queue of the cache: images to be fetched before anybody asks, as jobs that only this node takes."""

import hashlib
import logging
from uuid import uuid4

from glimpse.domain.errors import Conflict, NotFound
from glimpse.domain.status import ImageStatus
from glimpse.jobs.engine import Kind
from glimpse.jobs.ports import Job, Progress
from glimpse.transfer.cache.cache import Cache

LOG = logging.getLogger(__name__)

_AT_ONCE = 2


def kind_of(node: str) -> str:
    """The kind of the jobs that fill the cache of a node."""
    return f"cache-{hashlib.sha256(node.encode()).hexdigest()[:16]}"


def prefetching(cache: Cache) -> Kind:
    """How such a job is done."""

    async def run(job: Job, progress: Progress) -> None:
        try:
            image = await cache.transfer.threads.record(
                cache.transfer.catalog.records.images.get, job.subject, None
            )
        except NotFound:
            return
        if image.status is not ImageStatus.ACTIVE:
            raise Conflict(f"Image {image.id} is {image.status}.")
        progress.total = image.size
        if not await cache.fetch(image):
            raise Conflict("It is larger than the cache, or has no checksum to be known by.")

    async def give_up(job: Job, reason: str) -> None:
        LOG.warning("image %s is not fetched into the cache: %s", job.subject, reason)

    return Kind(run, give_up, concurrency=_AT_ONCE)


def queue(cache: Cache, image_id: str) -> None:
    """Have an image fetched, if it is neither cached nor queued already."""
    if cache.records.get(cache.node, image_id) is None and image_id not in queued(cache):
        cache.transfer.catalog.records.jobs.add(Job(str(uuid4()), kind_of(cache.node), image_id))


def queued(cache: Cache) -> list[str]:
    """The ids of the images that wait to be fetched, or are being fetched, the first to come first."""
    jobs = cache.transfer.catalog.records.jobs.of_kind(kind_of(cache.node))
    return list(dict.fromkeys(job.subject for job in jobs))


def unqueue(cache: Cache, *image_ids: str) -> int:
    """Take images out of the queue; without ids, all. How many jobs that were."""
    records = cache.transfer.catalog.records.jobs
    jobs = [job for job in records.of_kind(kind_of(cache.node)) if not image_ids or job.subject in image_ids]
    return sum(records.cancel(job.id, cache.transfer.worker.clock()) for job in jobs)
