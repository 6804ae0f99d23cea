import pytest

from glimpse.domain.errors import Conflict
from glimpse.stores.base import ObjectKey
from glimpse.stores.memory import MemoryStore

MIB = 1024 * 1024


def test_url_names_store_and_attempt() -> None:
    writer = MemoryStore("ram").open_writer(ObjectKey("image", "1"), None)
    assert writer.commit() == "memory://ram/image.1"


def test_reader_gets_the_chunks_themselves() -> None:
    store = MemoryStore("ram")
    chunks = [b"abc", b"defg"]
    writer = store.open_writer(ObjectKey("image", "1"), 7)
    writer.write(chunks)
    assert all(a is b for a, b in zip(store.open_reader(writer.commit(), 0, 7), chunks, strict=True))


def test_large_chunks_are_read_in_windows() -> None:
    store = MemoryStore("ram")
    writer = store.open_writer(ObjectKey("image", "1"), None)
    writer.write([bytes(2 * MIB + 5)])
    assert [len(piece) for piece in store.open_reader(writer.commit(), 1, 2 * MIB + 1)] == [MIB, MIB, 1]


def test_second_object_of_an_image_is_refused() -> None:
    store = MemoryStore("ram")
    store.open_writer(ObjectKey("image", "1"), None).commit()
    with pytest.raises(Conflict):
        store.open_writer(ObjectKey("image", "2"), None).commit()


def test_capacity_counts_what_is_on_its_way() -> None:
    store = MemoryStore("ram", capacity=10)
    writer = store.open_writer(ObjectKey("image", "1"), 4)
    writer.write([b"1234"])
    assert (store.usage().used, store.usage().free) == (4, 6)
    store.discard(ObjectKey("image", "1"))
    writer.write([b"567"])
    assert (store.usage().used, store.usage().free) == (0, 10)


def test_without_capacity_nobody_knows_what_is_free() -> None:
    assert MemoryStore("ram").usage().free is None
