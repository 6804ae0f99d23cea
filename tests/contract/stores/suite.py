"""What every store must do, written once.

A backend joins with a `Backend`, and a subclass of `StoreSuite` whose fixture `backend` yields it.
"""

import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import ClassVar, Protocol
from uuid import uuid4

import pytest

from glimpse.domain.errors import Conflict, LimitExceeded
from glimpse.stores.base import LocalFile, ObjectKey, Store, StoreObjectMissing, Writer

KIB = 1024
MIB = 1024 * KIB
CONTENT = os.urandom(300 * KIB + 17)


class Backend(Protocol):
    """A kind of store, with what only its own side door can do."""

    @property
    def store(self) -> Store:
        """An empty store."""

    def full_store(self) -> Store:
        """An empty store with room for 1 to 16 MiB; skips the test where there can be none."""

    def truncate(self, url: str, size: int) -> None:
        """Damage an object behind the store's back; skips the test where nobody can."""

    def leftovers(self) -> Sequence[str]:
        """All that the stores hold, in whatever form."""


def new_key() -> ObjectKey:
    return ObjectKey(str(uuid4()), uuid4().hex)


def put(store: Store, content: bytes | Sequence[bytes], key: ObjectKey | None = None) -> str:
    chunks = [content] if isinstance(content, bytes) else content
    writer = store.open_writer(key or new_key(), sum(map(len, chunks)))
    writer.write(chunks)
    return writer.commit()


def get(store: Store, url: str, offset: int = 0, length: int | None = None) -> bytes:
    return drain(store.open_reader(url, offset, store.stat(url) - offset if length is None else length))


def drain(reader: LocalFile | Iterator[bytes]) -> bytes:
    if not isinstance(reader, LocalFile):
        return b"".join(reader)
    with reader.file:
        reader.file.seek(reader.offset)
        parts = iter(lambda: reader.file.read(MIB), b"")
        return b"".join(parts)[: reader.length]


