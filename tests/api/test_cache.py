"""The image cache on the road out."""

import asyncio
import os
from pathlib import Path

import httpx
import pytest

from glimpse.transfer.cache.cache import Cache
from glimpse.transfer.cache.upkeep import clean, tidy
from tests.api import caching
from tests.api.caching import ABSENT, DATA, ON, READERS, cached, settled, until, warm
from tests.api.fixtures import MakeWorld
from tests.api.slow_store import SlowStore
from tests.api.world import ADMIN, ALICE, Client, World

store, world, cache, image = caching.store, caching.world, caching.cache, caching.image


class TestOneRead:
    def together(self, alice: Client, image: str, count: int, **headers: str) -> list[httpx.Response]:
        async def all_of_them() -> list[httpx.Response]:
            asked = (alice.send("GET", f"/v2/images/{image}/file", headers=headers) for _ in range(count))
            return await asyncio.gather(*asked)

        return alice.world.loop.run(all_of_them())

    def test_readers_of_a_cold_image_share_one(self, alice: Client, image: str, store: SlowStore) -> None:
        store.allow(len(DATA))
        answers = self.together(alice, image, READERS)
        assert {answer.status_code for answer in answers} == {200}
        assert {answer.content for answer in answers} == {DATA}
        assert store.reads == [(0, len(DATA))]

    def test_then_the_store_is_not_asked(
        self, alice: Client, image: str, store: SlowStore, cache: Cache
    ) -> None:
        warm(alice, store, cache, image)
        whole = alice.data(image)
        assert (whole.content, whole.headers["content-length"]) == (DATA, str(len(DATA)))
        part = alice.data(image, Range="bytes=100-299")
        assert (part.status_code, part.content) == (206, DATA[100:300])
        assert store.reads == []

    def test_the_first_reader_may_go(self, alice: Client, image: str, store: SlowStore, cache: Cache) -> None:
        async def leave() -> bytes:
            first = asyncio.ensure_future(alice.send("GET", f"/v2/images/{image}/file"))
            second = asyncio.ensure_future(alice.send("GET", f"/v2/images/{image}/file"))
            while not store.reads:
                await asyncio.sleep(0.01)
            first.cancel()
            store.allow(len(DATA))
            return (await second).content

        assert alice.world.loop.run(leave()) == DATA
        settled(cache)
        assert len(store.reads) == 1

    def test_a_range_joins_and_does_not_begin(
        self, alice: Client, image: str, store: SlowStore, cache: Cache
    ) -> None:
        store.allow(len(DATA))
        assert alice.data(image, Range="bytes=0-9").content == DATA[:10]
        assert store.reads == [(0, 10)]
        assert not cache._fills
        store.allow(4000)

        async def join() -> bytes:
            whole = asyncio.ensure_future(alice.send("GET", f"/v2/images/{image}/file"))
            while len(store.reads) < 2:
                await asyncio.sleep(0.01)
            behind = await alice.send("GET", f"/v2/images/{image}/file", headers={"Range": "bytes=500-3499"})
            assert behind.content == DATA[500:3500]
            ahead = asyncio.ensure_future(
                alice.send("GET", f"/v2/images/{image}/file", headers={"Range": "bytes=9000-"})
            )
            await asyncio.sleep(0.05)
            assert not ahead.done()
            store.allow(len(DATA))
            assert (await ahead).content == DATA[9000:]
            return (await whole).content

        assert alice.world.loop.run(join()) == DATA
        assert len(store.reads) == 2

    def test_the_last_byte_waits_for_the_digest(
        self, alice: Client, image: str, store: SlowStore, cache: Cache
    ) -> None:
        store.replaced = bytes(len(DATA))
        store.allow(len(DATA))
        answers = self.together(alice, image, 3)
        assert all(len(answer.content) < len(DATA) or answer.status_code == 503 for answer in answers)
        assert [path.name for path in (cache.folder.root / "invalid").iterdir()] == [image]
        assert not (cache.folder.root / image).exists()
        store.replaced = None
        assert alice.data(image).content == DATA

    @pytest.mark.parametrize("breaks", [0, 5000])
    def test_a_store_that_breaks(
        self, alice: Client, image: str, store: SlowStore, cache: Cache, breaks: int
    ) -> None:
        store.breaks = breaks
        store.allow(len(DATA))
        answers = self.together(alice, image, 3)
        # The transport of these tests tells of a body that ended too early by its length alone.
        assert {(answer.status_code, len(answer.content) < len(DATA)) for answer in answers} <= {
            (200, True),
            (503, True),
        }
        if breaks == 0:
            assert {answer.status_code for answer in answers} == {503}
        settled(cache)
        assert sorted(cache.folder.cached()) == []
        assert list((cache.folder.root / "incomplete").iterdir()) == []
        store.breaks = None
        assert alice.data(image).content == DATA

    def test_nothing_is_not_cached(self, make_world: MakeWorld, store: SlowStore) -> None:
        world = make_world(ON, store=store)
        alice = world.client(ALICE)
        image = alice.active(b"")["id"]
        assert alice.data(image).status_code == 200
        assert cached(world.client(ADMIN)) == {}


