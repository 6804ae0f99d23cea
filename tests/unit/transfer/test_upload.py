import hashlib
from dataclasses import dataclass, replace

import pytest

from glimpse.catalog.catalog import Catalog, Limits
from glimpse.domain.caller import Caller
from glimpse.domain.errors import (
    Conflict,
    Forbidden,
    Invalid,
    LimitExceeded,
    NotFound,
    SizeMismatch,
    UnsupportedContent,
)
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.transfer import Transfer
from glimpse.transfer.upload import upload
from tests.unit.transfer.test_inspection import MIB, qcow2
from tests.unit.world import MEMBER, MISSING, OTHER, Source, register, reload, run

WORDS = [b"some ", b"", b"words", b"!" * 100_000]
ALL = b"".join(WORDS)


def send(
    transfer: Transfer,
    image: Image,
    source: Source | None = None,
    *,
    size: int | None = None,
    caller: Caller = MEMBER,
) -> None:
    run(upload(transfer, caller, image.id, aiter(source or Source(WORDS)), size=size))


def content(store: MemoryStore, catalog: Catalog, image: Image) -> bytes:
    (location,) = reload(catalog, image.id).locations
    return b"".join(store.open_reader(location.url, 0, store.stat(location.url)))


def assert_untouched(transfer: Transfer, store: MemoryStore, image: Image) -> None:
    """As if the upload had never been."""
    after = reload(transfer.catalog, image.id)
    assert replace(after, updated_at=image.updated_at) == image
    assert store.usage().used == 0
    assert transfer.live == set()
    assert transfer.catalog.records.intents.expired(1e12, 10) == []


@pytest.mark.parametrize("size", [None, len(ALL)])
def test_an_upload_that_succeeds(transfer: Transfer, store: MemoryStore, size: int | None) -> None:
    image = register(transfer.catalog)
    send(transfer, image, size=size)
    after = reload(transfer.catalog, image.id)
    assert (after.status, after.size, after.virtual_size) == (ImageStatus.ACTIVE, len(ALL), len(ALL))
    assert after.checksum == hashlib.md5(ALL).hexdigest()
    assert (after.os_hash_algo, after.os_hash_value) == ("sha512", hashlib.sha512(ALL).hexdigest())
    assert after.locations[0].metadata["store"] == "main"
    assert content(store, transfer.catalog, image) == ALL
    assert transfer.live == set()
    assert transfer.catalog.records.intents.expired(1e12, 10) == []


def test_a_disk_has_the_size_that_its_header_says(transfer: Transfer) -> None:
    image = register(transfer.catalog, disk_format="qcow2")
    send(transfer, image, Source([qcow2(size=9 * MIB)]))
    after = reload(transfer.catalog, image.id)
    assert (after.size, after.virtual_size) == (MIB, 9 * MIB)


@pytest.mark.parametrize("size", [None, 0])
def test_no_bytes_are_an_image(transfer: Transfer, store: MemoryStore, size: int | None) -> None:
    image = register(transfer.catalog, disk_format="qcow2")
    send(transfer, image, Source([]), size=size)
    after = reload(transfer.catalog, image.id)
    assert (after.status, after.size, after.virtual_size) == (ImageStatus.ACTIVE, 0, None)
    assert after.checksum == hashlib.md5(b"").hexdigest()


def test_other_containers_are_not_inspected(transfer: Transfer) -> None:
    image = register(transfer.catalog, disk_format="vmdk", container_format="ova")
    send(transfer, image)
    after = reload(transfer.catalog, image.id)
    assert (after.status, after.virtual_size) == (ImageStatus.ACTIVE, None)


def test_the_digest_of_the_configuration(transfer: Transfer) -> None:
    image = register(transfer.catalog)
    send(replace(transfer, hashing_algorithm="sha256"), image)
    after = reload(transfer.catalog, image.id)
    assert (after.os_hash_algo, after.os_hash_value) == ("sha256", hashlib.sha256(ALL).hexdigest())


def test_tolerated_mismatches(transfer: Transfer) -> None:
    image = register(transfer.catalog, disk_format="vmdk")
    send(replace(transfer, require_format_match=False), image)
    after = reload(transfer.catalog, image.id)
    assert (after.status, after.virtual_size) == (ImageStatus.ACTIVE, None)


def test_what_is_unsafe_is_never_tolerated(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog, disk_format="raw")
    with pytest.raises(UnsupportedContent):
        send(replace(transfer, require_format_match=False), image, Source([qcow2(backing=512)]))
    assert_untouched(transfer, store, image)


