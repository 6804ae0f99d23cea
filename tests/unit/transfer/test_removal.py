import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import replace

import pytest

from glimpse.catalog.data import begin_upload
from glimpse.catalog.images import delete
from glimpse.catalog.ports import Charge, Intent, IntentKind
from glimpse.domain.errors import Unavailable
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus
from glimpse.jobs.ports import Job
from glimpse.jobs.worker import Worker
from glimpse.stores.base import ObjectKey
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.removal import SWEEP, keep_house, remove, sweep
from glimpse.transfer.transfer import Stores, Transfer
from glimpse.transfer.upload import upload
from tests.unit.world import MEMBER, Clock, Source, register, reload, run


class Moody(MemoryStore):
    """Deletes only when it likes to, or when its gate is open."""

    def __init__(self) -> None:
        super().__init__("main")
        self.well = True
        self.gate = threading.Event()
        self.gate.set()

    def delete(self, url: str) -> None:
        assert self.gate.wait(5)
        if not self.well:
            raise Unavailable("store", "no answer")
        super().delete(url)

    def discard(self, key: ObjectKey) -> None:
        assert self.gate.wait(5)
        if not self.well:
            raise Unavailable("store", "no answer")
        super().discard(key)


@pytest.fixture
def store() -> Moody:
    return Moody()


@pytest.fixture
def others(transfer: Transfer, clock: Clock) -> Transfer:
    """The same service as another worker sees it."""
    return replace(transfer, worker=Worker("another", 10.0, clock), live=set())


def filled(transfer: Transfer) -> Image:
    image = register(transfer.catalog)
    run(upload(transfer, MEMBER, image.id, aiter(Source([b"data"]))))
    return image


def interrupted(transfer: Transfer, store: MemoryStore) -> Image:
    """What a worker leaves that dies in the middle of an upload."""
    image = register(transfer.catalog)
    write = begin_upload(transfer.catalog, transfer.worker, MEMBER, image.id, store.id, None)
    store.open_writer(ObjectKey(image.id, write.intent.id), None).write([b"half"])
    return image


def open_intents(transfer: Transfer) -> int:
    return len(transfer.catalog.records.intents.expired(1e12, 1000))


def test_deleting_removes_the_bytes(transfer: Transfer, store: Moody) -> None:
    image = filled(transfer)
    assert store.usage().used == 4
    run(remove(transfer, delete(transfer.catalog, transfer.worker, MEMBER, image.id)))
    assert store.usage().used == 0
    assert open_intents(transfer) == 0


def test_bytes_that_are_gone_already(transfer: Transfer, store: Moody) -> None:
    image = filled(transfer)
    store.delete(reload(transfer.catalog, image.id).locations[0].url)
    run(remove(transfer, delete(transfer.catalog, transfer.worker, MEMBER, image.id)))
    assert open_intents(transfer) == 0


