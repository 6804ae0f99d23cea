"""Several stores: which there are, where data goes, where it comes from, and how an image leaves one."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from shutil import rmtree

import pytest

from glimpse.domain.image import Location, difference
from glimpse.domain.status import ImageStatus
from glimpse.stores.base import ObjectKey
from glimpse.transfer.lanes import BATCH_BYTES
from glimpse.transfer.removal import sweep
from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, READER, Client, Json, World, change
from tests.sources import DATA, Source, serving

OPTIONS = """
[DEFAULT]
enabled_backends = slow:file, fast:file, web:http, cold:file
show_multiple_locations = true
show_image_direct_url = true
[glance_store]
default_backend = slow
[slow]
filesystem_store_datadir = /slow
store_description = big disks
[fast]
filesystem_store_datadir = /fast
filesystem_thin_provisioning = false
weight = 10
[web]
weight = 20
[cold]
filesystem_store_datadir = /cold
weight = -5
[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports =
"""
SERVICE = "Persona nova;project=service;roles=service"
ATTEMPTS = count()


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world(OPTIONS)


def upload(client: Client, store: str | None, data: bytes = DATA) -> str:
    """An active image with its data in a store."""
    image = str(client.create()["id"])
    headers = {} if store is None else {"X_Image_Meta_Store": store}
    assert client.upload(image, data, **headers).status_code == 204
    return image


def copy(world: World, image_id: str, store: str, data: bytes = DATA) -> None:
    """Put the image's data into one more store."""
    transfer, records = world.service.transfer, world.service.catalog.records.images
    writer = transfer.stores.named(store).open_writer(ObjectKey(image_id, str(next(ATTEMPTS))), len(data))
    writer.write([data])
    before = records.get(image_id, None)
    after = replace(before, locations=(*before.locations, Location(writer.commit(), {"store": store})))
    statuses = frozenset({ImageStatus.ACTIVE})
    records.relocate(image_id, difference(before, after), statuses, None, "tests", 0.0, world.clock())


def spread(world: World, client: Client, *stores: str) -> str:
    """An active image in these stores, in this order."""
    image = upload(client, stores[0])
    for store in stores[1:]:
        copy(world, image, store)
    return image


def served_by(world: World, client: Client, image: str, query: str = "") -> str:
    """The store whose data comes out: each is given bytes of its own."""
    for store in ("slow", "fast", "cold"):
        path = world.folder(store) / image
        if path.exists():
            path.write_bytes(store.encode().ljust(len(DATA)))
    response = client.get(f"/v2/images/{image}/file{query}")
    assert response.status_code == 200, response.text
    return response.text.strip()


def lose_the_folder(world: World, store: str) -> None:
    rmtree(world.folder(store))


def replace_the_folder(world: World, store: str) -> None:
    rmtree(world.folder(store))
    world.folder(store).write_text("no folder")


def lose_the_files(world: World, store: str) -> None:
    for path in world.folder(store).iterdir():
        path.unlink()


def shorten_the_files(world: World, store: str) -> None:
    for path in world.folder(store).iterdir():
        path.write_bytes(DATA[:-1])


Damage = Callable[[World, str], None]


class TestWhatThereIs:
    def test_for_everybody(self, world: World) -> None:
        response = world.client(READER).get("/v2/info/stores")
        assert response.status_code == 200
        assert response.json() == {
            "stores": [
                {"id": "slow", "description": "big disks", "default": "true"},
                {"id": "fast"},
                {"id": "web", "read-only": "true"},
                {"id": "cold"},
            ]
        }

    @pytest.mark.parametrize("persona", [ADMIN, SERVICE])
    def test_in_detail(self, world: World, persona: str) -> None:
        response = world.client(persona).get("/v2/info/stores/detail")
        assert response.status_code == 200
        slow, fast, web, cold = response.json()["stores"]
        assert slow == {
            "id": "slow",
            "description": "big disks",
            "default": "true",
            "type": "file",
            "properties": {
                "data_dir": str(world.folder("slow")),
                "chunk_size": BATCH_BYTES,
                "thin_provisioning": True,
            },
            "weight": 0,
        }
        assert web == {"id": "web", "read-only": "true", "type": "http", "properties": {}, "weight": 20}
        assert (fast["weight"], fast["properties"]["thin_provisioning"], cold["weight"]) == (10, False, -5)

    @pytest.mark.parametrize("persona", [ALICE, READER])
    def test_details_are_not_for_everybody(self, world: World, persona: str) -> None:
        response = world.client(persona).get("/v2/info/stores/detail")
        assert response.status_code == 403
        assert "stores_info_detail" in response.text

    def test_versions(self, world: World) -> None:
        client = world.client(READER)
        listed = [version["id"] for version in client.get("/versions").json()["versions"]]
        assert listed[:8] == ["v2.15", "v2.13", "v2.12", "v2.11", "v2.10", "v2.9", "v2.8", "v2.17"]
        assert client.get("/v2.8/info/stores").status_code == 200
        assert client.get("/v2.14/info/stores").status_code == 300

    def test_told_to_who_creates_an_image(self, world: World, make_world: MakeWorld) -> None:
        response = world.client(ALICE).post("/v2/images", {})
        assert response.headers["openstack-image-store-ids"] == "slow,fast,web,cold"
        response = make_world().client(ALICE).post("/v2/images", {})
        assert "openstack-image-store-ids" not in response.headers


class TestUpload:
    def test_to_the_default(self, world: World) -> None:
        image = upload(world.client(ALICE), None)
        assert (world.files("slow"), world.files("fast")) == ([image], [])

    def test_to_one_by_name(self, world: World) -> None:
        image = upload(world.client(ALICE), "fast")
        assert (world.files("slow"), world.files("fast")) == ([], [image])
        assert world.client(ALICE).show(image)["locations"][0]["metadata"] == {"store": "fast"}

    @pytest.mark.parametrize("store", ["nowhere", "", "web", "FAST", "file"])
    def test_to_none(self, world: World, store: str) -> None:
        client = world.client(ALICE)
        image = client.create()
        response = client.upload(image["id"], b"x", X_Image_Meta_Store=store)
        assert response.status_code == 400
        assert "store" in response.text
        assert client.show(image["id"]) == image
        assert client.upload("nothing", b"x", X_Image_Meta_Store=store).status_code == 400

    def test_with_one_store_the_name_is_ignored(self, make_world: MakeWorld) -> None:
        client = make_world().client(ALICE)
        image = client.create()["id"]
        assert client.upload(image, b"x", X_Image_Meta_Store="nowhere").status_code == 204
        assert "stores" not in client.show(image)

    def test_a_store_that_is_down(self, world: World) -> None:
        client = world.client(ALICE)
        image = client.create()
        replace_the_folder(world, "fast")
        response = client.upload(image["id"], b"x", X_Image_Meta_Store="fast")
        assert response.status_code == 503
        assert str(world.folder("fast")) not in response.text
        assert client.show(image["id"])["status"] == "queued"
        assert client.upload(image["id"], b"x", X_Image_Meta_Store="cold").status_code == 204

    def test_to_each_of_them(self, world: World) -> None:
        client = world.client(ALICE)
        images = [upload(client, store, store.encode()) for store in ("slow", "fast", "cold")]
        assert [client.data(image).content for image in images] == [b"slow", b"fast", b"cold"]


class TestDocuments:
    def test_name_the_stores(self, world: World) -> None:
        client = world.client(ALICE)
        image = client.create()
        assert "stores" not in image
        assert client.upload(image["id"], DATA).status_code == 204
        shown = client.show(image["id"])
        assert shown["stores"] == "slow"
        assert list(shown)[-3:] == ["file", "schema", "stores"]
        [listed] = client.get("/v2/images").json()["images"]
        assert listed == shown
        assert client.patch(image["id"], change("add", "name", "x")).json()["stores"] == "slow"

    def test_by_weight_and_then_by_age(self, world: World) -> None:
        client = world.client(ALICE)
        assert client.show(spread(world, client, "cold", "slow", "fast"))["stores"] == "fast,slow,cold"

    def test_every_store_once(self, world: World, source: Source) -> None:
        client = world.client(ALICE)
        image = client.create()["id"]
        for path in ("/image", "/without-head"):
            place = {"url": source.url(path), "metadata": {}}
            assert client.patch(image, change("add", "locations/-", place)).status_code == 200
        assert client.show(image)["stores"] == "web"

    def test_their_locations_in_the_same_order(self, world: World) -> None:
        client = world.client(ALICE)
        image = client.show(spread(world, client, "cold", "slow", "fast"))
        urls = [f"file://{world.folder(store)}/{image['id']}" for store in ("fast", "slow", "cold")]
        assert [location["url"] for location in image["locations"]] == urls
        assert image["direct_url"] == urls[0]
        admin = world.client(ADMIN)
        fetched = admin.get(f"/v2/images/{image['id']}/locations").json()
        assert fetched == image["locations"]

    def test_not_of_an_image_that_is_deactivated(self, world: World) -> None:
        client, admin = world.client(ALICE), world.client(ADMIN)
        image = upload(client, None)
        assert admin.post(f"/v2/images/{image}/actions/deactivate").status_code == 204
        assert "stores" not in client.show(image)
        assert admin.show(image)["stores"] == "slow"

    def test_for_everybody_who_sees_the_image(self, make_world: MakeWorld) -> None:
        """They are no secret, unlike locations."""
        world = make_world(OPTIONS.replace("= true", "= false"))
        image = upload(world.client(ADMIN), "fast")
        world.client(ADMIN).patch(image, change("replace", "visibility", "public"))
        shown = world.client(BOB).show(image)
        assert shown["stores"] == "fast"
        assert not {"locations", "direct_url"} & shown.keys()

    def test_tell_by_the_place_what_metadata_does_not(self, world: World, source: Source) -> None:
        client = world.client(ALICE)
        image = upload(client, "cold")
        for metadata in ({}, {"store": "gone"}, {"store": "web"}, {"store": "slow"}):
            place = {"url": f"file://{world.folder('cold')}/{image}", "metadata": metadata}
            response = client.patch(image, change("replace", "locations", [place]))
            assert response.status_code == 200, response.text
            assert response.json()["stores"] == "cold"
            assert client.data(image).content == DATA
        located = client.create()["id"]
        answer = client.post(f"/v2/images/{located}/locations", {"url": source.url()})
        assert answer.status_code == 202
        world.do_jobs()
        assert client.show(located)["stores"] == "web"

    def test_a_store_of_another_site(self, make_world: MakeWorld) -> None:
        """Sites share records, and each has stores of its own."""
        site = OPTIONS.replace("slow:file, fast:file", "fast:file").replace("= slow", "= fast")
        image = upload(make_world(OPTIONS).client(ALICE), "slow")
        client = make_world(site).client(ALICE)
        assert client.show(image)["stores"] == "slow"
        assert client.data(image).status_code == 503

    def test_are_described(self, world: World) -> None:
        schema = world.client(READER).get("/v2/schemas/image").json()["properties"]["stores"]
        assert (schema["type"], schema["readOnly"]) == ("string", True)

    def test_cannot_be_written(self, world: World) -> None:
        client = world.client(ALICE)
        assert client.post("/v2/images", {"stores": "fast"}).status_code == 403
        assert client.patch(client.create()["id"], change("add", "stores", "fast")).status_code == 403


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


def test_a_location_is_not_taken_for_another_store(world: World, source: Source) -> None:
    client = world.client(ALICE)
    image = client.create()["id"]
    place = {"url": source.url(), "metadata": {"store": "fast"}}
    assert client.patch(image, change("add", "locations/-", place)).status_code == 400


def test_locations_say_what_their_mount_point_is_called(make_world: MakeWorld, tmp_path: Path) -> None:
    (tmp_path / "mounts.json").write_text('{"id": "shared", "mountpoint": "/"}')
    mounts = f"[glance_store]\nfilesystem_store_metadata_file = {tmp_path}/mounts.json\n"
    client = make_world(f"[DEFAULT]\nshow_multiple_locations = true\n{mounts}").client(ALICE)
    [location] = client.show(upload(client, None))["locations"]
    assert location["metadata"] == {"id": "shared", "mountpoint": "/", "store": "file"}
