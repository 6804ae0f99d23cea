"""An image in several stores: from which it is read, and how it leaves one."""

import pytest

from glimpse.transfer.removal import sweep
from tests.api import several_stores
from tests.api.fixtures import MakeWorld
from tests.api.several_stores import (
    Damage,
    copy,
    lose_the_files,
    lose_the_folder,
    replace_the_folder,
    served_by,
    shorten_the_files,
    spread,
    upload,
)
from tests.api.world import ADMIN, ALICE, BOB, Json, World, change
from tests.sources import DATA, Source

world = several_stores.world


class TestDownload:
    def test_from_the_store_of_most_weight(self, world: World) -> None:
        client = world.client(ALICE)
        assert served_by(world, client, spread(world, client, "cold", "slow", "fast")) == "fast"

    @pytest.mark.parametrize(
        ("prefer", "store"),
        [
            ("cold", "cold"),
            ("slow", "slow"),
            ("cold,slow", "slow"),
            ("slow, cold", "slow"),
            ("web", "fast"),
            ("web,cold", "cold"),
            ("", "fast"),
            ("slow&prefer=cold", "slow"),
        ],
    )
    def test_from_a_store_that_is_preferred(self, world: World, prefer: str, store: str) -> None:
        client = world.client(ALICE)
        image = spread(world, client, "cold", "slow", "fast")
        assert served_by(world, client, image, f"?prefer={prefer}") == store

    @pytest.mark.parametrize("prefer", ["nowhere", "fast,nowhere", "FAST"])
    def test_from_a_store_that_there_is_not(self, world: World, prefer: str) -> None:
        client = world.client(ALICE)
        response = client.get(f"/v2/images/{upload(client, None)}/file?prefer={prefer}")
        assert response.status_code == 400
        assert "no store is called" in response.text

    def test_with_one_store_there_is_nothing_to_prefer(self, make_world: MakeWorld) -> None:
        client = make_world().client(ALICE)
        image = client.active(DATA)["id"]
        assert client.get(f"/v2/images/{image}/file?prefer=file").status_code == 400

    @pytest.mark.parametrize(
        "damage", [lose_the_folder, replace_the_folder, lose_the_files, shorten_the_files]
    )
    def test_when_a_store_fails(self, world: World, damage: Damage) -> None:
        client = world.client(ALICE)
        image = spread(world, client, "cold", "fast", "slow")
        damage(world, "fast")
        assert client.data(image).content == DATA
        assert client.data(image, Range="bytes=1000-1999").content == DATA[1000:2000]
        assert client.get(f"/v2/images/{image}/file?prefer=fast").content == DATA
        damage(world, "slow")
        assert client.data(image).content == DATA

    @pytest.mark.parametrize(
        ("damages", "status"),
        [
            ((lose_the_files, lose_the_files), 204),
            ((lose_the_files, lose_the_folder), 503),
            ((replace_the_folder, lose_the_files), 503),
            ((replace_the_folder, lose_the_folder), 503),
        ],
    )
    def test_when_all_stores_fail(self, world: World, damages: tuple[Damage, Damage], status: int) -> None:
        client = world.client(ALICE)
        image = spread(world, client, "fast", "slow")
        for damage, store in zip(damages, ("fast", "slow"), strict=True):
            damage(world, store)
        response = client.data(image)
        assert response.status_code == status
        assert str(world.folder("fast").parent) not in response.text

    @pytest.mark.parametrize("path", ["/broken", "/broken-without-tag", "/changing"])
    @pytest.mark.parametrize("span", [None, (0, len(DATA) - 1), (5_000, 200_000), (99_999, 100_001)])
    def test_that_breaks_on_its_way(
        self, world: World, source: Source, path: str, span: tuple[int, int] | None
    ) -> None:
        client = world.client(ALICE)
        image = upload(client, "slow")
        place = {"url": source.url("/image"), "metadata": {}}
        assert client.patch(image, change("add", "locations/-", place)).status_code == 200
        page = source.pages["/image"]
        source.pages["/image"] = source.pages[path]
        try:
            first, last = span or (0, len(DATA) - 1)
            headers = {} if span is None else {"Range": f"bytes={first}-{last}"}
            response = client.data(image, **headers)
        finally:
            source.pages["/image"] = page
        assert response.status_code == (200 if span is None else 206)
        assert response.content == DATA[first : last + 1]

    @pytest.mark.parametrize("path", ["/error", "/compressed", "/another-range", "/loop"])
    def test_from_a_source_that_is_of_no_use(self, world: World, source: Source, path: str) -> None:
        client = world.client(ALICE)
        image = client.create()["id"]
        place = {"url": source.url("/image"), "metadata": {}}
        assert client.patch(image, change("add", "locations/-", place)).status_code == 200
        page = source.pages["/image"]
        source.pages["/image"] = source.pages[path]
        try:
            response = client.data(image)
        finally:
            source.pages["/image"] = page
        assert response.status_code == 503
        assert response.headers["retry-after"]

    def test_that_breaks_everywhere(self, world: World, source: Source) -> None:
        """It ends before the length that was announced: a client sees that it is not all."""
        client = world.client(ALICE)
        image = upload(client, "slow")
        place = {"url": source.url("/broken"), "metadata": {}}
        assert client.patch(image, change("add", "locations/-", place)).status_code == 200
        lose_the_files(world, "slow")
        response = client.data(image)
        assert response.headers["content-length"] == str(len(DATA))
        assert response.content == DATA[: len(response.content)]
        assert len(response.content) < len(DATA)


