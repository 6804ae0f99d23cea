"""Removing bytes, and cleaning up after the dead: what keeps the promises "never stuck" and "no orphans"."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import replace

from glimpse.catalog.data import undo_write
from glimpse.catalog.ports import Intent, IntentKind
from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.domain.image import Location
from glimpse.domain.status import ImageStatus
from glimpse.stores.base import ObjectKey, Store, StoreObjectMissing
from glimpse.transfer.transfer import Transfer

LOG = logging.getLogger(__name__)

# How many leases one sweep settles before it looks for new ones.
SWEEP = 100

# How often within a lease it is looked whether writes have been settled.
_SETTLE_TRIES = 20


async def remove(transfer: Transfer, intents: Sequence[Intent]) -> None:
    """Remove the bytes that DELETE and DISCARD intents speak of.

    What a store cannot remove now is tried again later.
    """
    for intent in intents:
        try:
            await transfer.threads.bulk(settle, transfer, intent)
        except GlimpseError as error:
            LOG.warning("data of image %s is not removed yet: %s", intent.image_id, error)


async def keep_house(transfer: Transfer) -> None:
    """Renew this worker's leases and settle what others left, until cancelled.

    The two go on side by side: a store that takes its time must not cost the leases of this process.
    """
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(keep_leases(transfer))
        tasks.create_task(_repeat(transfer, lambda: sweep(transfer)))


async def agree_on_time(transfer: Transfer) -> None:
    """Wait until this process knows the time by which leases go.

    Before that it must not judge those of others: if its clock is ahead, the living look dead.
    """
    while True:
        try:
            return await transfer.threads.record(transfer.agree)
        except GlimpseError as error:
            LOG.warning("leases are not judged yet: %s", error)
        await asyncio.sleep(transfer.worker.lease / 4)


async def keep_leases(transfer: Transfer) -> None:
    """Agree with the others on the time and renew this worker's leases, until cancelled."""
    await _repeat(transfer, lambda: transfer.threads.record(_renew, transfer))


async def _repeat(transfer: Transfer, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except GlimpseError as error:
            LOG.warning("leases are not kept: %s", error)
        except Exception:
            # Whatever it is, the promises must be kept for the rest of this process's life.
            LOG.exception("leases are not kept")
        await asyncio.sleep(transfer.worker.lease / 4)


def _renew(transfer: Transfer) -> None:
    worker = transfer.worker
    transfer.agree()
    if transfer.live:
        transfer.catalog.records.intents.renew(tuple(transfer.live), worker.id, worker.lease_until())


async def sweep(transfer: Transfer) -> None:
    """Settle intents whose worker is silent for longer than its lease."""
    intents = transfer.catalog.records.intents
    for intent in await transfer.threads.record(intents.expired, transfer.worker.clock(), SWEEP):
        try:
            await transfer.threads.bulk(_take_over, transfer, intent)
        except GlimpseError as error:
            LOG.warning("what was left of image %s is not settled yet: %s", intent.image_id, error)


def _take_over(transfer: Transfer, intent: Intent) -> None:
    worker = transfer.worker
    # What this process itself still writes is not left, though the database was away for longer than a lease.
    if intent.id in transfer.live:
        return
    if not transfer.catalog.records.intents.claim(intent, worker.id, worker.lease_until()):
        return
    taken = replace(intent, worker=worker.id)
    if intent.kind is IntentKind.WRITE:
        give_up(transfer, taken, transfer.stores.named(intent.store))
    elif intent.kind is IntentKind.COPY:
        _drop_copy(transfer, taken)
    else:
        settle(transfer, taken)
    LOG.info("settled the %s of image %s that was left", intent.kind, intent.image_id)


def object_key(intent: Intent) -> ObjectKey:
    """The name under which a write goes to its store: unique to this attempt."""
    return ObjectKey(intent.target, intent.id, intent.project_id)


def give_up(
    transfer: Transfer, intent: Intent, store: Store, status: ImageStatus = ImageStatus.QUEUED
) -> None:
    """Undo a write: the image goes into this status, then its bytes are removed. Never raises.

    In this order, because a commit whose answer was lost may have succeeded: whoever cannot take the intent
    back must leave the bytes alone. What does not work now is done when the lease has run out.
    """
    try:
        if undo_write(transfer.catalog, intent, status):
            _settle_discard(transfer, intent, store)
    except GlimpseError as error:
        LOG.warning("the upload of image %s is not undone yet: %s", intent.image_id, error)


async def drop_copies(transfer: Transfer, copies: Sequence[Intent]) -> None:
    """Remove what was written for COPY intents of this worker that still stand. Never raises."""
    for copy in copies:
        try:
            await transfer.threads.bulk(_drop_copy, transfer, copy)
        except GlimpseError as error:
            LOG.warning("a copy of image %s is not removed yet: %s", copy.image_id, error)


def _drop_copy(transfer: Transfer, copy: Intent) -> None:
    # As with `give_up`: whoever cannot take the intent back must leave the bytes alone.
    if transfer.catalog.records.intents.abandon(copy.id, copy.worker):
        _settle_discard(transfer, copy, transfer.stores.named(copy.store))


async def settle_writes(transfer: Transfer, image_id: str, stores: Collection[str]) -> None:
    """Remove what is left in stores of writes for an image by workers that died; the living are waited for.

    :raises Unavailable: a worker that lives still writes, or a store does not let go of what is left.
    """
    intents, worker = transfer.catalog.records.intents, transfer.worker
    # Leases are renewed side by side with those of jobs: the last of them ends a little later.
    for _ in range(_SETTLE_TRIES):
        writing = await transfer.threads.record(intents.writing, image_id)
        left = [intent for intent in writing if intent.store in stores]
        if not left:
            return
        for intent in left:
            if intent.lease_until < worker.clock():
                await transfer.threads.bulk(_take_over, transfer, intent)
        await asyncio.sleep(worker.lease / _SETTLE_TRIES)
    raise Unavailable("store", "an earlier write of the image's data is not settled yet")


def settle(transfer: Transfer, intent: Intent) -> None:
    """Remove what a DELETE or DISCARD intent of this worker speaks of, and end it.

    Raises what the store does; then the intent stands.
    """
    if intent.kind is IntentKind.DELETE:
        _settle_delete(transfer, intent)
    else:
        _settle_discard(transfer, intent, transfer.stores.named(intent.store))


def _settle_discard(transfer: Transfer, intent: Intent, store: Store) -> None:
    store.discard(object_key(intent))
    transfer.catalog.records.intents.finish(intent.id)


def _settle_delete(transfer: Transfer, intent: Intent) -> None:
    store = transfer.stores.holding(Location(intent.target, {"store": intent.store}))
    try:
        store.delete(intent.target)
    except StoreObjectMissing:
        LOG.info("data of image %s was gone already", intent.image_id)
    transfer.catalog.records.intents.finish(intent.id)