def fill(writer: Writer, length: int) -> None:
    for _ in range(length // MIB):
        writer.write([os.urandom(MIB)])
    writer.commit()


class StoreSuite:
    # How often what happens by chance is tried; fewer times where a try takes seconds.
    races: ClassVar[int] = 50

    @pytest.fixture
    def store(self, backend: Backend) -> Iterator[Store]:
        yield backend.store
        assert backend.leftovers() == []

    @pytest.mark.parametrize("announced", [True, False], ids=["known-size", "unknown-size"])
    @pytest.mark.parametrize("length", [0, 1, 4096, len(CONTENT)])
    def test_round_trip(self, store: Store, length: int, announced: bool) -> None:
        writer = store.open_writer(new_key(), length if announced else None)
        writer.write([CONTENT[:length]])
        url = writer.commit()
        assert url.partition("://")[0] in store.schemes
        assert store.stat(url) == length
        assert get(store, url) == CONTENT[:length]
        store.delete(url)

    def test_object_without_any_write(self, store: Store) -> None:
        url = store.open_writer(new_key(), 0).commit()
        assert store.stat(url) == 0
        assert get(store, url) == b""
        store.delete(url)

    def test_many_chunks(self, store: Store) -> None:
        chunks = [CONTENT[at : at + at % 97] for at in range(3000)]
        url = put(store, chunks)
        assert get(store, url) == b"".join(chunks)
        store.delete(url)

    def test_many_writes_of_odd_chunks(self, store: Store) -> None:
        writer = store.open_writer(new_key(), None)
        for _ in range(20):
            writer.write([CONTENT[:65_537], b"", CONTENT[5:12]])
            writer.write([])
        url = writer.commit()
        assert get(store, url) == 20 * (CONTENT[:65_537] + CONTENT[5:12])
        store.delete(url)

    def test_large_chunks(self, store: Store) -> None:
        chunk = os.urandom(5 * MIB + 1)
        url = put(store, [chunk, chunk, chunk])
        assert get(store, url) == 3 * chunk
        assert get(store, url, 5 * MIB - 3, 7) == (3 * chunk)[5 * MIB - 3 : 5 * MIB + 4]
        store.delete(url)

    @pytest.mark.parametrize(
        ("offset", "length"),
        [
            (0, 1),
            (len(CONTENT) - 1, 1),
            (1000, 150 * KIB),
            (100 * KIB, 100 * KIB),
            (0, len(CONTENT)),
            (0, 0),
            (500, 0),
            (len(CONTENT), 0),
        ],
    )
    def test_ranges(self, store: Store, offset: int, length: int) -> None:
        url = put(store, [CONTENT[: 100 * KIB], CONTENT[100 * KIB : 200 * KIB], CONTENT[200 * KIB :]])
        assert get(store, url, offset, length) == CONTENT[offset : offset + length]
        store.delete(url)

    def test_range_beyond_the_end(self, store: Store) -> None:
        url = put(store, CONTENT)
        for offset, length in ((0, len(CONTENT) + 1), (len(CONTENT), 1), (len(CONTENT) + 5, 0)):
            with pytest.raises(StoreObjectMissing):
                store.open_reader(url, offset, length)
        store.delete(url)

    @pytest.mark.parametrize("chunk_size", [10_000, 64 * KIB, MIB, 4 * MIB])
    def test_zeros_stay_zeros(self, store: Store, chunk_size: int) -> None:
        zeros = bytes(MIB)
        content = zeros + CONTENT + zeros + b"\0x" + zeros + CONTENT + zeros
        url = put(store, [content[at : at + chunk_size] for at in range(0, len(content), chunk_size)])
        assert get(store, url) == content
        store.delete(url)

    def test_nothing_but_zeros(self, store: Store) -> None:
        url = put(store, [bytes(MIB), bytes(5)])
        assert get(store, url) == bytes(MIB + 5)
        store.delete(url)

    def test_invisible_before_commit(self, store: Store) -> None:
        key = new_key()
        url = put(store, CONTENT, key)
        store.delete(url)
        again = ObjectKey(key.image_id, uuid4().hex)
        writer = store.open_writer(again, len(CONTENT))
        writer.write([CONTENT])
        for place in (url, url.replace(key.attempt, again.attempt)):
            with pytest.raises(StoreObjectMissing):
                store.stat(place)
            with pytest.raises(StoreObjectMissing):
                store.open_reader(place, 0, 1)
        store.delete(writer.commit())

    def test_abort_leaves_nothing(self, store: Store, backend: Backend) -> None:
        writer = store.open_writer(new_key(), None)
        writer.write([CONTENT])
        writer.abort()
        assert backend.leftovers() == []

    def test_abort_before_the_first_byte_leaves_nothing(self, store: Store, backend: Backend) -> None:
        store.open_writer(new_key(), 10).abort()
        assert backend.leftovers() == []

    def test_an_image_can_be_written_again_after_abort(self, store: Store) -> None:
        key = new_key()
        store.open_writer(key, None).abort()
        url = put(store, CONTENT, ObjectKey(key.image_id, uuid4().hex))
        assert get(store, url) == CONTENT
        store.delete(url)

    def test_discard_before_commit_makes_commit_fail(self, store: Store, backend: Backend) -> None:
        key = new_key()
        writer = store.open_writer(key, None)
        writer.write([CONTENT])
        store.discard(key)
        assert backend.leftovers() == []
        writer.write([CONTENT])
        with pytest.raises(Conflict):
            writer.commit()
        assert backend.leftovers() == []

    def test_abort_after_discard(self, store: Store) -> None:
        key = new_key()
        writer = store.open_writer(key, None)
        writer.write([CONTENT])
        store.discard(key)
        writer.abort()

    def test_discard_after_commit(self, store: Store, backend: Backend) -> None:
        key = new_key()
        url = put(store, CONTENT, key)
        store.discard(key)
        assert backend.leftovers() == []
        with pytest.raises(StoreObjectMissing):
            store.stat(url)

    def test_discard_is_idempotent(self, store: Store) -> None:
        key = new_key()
        store.discard(key)
        store.open_writer(key, None)
        store.discard(key)
        store.discard(key)

    def test_discard_concerns_its_own_attempt_only(self, store: Store) -> None:
        first = new_key()
        second = ObjectKey(first.image_id, uuid4().hex)
        late = store.open_writer(first, None)
        late.write([b"late"])
        store.discard(first)
        url = put(store, CONTENT, second)
        with pytest.raises(Conflict):
            late.commit()
        store.discard(first)
        assert get(store, url) == CONTENT
        store.delete(url)

    def test_nothing_is_overwritten(self, store: Store) -> None:
        first = new_key()
        second = ObjectKey(first.image_id, uuid4().hex)
        url = put(store, CONTENT, first)
        writer = store.open_writer(second, None)
        writer.write([b"other"])
        with suppress(Conflict):
            writer.commit()
        assert get(store, url) == CONTENT
        store.discard(second)
        assert get(store, url) == CONTENT
        store.delete(url)

    def test_discard_against_commit(self, store: Store, backend: Backend) -> None:
        for _ in range(self.races):
            key = new_key()
            writer = store.open_writer(key, None)
            writer.write([CONTENT])
            start = threading.Barrier(2)

            def discard(key: ObjectKey = key, start: threading.Barrier = start) -> None:
                start.wait()
                store.discard(key)

            thread = threading.Thread(target=discard)
            thread.start()
            start.wait()
            with suppress(Conflict):
                writer.commit()
            thread.join()
            assert backend.leftovers() == []

    def test_delete(self, store: Store, backend: Backend) -> None:
        url = put(store, CONTENT)
        kept = put(store, CONTENT)
        store.delete(url)
        assert get(store, kept) == CONTENT
        store.delete(kept)
        assert backend.leftovers() == []

    def test_owns_what_it_wrote(self, store: Store, backend: Backend) -> None:
        url = put(store, CONTENT)
        assert store.owns(url)
        store.delete(url)
        assert store.owns(url)
        assert not backend.full_store().owns(url)

    @pytest.mark.parametrize("foreign", ["", "nonsense", "file:///etc/passwd", "rbd://pool/x", "file://\0/x"])
    def test_does_not_own_what_is_elsewhere(self, store: Store, foreign: str) -> None:
        assert not store.owns(foreign)

    def test_missing(self, store: Store) -> None:
        url = put(store, CONTENT)
        store.delete(url)
        with pytest.raises(StoreObjectMissing):
            store.delete(url)
        with pytest.raises(StoreObjectMissing):
            store.stat(url)
        with pytest.raises(StoreObjectMissing):
            store.open_reader(url, 0, 0)

    def test_truncated_object(self, store: Store, backend: Backend) -> None:
        url = put(store, CONTENT)
        backend.truncate(url, 1000)
        with pytest.raises(StoreObjectMissing):
            store.open_reader(url, 0, len(CONTENT))
        assert get(store, url, 0, 1000) == CONTENT[:1000]
        store.delete(url)

    @pytest.mark.parametrize(
        "foreign", ["", "nonsense", "file:///etc/passwd", "http://127.0.0.1/x", "{}x", "{}/..", "{}\0"]
    )
    def test_foreign_urls(self, store: Store, foreign: str) -> None:
        kept = put(store, CONTENT)
        url = foreign.format(kept)
        with pytest.raises(StoreObjectMissing):
            store.open_reader(url, 0, 0)
        with pytest.raises(StoreObjectMissing):
            store.stat(url)
        with pytest.raises(StoreObjectMissing):
            store.delete(url)
        assert get(store, kept) == CONTENT
        store.delete(kept)

    def test_deletion_while_being_read(self, store: Store) -> None:
        url = put(store, CONTENT)
        reader = store.open_reader(url, 0, len(CONTENT))
        store.delete(url)
        try:
            content = drain(reader)
        except Exception:  # noqa: BLE001, RUF100 — any error will do; other bytes will not
            return
        assert content == CONTENT

    def test_full_store(self, backend: Backend) -> None:
        store = backend.full_store()
        key = new_key()
        writer = store.open_writer(key, None)
        with pytest.raises(LimitExceeded) as caught:
            fill(writer, 32 * MIB)
        assert caught.value.limit == "store capacity"
        writer.abort()
        assert backend.leftovers() == []
        url = put(store, CONTENT)
        assert get(store, url) == CONTENT
        store.delete(url)
        assert backend.leftovers() == []

    def test_full_store_is_known_beforehand(self, backend: Backend) -> None:
        store = backend.full_store()
        with pytest.raises(LimitExceeded):
            store.open_writer(new_key(), 64 * MIB)
        assert backend.leftovers() == []

    def test_concurrent_writers(self, store: Store) -> None:
        contents = [os.urandom(100 * KIB) for _ in range(16)]

        def upload(content: bytes) -> str:
            writer = store.open_writer(new_key(), len(content))
            for at in range(0, len(content), 5000):
                writer.write([content[at : at + 5000]])
            return writer.commit()

        with ThreadPoolExecutor(8) as pool:
            urls = list(pool.map(upload, contents))
            assert list(pool.map(lambda url: get(store, url), urls)) == contents
            list(pool.map(store.delete, urls))

    def test_concurrent_readers(self, store: Store) -> None:
        url = put(store, CONTENT)
        with ThreadPoolExecutor(8) as pool:
            assert set(pool.map(lambda _: get(store, url), range(16))) == {CONTENT}
        store.delete(url)

    def test_usage(self, store: Store) -> None:
        before = store.usage()
        url = put(store, os.urandom(4 * MIB))
        after = store.usage()
        # Others may use the same disk, so only what cannot be otherwise is asked.
        assert after.used is None or (before.used is not None and after.used > 0)
        assert after.free is None or after.free >= 0
        store.delete(url)