class TestLeavingAStore:
    def test_takes_the_data_there(self, world: World) -> None:
        client, admin = world.client(ALICE), world.client(ADMIN)
        image = spread(world, client, "slow", "fast")
        response = admin.delete(f"/v2/stores/fast/{image}")
        assert (response.status_code, response.content) == (204, b"")
        assert (world.files("slow"), world.files("fast")) == ([image], [])
        assert client.show(image)["stores"] == "slow"
        assert client.data(image).content == DATA
        assert world.usage("a") == len(DATA)
        copy(world, image, "fast")
        assert client.show(image)["stores"] == "fast,slow"

    def test_leaves_what_is_on_the_web(self, world: World, source: Source) -> None:
        client, admin = world.client(ALICE), world.client(ADMIN)
        image = upload(client, "slow")
        for path in ("/image", "/without-head"):
            place = {"url": source.url(path), "metadata": {}}
            assert client.patch(image, change("add", "locations/-", place)).status_code == 200
        assert admin.delete(f"/v2/stores/web/{image}").status_code == 204
        assert client.show(image)["stores"] == "slow"
        assert all(request.startswith(("GET", "HEAD")) for request in source.requests)

    def test_goes_on_later_if_the_store_is_away(self, world: World) -> None:
        client, admin = world.client(ALICE), world.client(ADMIN)
        image = spread(world, client, "slow", "fast")
        away = world.folder("fast").with_name("away")
        world.folder("fast").rename(away)
        assert admin.delete(f"/v2/stores/fast/{image}").status_code == 204
        assert client.show(image)["stores"] == "slow"
        away.rename(world.folder("fast"))
        assert world.files("fast") == [image]
        world.later = 2 * world.settings.lease_seconds
        world.loop.run(sweep(world.service.transfer))
        assert (world.files("fast"), world.files("slow")) == ([], [image])

    def test_checks_in_order(self, world: World, make_world: MakeWorld) -> None:
        client, admin, bob = (world.client(persona) for persona in (ALICE, ADMIN, BOB))
        one, queued = upload(client, "slow"), client.create()["id"]
        both = spread(world, client, "slow", "fast")
        wanted = [
            (client, "nowhere", "nothing", 409),
            (admin, "fast", "nothing", 404),
            (bob, "fast", both, 404),
            (client, "fast", both, 403),
            (client, "fast", queued, 403),
            (admin, "fast", queued, 409),
            (admin, "fast", one, 403),
            (admin, "slow", one, 403),
            (admin, "cold", both, 404),
            (admin, "web", both, 404),
            (admin, "fast", both, 204),
            (admin, "slow", both, 403),
        ]
        for who, store, image, status in wanted:
            response = who.delete(f"/v2/stores/{store}/{image}")
            assert (store, image, response.status_code) == (store, image, status)
        single = make_world().client(ADMIN)
        assert single.delete(f"/v2/stores/nowhere/{one}").status_code == 404
        assert client.data(both).content == client.data(one).content == DATA

    def test_an_image_that_is_deactivated(self, world: World) -> None:
        client, admin = world.client(ALICE), world.client(ADMIN)
        image = spread(world, client, "slow", "fast")
        admin.post(f"/v2/images/{image}/actions/deactivate")
        assert admin.delete(f"/v2/stores/fast/{image}").status_code == 409

    def test_by_its_position_among_the_locations_that_are_shown(self, world: World) -> None:
        client, admin = world.client(ALICE), world.client(ADMIN)
        image = spread(world, client, "cold", "slow", "fast")
        response = admin.patch(image, change("remove", "locations/0"), change("remove", "locations/1"))
        assert response.status_code == 200, response.text
        assert response.json()["stores"] == "slow"
        assert [world.files(store) for store in ("fast", "slow", "cold")] == [[], [image], []]

    def test_deleting_the_image_takes_all(self, world: World) -> None:
        client = world.client(ALICE)
        image = spread(world, client, "cold", "slow", "fast")
        assert client.delete(f"/v2/images/{image}").status_code == 204
        assert [world.files(store) for store in ("fast", "slow", "cold")] == [[], [], []]

    def test_deleting_takes_it_from_where_it_is(self, world: World) -> None:
        """Metadata that names another store, or none that there is, leaves no data behind."""
        client = world.client(ALICE)
        for store in ("fast", "web", "gone"):
            image = upload(client, "cold")
            place: Json = {"url": f"file://{world.folder('cold')}/{image}", "metadata": {"store": store}}
            assert client.patch(image, change("replace", "locations", [place])).status_code == 200
            assert client.delete(f"/v2/images/{image}").status_code == 204
            assert world.files("cold") == []
