"""Several stores: which there are, where data goes, and what documents say of it."""

from pathlib import Path

import pytest

from glimpse.transfer.lanes import BATCH_BYTES
from tests.api import several_stores
from tests.api.fixtures import MakeWorld
from tests.api.several_stores import OPTIONS, SERVICE, replace_the_folder, spread, upload
from tests.api.world import ADMIN, ALICE, BOB, READER, World, change
from tests.sources import DATA, Source

world = several_stores.world


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