def test_a_store_that_does_not_answer_is_asked_again(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    image = filled(transfer)
    store.well = False
    run(remove(transfer, delete(transfer.catalog, transfer.worker, MEMBER, image.id)))
    assert reload(transfer.catalog, image.id).status is ImageStatus.DELETED
    assert (store.usage().used, open_intents(transfer)) == (4, 1)
    clock.pass_by(11)
    run(sweep(others))
    assert (store.usage().used, open_intents(transfer)) == (4, 1)
    store.well = True
    run(sweep(others))
    assert store.usage().used == 4, "the lease of the last attempt still stands"
    clock.pass_by(11)
    run(sweep(transfer))
    assert (store.usage().used, open_intents(transfer)) == (0, 0)


def test_one_store_in_trouble_does_not_keep_the_others(transfer: Transfer, store: Moody) -> None:
    first, second = filled(transfer), filled(transfer)
    intents = [
        *delete(transfer.catalog, transfer.worker, MEMBER, first.id),
        *delete(transfer.catalog, transfer.worker, MEMBER, second.id),
    ]
    run(remove(transfer, [replace(intents[0], store="x", target="ftp://elsewhere/x"), intents[1]]))
    assert store.usage().used == 4


def test_what_the_dead_left_is_undone(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    image = interrupted(transfer, store)
    clock.pass_by(9)
    run(sweep(others))
    assert reload(transfer.catalog, image.id).status is ImageStatus.SAVING
    clock.pass_by(2)
    run(sweep(others))
    after = reload(transfer.catalog, image.id)
    assert replace(after, updated_at=image.updated_at) == image
    assert (store.usage().used, open_intents(transfer)) == (0, 0)


def test_what_this_process_still_writes_is_not_taken_for_left(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    """The database was away for longer than a lease, and nobody else has noticed."""
    image = register(transfer.catalog)

    async def data() -> AsyncIterator[bytes]:
        yield b"da"
        clock.pass_by(50)
        await sweep(transfer)
        yield b"ta"

    run(upload(transfer, MEMBER, image.id, data()))
    assert reload(transfer.catalog, image.id).status is ImageStatus.ACTIVE
    assert (store.usage().used, open_intents(transfer)) == (4, 0)


def test_a_copy_that_was_published_meanwhile_stays(
    transfer: Transfer, store: Moody, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the claim of what seems left and its removal."""
    records, worker = transfer.catalog.records, transfer.worker.id
    intents, key = records.intents, ObjectKey(register(transfer.catalog).id, "attempt")
    records.jobs.add(Job("job", "import", key.image_id))
    [job] = records.jobs.claim("import", worker, 10.0, 1.0, 1)
    copy = Intent(key.attempt, IntentKind.COPY, key.image_id, store.id, key.image_id, worker, 1.0)
    records.imports.reserve(job, [copy], Charge("lab", None))
    writer = store.open_writer(key, None)
    writer.write([b"data"])
    claim = intents.claim

    def claim_late(intent: Intent, worker: str, lease_until: float) -> bool:
        claimed = claim(intent, worker, lease_until)
        writer.commit()
        intents.abandon(intent.id, worker)
        intents.finish(intent.id)
        return claimed

    monkeypatch.setattr(intents, "claim", claim_late)
    run(sweep(transfer))
    assert store.usage().used == 4


def test_what_the_dead_left_of_a_deleted_image(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    image = interrupted(transfer, store)
    delete(transfer.catalog, transfer.worker, MEMBER, image.id)
    clock.pass_by(11)
    run(sweep(others))
    assert reload(transfer.catalog, image.id).status is ImageStatus.DELETED
    assert (store.usage().used, open_intents(transfer)) == (0, 0)


def test_the_image_does_not_wait_for_its_bytes_to_go(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    image = interrupted(transfer, store)
    store.well = False
    clock.pass_by(11)
    run(sweep(others))
    assert reload(transfer.catalog, image.id).status is ImageStatus.QUEUED
    (left,) = transfer.catalog.records.intents.expired(1e12, 10)
    assert (left.kind, store.usage().used) == (IntentKind.DISCARD, 4)
    store.well = True
    run(sweep(transfer))
    assert store.usage().used == 4, "the lease of the last attempt still stands"
    clock.pass_by(11)
    run(sweep(transfer))
    assert (store.usage().used, open_intents(transfer)) == (0, 0)


def test_one_that_cannot_be_settled_does_not_keep_the_others(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    attic = MemoryStore("attic")
    lost = replace(transfer, stores=Stores({"main": store, "attic": attic}, "main"))
    stuck = interrupted(lost, attic)
    clock.pass_by(1)
    image = interrupted(transfer, store)
    clock.pass_by(11)
    run(sweep(others))
    assert reload(transfer.catalog, stuck.id).status is ImageStatus.SAVING
    assert reload(transfer.catalog, image.id).status is ImageStatus.QUEUED


def test_two_janitors_settle_each_thing_once(
    transfer: Transfer, others: Transfer, store: Moody, clock: Clock
) -> None:
    images = [interrupted(transfer, store) for _ in range(5)]
    clock.pass_by(11)

    async def both() -> None:
        await asyncio.gather(sweep(transfer), sweep(others))

    run(both())
    assert {reload(transfer.catalog, image.id).status for image in images} == {ImageStatus.QUEUED}
    assert (store.usage().used, open_intents(transfer)) == (0, 0)


def test_a_sweep_has_an_end() -> None:
    assert 10 <= SWEEP <= 1000


async def until(condition: Callable[[], bool], seconds: float = 2.0) -> bool:
    """Give others the time to make a condition true."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        if loop.time() > end:
            return False
        await asyncio.sleep(0.002)
    return True


def lease(transfer: Transfer, image: Image) -> float:
    return {
        intent.image_id: intent.lease_until for intent in transfer.catalog.records.intents.expired(1e12, 100)
    }[image.id]


def test_living_leases_are_renewed_and_no_others(transfer: Transfer, store: Moody, clock: Clock) -> None:
    brisk = replace(transfer, worker=Worker("me", 0.02, clock))
    mine, not_mine = interrupted(brisk, store), interrupted(brisk, store)
    intents = {i.image_id: i for i in transfer.catalog.records.intents.expired(1e12, 10)}
    brisk.live.add(intents[mine.id].id)
    foreign = replace(brisk, worker=Worker("another", 0.02, clock))
    theirs = interrupted(foreign, store)
    before = lease(transfer, theirs)

    async def work() -> None:
        clock.pass_by(0.01)
        house = asyncio.create_task(keep_house(brisk))
        assert await until(lambda: lease(transfer, mine) > before)
        house.cancel()
        with pytest.raises(asyncio.CancelledError):
            await house

    run(work())
    assert lease(transfer, not_mine) == before
    assert lease(transfer, theirs) == before


def test_the_house_is_kept_after_trouble(
    transfer: Transfer, store: Moody, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    brisk = replace(transfer, worker=Worker("me", 0.02, clock))
    image = interrupted(brisk, store)
    clock.pass_by(11)
    intents = type(transfer.catalog.records.intents)
    expired, troubles = intents.expired, [Unavailable("database", "no answer"), OSError("unforeseen")]

    def troubled(*arguments: object) -> object:
        if troubles:
            raise troubles.pop()
        return expired(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(intents, "expired", troubled)

    async def work() -> None:
        house = asyncio.create_task(keep_house(brisk))
        settled = await until(lambda: reload(transfer.catalog, image.id).status is ImageStatus.QUEUED, 1.0)
        house.cancel()
        await asyncio.gather(house, return_exceptions=True)
        assert settled

    run(work())


def test_leases_are_renewed_while_a_store_takes_its_time(
    transfer: Transfer, store: Moody, clock: Clock
) -> None:
    """Else a slow clean-up would cost the uploads of this process their leases."""
    brisk = replace(transfer, worker=Worker("me", 0.02, clock))
    interrupted(brisk, store)
    clock.pass_by(1)
    mine = interrupted(brisk, store)
    intents = {i.image_id: i for i in transfer.catalog.records.intents.expired(1e12, 10)}
    brisk.live.add(intents[mine.id].id)
    store.gate.clear()

    async def work() -> None:
        house = asyncio.create_task(keep_house(brisk))
        await asyncio.sleep(0.05)
        before = lease(transfer, mine)
        clock.pass_by(0.01)
        renewed = await until(lambda: lease(transfer, mine) > before, 0.5)
        store.gate.set()
        house.cancel()
        await asyncio.gather(house, return_exceptions=True)
        assert renewed

    run(work())
