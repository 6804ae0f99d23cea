import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.domain.errors import Invalid, RangeNotSatisfiable, Unavailable
from glimpse.domain.image import Image, Location, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.stores.base import LocalFile, ObjectKey, Store, StoreObjectMissing
from glimpse.stores.filesystem import FilesystemStore
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.download import (
    Window,
    file_chunks,
    open_data,
    plan_content_range,
    plan_range,
)
from glimpse.transfer.reading import stream
from glimpse.transfer.transfer import Listing, Stores, Transfer
from tests.unit.world import MISSING, NOON, run

HUGE = "9" * 5000

RANGES = [
    ("bytes=0-9", 100, (0, 10)),
    ("bytes=5-", 100, (5, 95)),
    ("bytes=-5", 100, (95, 5)),
    ("bytes=-500", 100, (0, 100)),
    ("bytes=0-99999", 100, (0, 100)),
    ("bytes=99-", 100, (99, 1)),
    ("bytes=0-0", 1, (0, 1)),
    ("bytes=99-99", 100, (99, 1)),
    (" bytes=0-9 ", 100, (0, 10)),
    ("bytes=007-009", 100, (7, 3)),
    (f"bytes=5-{HUGE}", 100, (5, 95)),
    (f"bytes=-{HUGE}", 100, (0, 100)),
]


@pytest.mark.parametrize(("header", "size", "window"), RANGES, ids=lambda value: str(value)[:20])
def test_ranges(header: str, size: int, window: tuple[int, int]) -> None:
    assert plan_range(header, size) == Window(*window)


@pytest.mark.parametrize(
    ("header", "size"),
    [
        ("bytes=100-", 100),
        ("bytes=100-200", 100),
        ("bytes=5-2", 100),
        ("bytes=-", 100),
        ("bytes=-0", 100),
        ("bytes=", 100),
        ("", 100),
        ("bytes", 100),
        ("items=0-9", 100),
        ("bytes=a-b", 100),
        ("bytes=0x0-9", 100),
        ("bytes=--5", 100),
        ("bytes=0-9\n", 0),
        ("bytes=٠-٩", 100),
        ("0-9", 100),
        ("bytes=0-", 0),
        ("bytes=-5", 0),
        ("bytes=0-9-", 100),
        (f"bytes={HUGE}-", 100),
    ],
    ids=lambda value: str(value)[:20],
)
def test_ranges_that_cannot_be_served(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable) as refused:
        plan_range(header, size)
    assert refused.value.size == size


@pytest.mark.parametrize("header", ["bytes=0-1,4-5", "bytes=0-1, 4-5", "bytes=0-1,", "bytes=-1,-2"])
def test_more_than_one_range(header: str) -> None:
    with pytest.raises(Invalid) as refused:
        plan_range(header, 100)
    assert refused.value.field == "Range"


@given(st.integers(0, 2**63), st.integers(0, 2**63), st.integers(0, 2**63))
def test_every_window_lies_inside(first: int, last: int, size: int) -> None:
    for header in (f"bytes={first}-{last}", f"bytes={first}-", f"bytes=-{last}"):
        try:
            window = plan_range(header, size)
        except RangeNotSatisfiable:
            assert first >= size or last < first or last == 0
            continue
        assert 0 <= window.offset < window.offset + window.length <= size


@given(st.text(st.sampled_from("bytes=-0123456789, *")), st.integers(0, 100))
def test_any_header_is_planned_or_refused(header: str, size: int) -> None:
    for plan in (plan_range, plan_content_range):
        with contextlib.suppress(Invalid, RangeNotSatisfiable):
            assert plan(header, size).length > 0


@pytest.mark.parametrize(
    ("header", "window"),
    [
        ("bytes 0-9/*", (0, 10)),
        ("bytes 0-9/100", (0, 10)),
        ("bytes 99-99/*", (99, 1)),
        (" bytes 5-9/* ", (5, 5)),
    ],
)
def test_the_old_habit(header: str, window: tuple[int, int]) -> None:
    assert plan_content_range(header, 100) == Window(*window)


