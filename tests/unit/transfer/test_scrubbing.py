import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from glimpse.catalog.images import delete
from glimpse.catalog.ports import IntentKind
from glimpse.domain.errors import Unavailable
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.scrubbing import LEAD, Scrubber, fill, scrub, scrub_forever, scrub_once
from glimpse.transfer.transfer import Transfer
from glimpse.transfer.upload import upload
from tests.unit.world import MEMBER, Clock, Source, register, reload, run

# More than Glance's daemon survives, which calls itself at each of them.
WAKE_UPS = 1100


class Holding(MemoryStore):
    """Lets nothing go while somebody uses it."""

    used = True

    def delete(self, url: str) -> None:
        if self.used:
            raise Unavailable("store", "it is in use")
        super().delete(url)


@pytest.fixture
def store() -> Holding:
    return Holding("main")


def pending(transfer: Transfer) -> Image:
    delayed = replace(transfer, catalog=replace(transfer.catalog, delayed_delete=True))
    image = register(transfer.catalog)
    run(upload(transfer, MEMBER, image.id, aiter(Source([b"data"]))))
    assert delete(delayed.catalog, transfer.worker, MEMBER, image.id) == []
    return image


def test_data_in_use_is_removed_when_it_is_not_any_more(transfer: Transfer, store: Holding) -> None:
    image, scrubber = pending(transfer), Scrubber(transfer)
    run(scrub_once(scrubber))
    assert scrubber.tally.failed == {image.id}
    assert reload(transfer.catalog, image.id).status is ImageStatus.PENDING_DELETE
    job = transfer.catalog.records.jobs.get(image.id)
    assert job is not None
    assert (job.attempts, "in use" in job.error) == (1, True)
    store.used = False
    assert scrub(scrubber, image.id)
    assert reload(transfer.catalog, image.id).status is ImageStatus.DELETED


def test_nobody_interferes_with_a_removal_under_way(transfer: Transfer, clock: Clock, store: Holding) -> None:
    image = pending(transfer)
    with pytest.raises(Unavailable, match="in use"):
        scrub(Scrubber(transfer), image.id)
    store.used = False
    other = Scrubber(replace(transfer, worker=Worker("another", 10.0, clock), live=set()))
    with pytest.raises(Unavailable, match="another worker"):
        scrub(other, image.id)
    clock.pass_by(11)
    assert scrub(other, image.id)


def test_scrub_time(transfer: Transfer, clock: Clock) -> None:
    pending(transfer)
    scrubber = Scrubber(transfer, scrub_time=60)
    run(fill(scrubber))
    assert transfer.catalog.records.jobs.page(10) == []
    clock.pass_by(60)
    run(fill(scrubber))
    assert len(transfer.catalog.records.jobs.page(10)) == 1


def test_the_daemon_wakes_up_any_number_of_times(transfer: Transfer, store: Holding) -> None:
    store.used = False
    wake_ups = 0
    queue = transfer.catalog.records.deletions.queue

    class Counting:
        """Counts the looks for images."""

        def __getattr__(self, name: str) -> Callable[..., object]:
            return getattr(transfer.catalog.records.deletions, name)  # type: ignore[no-any-return]

        def queue(self, *arguments: object) -> int:
            nonlocal wake_ups
            wake_ups += 1
            return queue(*arguments)  # type: ignore[arg-type]

    records = replace(transfer.catalog.records, deletions=Counting())  # type: ignore[arg-type]
    counted = replace(transfer, catalog=replace(transfer.catalog, records=records))

    async def work() -> None:
        daemon = asyncio.create_task(scrub_forever(Scrubber(counted, wakeup_time=0)))
        while wake_ups < WAKE_UPS:
            await asyncio.sleep(0.01)
        image = await asyncio.to_thread(pending, transfer)
        while reload(transfer.catalog, image.id).status is not ImageStatus.DELETED:
            await asyncio.sleep(0.05)
        daemon.cancel()
        await asyncio.gather(daemon, return_exceptions=True)

    run(work(), 60)


def test_who_dies_with_the_lead_is_followed(transfer: Transfer, clock: Clock, store: Holding) -> None:
    store.used = False
    records = transfer.catalog.records
    records.deletions.ensure(LEAD)
    assert records.jobs.claim(LEAD.kind, "dead", clock.seconds + 0.5, clock.seconds, 1)
    image = pending(transfer)
    clock.pass_by(1)
    run(scrub_once(Scrubber(transfer)))
    assert reload(transfer.catalog, image.id).status is ImageStatus.DELETED
    assert not [one for one in records.intents.expired(1e12, 10) if one.kind is IntentKind.DELETE]
