"""The routes by which administrators see and fill the image cache."""

import time

import pytest

from glimpse.transfer.cache.cache import Cache
from tests.api import caching
from tests.api.caching import ABSENT, DATA, MANAGED, cached, settled, warm
from tests.api.fixtures import MakeWorld
from tests.api.slow_store import SlowStore
from tests.api.world import ALICE, Client, World

store, world, cache, image = caching.store, caching.world, caching.cache, caching.image


class TestManagement:
    @pytest.fixture(autouse=True)
    def quick(self, store: SlowStore) -> None:
        store.allow(len(DATA))

    def test_list(self, admin: Client, alice: Client, image: str, store: SlowStore, cache: Cache) -> None:
        assert admin.get("/v2/cache").json() == {"cached_images": [], "queued_images": []}
        warm(alice, store, cache, image)
        alice.data(image)
        alice.data(image)
        [row] = admin.get("/v2/cache").json()["cached_images"]
        assert set(row) == {*("id", "image_id", "last_accessed", "last_modified", "size", "hits", "checksum")}
        assert (row["image_id"], row["size"], row["hits"]) == (image, len(DATA), 2)
        assert abs(row["last_accessed"] - time.time()) < 60

    def test_queue(self, world: World, admin: Client, alice: Client, image: str, store: SlowStore) -> None:
        assert admin.put(f"/v2/cache/{image}").status_code == 202
        assert admin.put(f"/v2/cache/{image}").status_code == 202
        assert admin.get("/v2/cache").json()["queued_images"] == [image]
        world.do_jobs()
        assert admin.get("/v2/cache").json()["queued_images"] == []
        assert cached(admin) == {image: 0}
        assert admin.put(f"/v2/cache/{image}").status_code == 202
        assert admin.get("/v2/cache").json()["queued_images"] == []
        assert alice.data(image).content == DATA
        assert len(store.reads) == 1

    def test_what_cannot_be_queued(self, admin: Client, alice: Client) -> None:
        assert admin.put(f"/v2/cache/{ABSENT}").status_code == 404
        assert admin.put("/v2/cache/x").status_code == 404
        answer = admin.put(f"/v2/cache/{admin.create()['id']}")
        assert (answer.status_code, "active" in answer.text) == (400, True)

    def test_an_image_deleted_while_it_waits(self, world: World, admin: Client, image: str) -> None:
        admin.put(f"/v2/cache/{image}")
        assert admin.delete(f"/v2/images/{image}").status_code == 204
        world.do_jobs()
        assert admin.get("/v2/cache").json() == {"cached_images": [], "queued_images": []}

    def test_delete_one(self, admin: Client, alice: Client, image: str, cache: Cache) -> None:
        alice.data(image)
        settled(cache)
        assert admin.delete(f"/v2/cache/{image}").status_code == 204
        assert cached(admin) == {}
        assert admin.delete(f"/v2/cache/{image}").status_code == 204
        assert admin.delete(f"/v2/cache/{ABSENT}").status_code == 404
        admin.put(f"/v2/cache/{image}")
        assert admin.delete(f"/v2/cache/{image}").status_code == 204
        assert admin.get("/v2/cache").json()["queued_images"] == []

    @pytest.mark.parametrize(
        ("target", "left"), [("", (0, 0)), ("cache", (0, 1)), ("QUEUE", (1, 0)), (None, (0, 0))]
    )
    def test_empty(
        self,
        admin: Client,
        alice: Client,
        image: str,
        cache: Cache,
        target: str | None,
        left: tuple[int, int],
    ) -> None:
        alice.data(image)
        settled(cache)
        admin.put(f"/v2/cache/{alice.active(DATA)['id']}")
        headers = {} if target is None else {"x-image-cache-clear-target": target}
        assert admin.ask("DELETE", "/v2/cache", headers=headers).status_code == 204
        found = admin.get("/v2/cache").json()
        assert (len(found["cached_images"]), len(found["queued_images"])) == left

    def test_a_wrong_target(self, admin: Client) -> None:
        answer = admin.ask("DELETE", "/v2/cache", headers={"x-image-cache-clear-target": "all"})
        assert (answer.status_code, "x-image-cache-clear-target" in answer.text) == (400, True)

    def test_nodes(self, admin: Client, alice: Client, image: str, cache: Cache) -> None:
        assert admin.get(f"/v2/cache/nodes/{image}").json() == []
        alice.data(image)
        settled(cache)
        assert admin.get(f"/v2/cache/nodes/{image}").json() == [cache.node]
        assert admin.get(f"/v2/cache/nodes/{ABSENT}").status_code == 404

    def test_prune(self, admin: Client, alice: Client, image: str, cache: Cache) -> None:
        alice.data(image)
        settled(cache)
        nothing = {"total_files_pruned": 0, "total_bytes_pruned": 0}
        assert admin.post("/v2/cache/prune").json() == nothing
        cache.max_bytes = 0
        assert admin.post("/v2/cache/prune").json() == {
            "total_files_pruned": 1,
            "total_bytes_pruned": len(DATA),
        }

    def test_for_administrators(self, alice: Client, image: str) -> None:
        for method, path in (("GET", ""), ("DELETE", ""), ("PUT", f"/{image}"), ("DELETE", f"/{image}")):
            assert alice.ask(method, f"/v2/cache{path}").status_code == 403
        for path in ("clean", "prune"):
            assert alice.post(f"/v2/cache/{path}").status_code == 403

    def test_versions(self, alice: Client) -> None:
        versions = {row["id"]: row["status"] for row in alice.get("/versions").json()["versions"]}
        assert list(versions)[:6] == ["v2.18", "v2.17", "v2.16", "v2.15", "v2.14", "v2.9"]
        assert [name for name, status in versions.items() if status == "CURRENT"] == ["v2.18"]
        assert alice.get("/v2.14/images").status_code == 200


class TestOldRoutes:
    @pytest.fixture
    def world(self, make_world: MakeWorld, store: SlowStore) -> World:
        store.allow(len(DATA))
        return make_world(MANAGED, store=store)

    def test_them(self, world: World, admin: Client, alice: Client, image: str) -> None:
        assert admin.get("/v2/queued_images").json() == {"queued_images": []}
        assert admin.put(f"/v2/queued_images/{image}").json() is None
        assert admin.get("/v2/queued_images").json() == {"queued_images": [image]}
        world.do_jobs()
        assert [row["image_id"] for row in admin.get("/v2/cached_images").json()["cached_images"]] == [image]
        assert admin.delete("/v2/cached_images").json() == {"num_deleted": 1}
        assert admin.delete(f"/v2/cached_images/{image}").json() is None
        admin.put(f"/v2/queued_images/{image}")
        assert admin.delete(f"/v2/queued_images/{image}").json() is None
        admin.put(f"/v2/queued_images/{ABSENT}")
        assert admin.delete("/v2/queued_images").json() == {"num_deleted": 1}
        assert admin.put("/v2/queued_images/x").status_code == 404
        assert alice.get("/v2/cached_images").status_code == 403

    def test_without_a_cache_they_are_not_there(self, make_world: MakeWorld) -> None:
        """For nobody, while `/v2/cache` says first who may not ask."""
        alice = Client(make_world(), ALICE)
        for path in ("cached_images", "queued_images"):
            assert alice.get(f"/v2/{path}").status_code == 404
        assert alice.get("/v2/cache").status_code == 403