@pytest.mark.parametrize(
    "header",
    [
        "bytes */*",
        "bytes */100",
        "bytes 0-100/*",
        "bytes 0-9/101",
        "bytes 9-5/*",
        "bytes 0-9",
        "bytes 0-/*",
        "bytes=0-9",
        "items 0-9/*",
        "",
        f"bytes 0-{HUGE}/*",
        f"bytes 0-9/{HUGE}",
    ],
    ids=lambda value: value[:20],
)
def test_the_old_habit_gone_wrong(header: str) -> None:
    with pytest.raises(RangeNotSatisfiable):
        plan_content_range(header, 100)


DATA = bytes(range(256)) * 20_000


def put(store: Store, data: bytes = DATA) -> Location:
    writer = store.open_writer(ObjectKey(MISSING, "attempt"), None)
    writer.write([data[:1000], data[1000:]])
    return Location(writer.commit(), {"store": store.id})


def image(*locations: Location) -> Image:
    return Image(
        MISSING, ImageStatus.ACTIVE, Visibility.PUBLIC, NOON, NOON, size=len(DATA), locations=locations
    )


def fetch(transfer: Transfer, image: Image, window: Window) -> bytes | None:
    async def work() -> bytes | None:
        data = await open_data(transfer, image, window)
        if data is None:
            return None
        assert not isinstance(data, LocalFile)
        return b"".join([chunk async for chunk in stream(transfer.threads, data)])

    return run(work())


@pytest.mark.parametrize(
    "window", [Window(0, len(DATA)), Window(5, 1), Window(999, 2), Window(len(DATA) - 3, 3)]
)
def test_bytes_come_out_as_they_went_in(transfer: Transfer, store: MemoryStore, window: Window) -> None:
    assert fetch(transfer, image(put(store)), window) == DATA[window.offset : window.offset + window.length]


class Dead(MemoryStore):
    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        raise Unavailable("store", "no answer")


def test_the_first_location_that_has_the_bytes_is_taken(transfer: Transfer, store: MemoryStore) -> None:
    dead, empty, second = Dead("dead"), MemoryStore("empty"), MemoryStore("second")
    stores = {each.id: each for each in (dead, empty, store, second)}
    many = replace(transfer, stores=Stores(stores, "main"))
    locations = [
        Location("memory://dead/x.y", {"store": "dead"}),
        Location("memory://empty/x.y", {"store": "empty"}),
        Location("ftp://nowhere/x"),
        put(store),
        put(second, b"!" * len(DATA)),
    ]
    assert fetch(many, image(*locations), Window(0, 10)) == DATA[:10]
    assert fetch(many, image(*reversed(locations)), Window(0, 10)) == b"!" * 10


def test_no_location_has_the_bytes(transfer: Transfer) -> None:
    nowhere = Location("memory://main/x.y", {"store": "main"})
    assert fetch(transfer, image(nowhere, nowhere), Window(0, 1)) is None
    assert fetch(transfer, image(), Window(0, 1)) is None


def test_a_location_that_may_have_the_bytes_does_not_answer(transfer: Transfer, store: MemoryStore) -> None:
    many = replace(transfer, stores=Stores({"main": store, "dead": Dead("dead")}, "main"))
    dead = Location("memory://dead/x.y", {"store": "dead"})
    missing = Location("memory://main/x.y", {"store": "main"})
    for locations in ([dead, missing], [missing, dead]):
        with pytest.raises(Unavailable):
            fetch(many, image(*locations), Window(0, 1))


def test_locations_without_a_store_are_found_by_their_scheme(transfer: Transfer, store: MemoryStore) -> None:
    location = put(store)
    assert fetch(transfer, image(Location(location.url)), Window(0, 3)) == DATA[:3]
    assert fetch(transfer, image(Location(location.url, {"store": "renamed"})), Window(0, 3)) == DATA[:3]
    with pytest.raises(Unavailable):
        fetch(transfer, image(Location("rbd://pool/x")), Window(0, 3))