class TestTrust:
    """What is on the disk is looked at before it is sent."""

    @pytest.fixture(autouse=True)
    def warmed(self, alice: Client, image: str, store: SlowStore, cache: Cache) -> Path:
        warm(alice, store, cache, image)
        return cache.folder.root / image

    def test_changed(self, alice: Client, image: str, store: SlowStore, warmed: Path) -> None:
        with warmed.open("r+b") as file:
            file.write(b"changed")
        assert alice.data(image).content == DATA
        assert len(store.reads) == 1

    def test_truncated(self, alice: Client, image: str, store: SlowStore, warmed: Path) -> None:
        os.truncate(warmed, 100)
        assert alice.data(image).content == DATA
        assert alice.data(image, Range="bytes=5000-5009").content == DATA[5000:5010]

    def test_replaced(self, alice: Client, image: str, store: SlowStore, warmed: Path) -> None:
        warmed.unlink()
        warmed.write_bytes(bytes(len(DATA)))
        assert alice.data(image).content == DATA

    def test_removed(self, alice: Client, image: str, store: SlowStore, warmed: Path) -> None:
        warmed.unlink()
        assert alice.data(image).content == DATA
        assert len(store.reads) == 1

    @pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
    def test_no_file_at_all(self, alice: Client, image: str, warmed: Path, kind: str) -> None:
        warmed.unlink()
        if kind == "link":
            warmed.symlink_to("/etc/passwd")
        elif kind == "pipe":
            os.mkfifo(warmed)
        else:
            warmed.mkdir()
        assert alice.data(image).content == DATA

    def test_rot_is_found_when_all_is_read(self, image: str, cache: Cache, warmed: Path) -> None:
        before = warmed.stat()
        with warmed.open("r+b") as file:
            file.write(b"rot")
        os.utime(warmed, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert clean(cache).removed == 0
        assert clean(cache, verify=True).removed == 1
        assert not warmed.exists()

    def test_who_may_not_read_does_not(self, admin: Client, alice: Client, bob: Client, image: str) -> None:
        assert bob.data(image).status_code == 404
        assert admin.post(f"/v2/images/{image}/actions/deactivate").status_code == 204
        assert alice.data(image).status_code == 403
        assert admin.data(image).content == DATA

    def test_a_deleted_image_goes(self, admin: Client, alice: Client, image: str, warmed: Path) -> None:
        assert alice.delete(f"/v2/images/{image}").status_code == 204
        assert alice.data(image).status_code == 404
        assert not warmed.exists()
        assert cached(admin) == {}

    def test_another_process_of_the_host_has_it_too(
        self, make_world: MakeWorld, image: str, store: SlowStore, cache: Cache
    ) -> None:
        other = make_world(ON, store=store)
        assert other.service.cache is not None
        other.service.cache.folder = cache.folder
        assert other.client(ALICE).data(image).content == DATA
        assert store.reads == []


class TestSize:
    @pytest.fixture
    def world(self, make_world: MakeWorld, store: SlowStore) -> World:
        store.allow(len(DATA))
        return make_world(f"[DEFAULT]\nimage_cache_max_size = {len(DATA) * 2}\n{ON}", store=store)

    def test_the_longest_unread_goes(
        self, world: World, alice: Client, admin: Client, cache: Cache, store: SlowStore
    ) -> None:
        first, second, third = (str(alice.active(DATA)["id"]) for _ in range(3))
        for number, image in enumerate((first, second, first, third)):
            world.later = number * 10.0
            assert alice.data(image).content == DATA
            settled(cache)
            until(lambda: sum(path.stat().st_size for path in files(cache)) <= cache.max_bytes)
        until(lambda: set(cached(admin)) == {first, third})

    def test_files_that_are_not_listed_since_the_host_has_another_name(
        self, alice: Client, admin: Client, cache: Cache
    ) -> None:
        for image in [str(alice.active(DATA)["id"]) for _ in range(3)]:
            (cache.folder.root / image).write_bytes(DATA)
        # It ends, though they are more than is allowed.
        assert admin.post("/v2/cache/prune").json() == {"total_files_pruned": 0, "total_bytes_pruned": 0}
        tidy(cache)
        assert len(cached(admin)) == len(files(cache)) == 2

    def test_larger_than_the_cache(self, alice: Client, cache: Cache) -> None:
        image = str(alice.active(DATA * 3)["id"])
        cache.transfer.stores.named("slow").allow(len(DATA) * 3)  # type: ignore[attr-defined]
        assert alice.data(image).content == DATA * 3
        assert not cache._fills
        assert files(cache) == []


def files(cache: Cache) -> list[Path]:
    return [cache.folder.root / name for name in cache.folder.cached()]


class TestKeeping:
    def test_files_of_glance_are_taken_over_if_they_are_right(
        self, admin: Client, alice: Client, image: str, cache: Cache, store: SlowStore
    ) -> None:
        wrong = str(alice.active(DATA)["id"])
        (cache.folder.root / image).write_bytes(DATA)
        (cache.folder.root / wrong).write_bytes(bytes(len(DATA)))
        (cache.folder.root / ABSENT).write_bytes(DATA)
        (cache.folder.root / "cache.db").write_bytes(b"SQLite format 3")
        tidy(cache)
        assert cached(admin) == {image: 0}
        assert sorted(path.name for path in cache.folder.root.iterdir() if path.is_file()) == sorted(
            [".lock", "cache.db", image]
        )
        assert alice.data(image).content == DATA
        assert store.reads == []

    def test_what_glance_has_queued_is_queued(self, world: World, admin: Client, image: str) -> None:
        cache = world.service.cache
        assert cache is not None
        mark = cache.folder.root / "queue" / image
        mark.touch()
        tidy(cache)
        assert not mark.exists()
        assert admin.get("/v2/cache").json()["queued_images"] == [image]

    def test_stalled_and_left(self, admin: Client, cache: Cache, image: str) -> None:
        root = cache.folder.root
        (root / "incomplete" / ABSENT).write_bytes(b"left by a process that died")
        (root / "invalid" / image).write_bytes(b"wrong")
        held = cache.folder.begin(image)
        assert held is not None
        with held:
            assert admin.post("/v2/cache/clean").status_code == 200
            assert [path.name for path in (root / "incomplete").iterdir()] == [image]
            assert list((root / "invalid").iterdir()) == []
            os.utime(held.fileno(), (0, 0))
            assert admin.post("/v2/cache/clean").status_code == 200
            assert list((root / "incomplete").iterdir()) == []
            assert not cache.folder.publish(image, held)

    def test_rows_of_what_is_gone(
        self, admin: Client, alice: Client, image: str, cache: Cache, store: SlowStore
    ) -> None:
        warm(alice, store, cache, image)
        (cache.folder.root / image).unlink()
        assert admin.post("/v2/cache/clean").status_code == 200
        assert cached(admin) == {}

    def test_a_disk_that_is_full_means_no_cache(
        self, alice: Client, image: str, cache: Cache, store: SlowStore
    ) -> None:
        store.allow(len(DATA))
        (cache.folder.root / "incomplete").rmdir()
        assert alice.data(image).content == DATA
        assert alice.data(image).content == DATA