NO_LIMITS = Limits()


@dataclass
class Failure:
    """A way to fail, and the error that it ends with."""

    error: type[BaseException]
    source: Source
    size: int | None = None
    limits: Limits = NO_LIMITS
    disk_format: str = "raw"


FAILURES = {
    "fewer bytes": Failure(SizeMismatch, Source(WORDS), len(ALL) + 1),
    "more bytes": Failure(SizeMismatch, Source(WORDS), len(ALL) - 1),
    "bytes where none were announced": Failure(SizeMismatch, Source(WORDS), 0),
    "not its format": Failure(UnsupportedContent, Source(WORDS), None, disk_format="qcow2"),
    "unsafe": Failure(UnsupportedContent, Source([qcow2(backing=512)]), None, disk_format="qcow2"),
    "announced above the cap": Failure(LimitExceeded, Source(WORDS), len(ALL), Limits(image_size_cap=99)),
    "above the cap": Failure(LimitExceeded, Source(WORDS), None, Limits(image_size_cap=99)),
    "announced above the quota": Failure(
        LimitExceeded, Source(WORDS), len(ALL), Limits(user_storage_quota=99)
    ),
    "above the quota": Failure(LimitExceeded, Source(WORDS), None, Limits(user_storage_quota=99)),
    "announced above the store": Failure(LimitExceeded, Source([]), 2**40),
    "above the store": Failure(LimitExceeded, Source([b"x" * MIB] * 20)),
    "the source breaks off": Failure(ConnectionError, Source(WORDS, ConnectionError())),
    "the source says no": Failure(Invalid, Source(WORDS, Invalid("body", "gone"))),
}


@pytest.mark.parametrize("name", FAILURES)
def test_failures_leave_nothing_behind(transfer: Transfer, store: MemoryStore, name: str) -> None:
    failure = FAILURES[name]
    limited = replace(transfer, catalog=replace(transfer.catalog, limits=failure.limits))
    image = register(transfer.catalog, disk_format=failure.disk_format)
    with pytest.raises(failure.error):
        send(limited, image, failure.source, size=failure.size)
    assert_untouched(transfer, store, image)
    again = register(transfer.catalog) if failure.disk_format != "raw" else image
    send(transfer, again)
    assert content(store, transfer.catalog, again) == ALL


def test_mismatches_are_told_by_their_numbers(transfer: Transfer) -> None:
    image = register(transfer.catalog)
    with pytest.raises(SizeMismatch) as few:
        send(transfer, image, size=len(ALL) + 1)
    assert (few.value.announced, few.value.received) == (len(ALL) + 1, len(ALL))


def test_too_much_is_noticed_while_it_comes(transfer: Transfer) -> None:
    source = Source([b"x" * 100] * 100)
    with pytest.raises(SizeMismatch):
        send(transfer, register(transfer.catalog), source, size=250)
    assert source.taken == 3


def test_nothing_is_read_that_cannot_be_kept(transfer: Transfer) -> None:
    source = Source(WORDS)
    capped = replace(transfer, catalog=replace(transfer.catalog, limits=Limits(image_size_cap=9)))
    with pytest.raises(LimitExceeded):
        send(capped, register(transfer.catalog), source, size=10)
    assert source.taken == 0


@pytest.mark.parametrize(("caller", "image_id"), [(MEMBER, MISSING), (OTHER, "")])
def test_images_that_are_not_there(
    transfer: Transfer, store: MemoryStore, caller: Caller, image_id: str
) -> None:
    image_id = image_id or register(transfer.catalog).id
    with pytest.raises(NotFound):
        run(upload(transfer, caller, image_id, aiter(Source(WORDS))))
    assert store.usage().used == 0


def test_stores_that_are_not_there(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog)
    with pytest.raises(Invalid):
        run(upload(transfer, MEMBER, image.id, aiter(Source(WORDS)), store_id="attic"))
    assert_untouched(transfer, store, image)


def test_data_comes_once(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog)
    send(transfer, image)
    with pytest.raises(Conflict):
        send(transfer, image, Source([b"other"]))
    assert content(store, transfer.catalog, image) == ALL


def test_readers_do_not_write(transfer: Transfer, store: MemoryStore) -> None:
    image = register(transfer.catalog)
    reader = Caller("rita", "lab", frozenset({"reader"}))
    with pytest.raises(Forbidden):
        send(transfer, image, caller=reader)
    assert_untouched(transfer, store, image)