class Breaking(MemoryStore):
    """Gives so many bytes, and then fails, or just ends."""

    def __init__(self, id: str, after: int, failure: Exception | None) -> None:  # noqa: A002
        super().__init__(id)
        self._after, self._failure = after, failure
        self.asked: list[tuple[int, int]] = []

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        self.asked.append((offset, length))
        chunks = super().open_reader(url, offset, min(length, self._after))

        def read() -> Iterator[bytes]:
            yield from chunks
            if self._failure is not None:
                raise self._failure

        return read()


AWAY, LOST = Unavailable("store", "it went away"), StoreObjectMissing("x")


@pytest.mark.parametrize("failure", [AWAY, LOST, None], ids=["away", "lost", "short"])
@pytest.mark.parametrize("window", [Window(0, len(DATA)), Window(150, 1000), Window(0, 300), Window(7, 299)])
def test_what_breaks_goes_on_from_the_next_location(
    transfer: Transfer, window: Window, failure: Exception | None
) -> None:
    parts = [Breaking(f"part{number}", 300, failure) for number in range(2)]
    whole, spare = MemoryStore("whole"), Breaking("spare", 0, AWAY)
    stores = {each.id: each for each in (*parts, whole, spare)}
    many = replace(transfer, stores=Stores(stores, "whole"))
    broken = image(*(put(each) for each in (*parts, whole, spare)))
    assert fetch(many, broken, window) == DATA[window.offset : window.offset + window.length]
    asked = [(window.offset, window.length), (window.offset + 300, window.length - 300)]
    assert [ask for part in parts for ask in part.asked] == [ask for ask in asked if ask[1] > 0]
    assert spare.asked == []


@pytest.mark.parametrize("failure", [AWAY, LOST, None], ids=["away", "lost", "short"])
@pytest.mark.parametrize("copies", [1, 2])
def test_what_breaks_everywhere_is_an_error(
    transfer: Transfer, copies: int, failure: Exception | None
) -> None:
    parts = [Breaking(f"part{number}", 300, failure) for number in range(copies)]
    many = replace(transfer, stores=Stores({part.id: part for part in parts}, "part0"))
    with pytest.raises((Unavailable, StoreObjectMissing)):
        fetch(many, image(*(put(part) for part in parts)), Window(0, len(DATA)))


def test_other_failures_are_not_covered_up(transfer: Transfer) -> None:
    part, whole = Breaking("part", 300, ZeroDivisionError()), MemoryStore("whole")
    many = replace(transfer, stores=Stores({"part": part, "whole": whole}, "whole"))
    with pytest.raises(ZeroDivisionError):
        fetch(many, image(put(part), put(whole)), Window(0, len(DATA)))


def test_chunks_go_on_in_a_file(transfer: Transfer, tmp_path: Path) -> None:
    part, files = Breaking("part", 300, AWAY), FilesystemStore("files", tmp_path)
    many = replace(transfer, stores=Stores({"part": part, "files": files}, "part"))
    both = image(put(part), put(files))
    assert fetch(many, both, Window(3, len(DATA) - 5)) == DATA[3:-2]


def test_a_file_that_cannot_be_read_on(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(DATA)
    data = LocalFile(path.open("rb", buffering=0), 5, 10)
    assert b"".join(file_chunks(data)) == DATA[5:15]
    assert data.file.closed
    # Nothing is mapped there: the kernel answers EIO.
    with Path("/proc/self/mem").open("rb", buffering=0) as file, pytest.raises(Unavailable):
        list(file_chunks(LocalFile(file, 0, 10)))


def test_preferred_stores_and_weights_come_first(transfer: Transfer) -> None:
    many = {name: MemoryStore(name) for name in ("a", "b", "c")}
    stores = Stores(many, "a", several=True, listings={"b": Listing(weight=5)})
    every = image(*(put(store, name.encode() * len(DATA)) for name, store in many.items()))

    async def first(*prefer: str) -> bytes:
        data = await open_data(replace(transfer, stores=stores), every, Window(0, 1), prefer)
        assert not isinstance(data, LocalFile)
        assert data is not None
        return next(data)

    assert run(first()) == b"b"
    assert run(first("c")) == b"c"
    assert run(first("c", "a")) == b"a"
