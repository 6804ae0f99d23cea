"""Removing bytes, and cleaning up after the dead: what keeps the promises "never stuck" and "no orphans"."""

import asyncio
import logging
from collections.abc import Sequence

from glimpse.catalog.ports import Intent, IntentKind
from glimpse.domain.errors import GlimpseError
from glimpse.domain.image import Location
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.transfer.transfer import Transfer

LOG = logging.getLogger(__name__)

# How many leases one sweep settles before it looks for new ones.
SWEEP = 100


async def remove(transfer: Transfer, intents: Sequence[Intent]) -> None:
    """Remove the bytes that DELETE intents speak of. What a store cannot remove now is tried again later."""
    for intent in intents:
        try:
            await transfer.threads.bulk(_settle_delete, transfer, intent)
        except GlimpseError as error:
            LOG.warning("data of image %s is not removed yet: %s", intent.image_id, error)


async def keep_house(transfer: Transfer) -> None:
    """Renew this worker's leases and settle what others left, until cancelled."""
    pause = transfer.worker.lease / 4
    while True:
        try:
            await transfer.threads.record(_renew, transfer)
            await sweep(transfer)
        except GlimpseError as error:
            LOG.warning("leases are not kept: %s", error)
        await asyncio.sleep(pause)


def _renew(transfer: Transfer) -> None:
    worker = transfer.worker
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
    if not transfer.catalog.records.intents.claim(intent, worker.id, worker.lease_until()):
        return
    if intent.kind is IntentKind.DELETE:
        _settle_delete(transfer, intent)
    else:
        _settle_write(transfer, intent)
    LOG.info("settled the %s of image %s that another worker left", intent.kind, intent.image_id)


def _settle_delete(transfer: Transfer, intent: Intent) -> None:
    store = transfer.stores.holding(Location(intent.target, {"store": intent.store}))
    try:
        store.delete(intent.target)
    except StoreObjectMissing:
        LOG.info("data of image %s was gone already", intent.image_id)
    transfer.catalog.records.intents.finish(intent.id)


def _settle_write(transfer: Transfer, intent: Intent) -> None:
    store = transfer.stores.named(intent.store)
    store.discard(ObjectKey(intent.image_id, intent.id))
    catalog = transfer.catalog
    catalog.records.intents.undo_write(intent.id, transfer.worker.id, catalog.clock())
