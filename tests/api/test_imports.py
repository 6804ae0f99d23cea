"""Imports: data that is staged, downloaded or copied becomes the data of an image."""

import gzip
import hashlib
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from glimpse.domain.image import ImageChange
from glimpse.transfer.removal import remove
from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, DATA_TYPE, READER, Client, Json, World, change
from tests.sources import DATA, Source

RULES = "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
STORES = """
[DEFAULT]
enabled_backends = one:file, two:file, three:file
[glance_store]
default_backend = one
[one]
filesystem_store_datadir = {folder}/one
[two]
filesystem_store_datadir = {folder}/two
[three]
filesystem_store_datadir = {folder}/three
"""
SHA512 = hashlib.sha512(DATA).hexdigest()


@pytest.fixture
def alice(make_world: MakeWorld) -> Client:
    return make_world(RULES).client(ALICE)


@pytest.fixture
def stores(make_world: MakeWorld, tmp_path: Path) -> Client:
    """Alice, where there are three stores."""
    return make_world(RULES + STORES.format(folder=tmp_path)).client(ALICE)


def stage(client: Client, image: Json, data: Any = DATA, **headers: str) -> httpx.Response:
    sent = {"Content-Type": DATA_TYPE, **{name.replace("_", "-"): headers[name] for name in headers}}
    return client.ask("PUT", f"/v2/images/{image['id']}/stage", content=data, headers=sent)


def begin(client: Client, image: Json, name: str = "glance-direct", **wanted: Any) -> httpx.Response:
    own = {key: value for key, value in wanted.items() if key == "uri" or key.startswith("glance_")}
    headers = wanted.get("headers", {})
    others = {key: value for key, value in wanted.items() if key not in (*own, "headers")}
    body: Json = {"method": {"name": name, **own}, **others}
    return client.ask("POST", f"/v2/images/{image['id']}/import", json=body, headers=headers)


def done(client: Client, image: Json, name: str = "glance-direct", **wanted: Any) -> Json:
    """The image after an import."""
    answer = begin(client, image, name, **wanted)
    assert answer.status_code == 202, answer.text
    client.world.do_jobs()
    return client.show(image["id"])


def in_the_end(client: Client, image: Json) -> Json:
    """The image after all attempts at its import."""
    for _ in range(6):
        client.world.do_jobs()
        client.world.later += 60
    return client.show(image["id"])


def task_of(client: Client, image: Json) -> Json:
    """The latest task of an image."""
    tasks = client.get(f"/v2/images/{image['id']}/tasks").json()["tasks"]
    return dict(max(tasks, key=lambda task: task["status"] in ("pending", "processing")))


def staged(client: Client, data: Any = DATA, **attributes: object) -> Json:
    image = client.create(**attributes)
    answer = stage(client, image, data)
    assert answer.status_code == 204, answer.text
    return image


class TestDirect:
    def test_staged_data_becomes_the_images(self, alice: Client) -> None:
        image = staged(alice)
        document = alice.show(image["id"])
        assert (document["status"], document["size"]) == ("uploading", len(DATA))
        assert alice.data(image["id"]).status_code == 204
        before = alice.world.files()
        document = done(alice, image)
        assert (document["status"], document["size"], document["virtual_size"]) == (
            "active",
            len(DATA),
            len(DATA),
        )
        assert (document["os_hash_algo"], document["os_hash_value"]) == ("sha512", SHA512)
        assert alice.data(image["id"]).content == DATA
        # The bytes were written once, to where they live.
        assert alice.world.files() == before == [image["id"]]
        task = task_of(alice, image)
        assert (task["status"], task["result"]) == ("success", {"image_id": image["id"]})
        assert (document["os_glance_importing_to_stores"], document["os_glance_failed_import"]) == ("", "")
        assert "os_glance_import_task" not in document

    def test_the_task_shows_while_it_is_not_done(self, alice: Client) -> None:
        image = staged(alice)
        assert begin(alice, image).status_code == 202
        document = alice.show(image["id"])
        task = task_of(alice, image)
        assert (document["status"], document["os_glance_import_task"]) == ("importing", task["id"])
        assert (task["type"], task["status"]) == ("api_image_import", "pending")
        assert begin(alice, image).status_code == 409

    def test_data_may_be_staged_before_its_formats_are_known(self, alice: Client) -> None:
        image = alice.post("/v2/images", {}).json()
        assert stage(alice, image).status_code == 204
        assert begin(alice, image).status_code == 409
        changes = [change("replace", "disk_format", "raw"), change("replace", "container_format", "bare")]
        # As in Glance: formats are open as long as the image is queued, or while it is imported.
        assert alice.patch(image["id"], *changes).status_code == 403

    def test_of_another_format(self, alice: Client) -> None:
        image = staged(alice, disk_format="qcow2")
        document = done(alice, image)
        assert (document["status"], document["size"]) == ("queued", None)
        assert document["os_glance_failed_import"] == "file"
        task = task_of(alice, image)
        assert (task["status"], "qcow2" in task["message"]) == ("failure", True)
        assert alice.world.files() == []
        # It can be tried again.
        assert stage(alice, image).status_code == 204

    @pytest.mark.parametrize("size", ["5", "-1", "many"])
    def test_sizes_that_do_not_fit(self, alice: Client, size: str) -> None:
        image = alice.create()
        assert stage(alice, image, X_OpenStack_Image_Size=size).status_code == 400
        assert (alice.show(image["id"])["status"], alice.world.files()) == ("queued", [])

    def test_only_queued_images_can_be_staged(self, alice: Client) -> None:
        image = staged(alice)
        assert stage(alice, image).status_code == 409
        assert stage(alice, alice.active()).status_code == 409

    def test_others_may_not(self, alice: Client) -> None:
        image = alice.create()
        world = alice.world
        assert stage(world.client(BOB), image).status_code == 404
        assert stage(world.client(READER), image).status_code == 403
        assert stage(alice, image, Content_Type="text/plain").status_code == 415
        assert begin(world.client(BOB), image).status_code == 404
        assert begin(world.client(READER), image).status_code == 403

    def test_deleting_takes_staged_data_along(self, alice: Client) -> None:
        image = staged(alice)
        assert alice.delete(f"/v2/images/{image['id']}").status_code == 204
        assert alice.world.files() == []

    def test_whoever_removes_it_late_spares_what_was_staged_since(self, alice: Client) -> None:
        image, world = staged(alice), alice.world
        assert begin(alice, image).status_code == 202
        records = world.service.catalog.records
        [job] = records.jobs.claim("api_image_import", "sleeper", 1.0, time.time(), 1)
        now = world.clock()
        removals = records.imports.fail(job, "because", ImageChange(), now, now)
        world.loop.run(remove(world.service.transfer, removals))
        assert world.files() == []
        assert stage(alice, image).status_code == 204
        world.loop.run(remove(world.service.transfer, removals))
        assert done(alice, image)["status"] == "active"
        world.loop.run(remove(world.service.transfer, removals))
        assert alice.data(image["id"]).content == DATA

    def test_deleting_during_the_import(self, alice: Client) -> None:
        image = staged(alice)
        assert begin(alice, image).status_code == 202
        assert alice.delete(f"/v2/images/{image['id']}").status_code == 204
        alice.world.do_jobs()
        assert alice.world.files() == []
        assert alice.get(f"/v2/images/{image['id']}").status_code == 404

    def test_empty_data(self, alice: Client) -> None:
        document = done(alice, staged(alice, b""))
        assert (document["status"], document["size"]) == ("active", 0)


class TestWeb:
    def test_download(self, alice: Client, source: Source) -> None:
        image = alice.create()
        document = done(alice, image, "web-download", uri=source.url())
        assert (document["status"], document["os_hash_value"]) == ("active", SHA512)
        assert alice.data(image["id"]).content == DATA

    @pytest.mark.parametrize("path", ["/absent", "/broken"])
    def test_what_cannot_be_downloaded(self, alice: Client, source: Source, path: str) -> None:
        image = alice.create()
        assert begin(alice, image, "web-download", uri=source.url(path)).status_code == 202
        document = in_the_end(alice, image)
        assert (document["status"], document["os_glance_failed_import"]) == ("queued", "file")
        assert task_of(alice, image)["status"] == "failure"
        assert alice.world.files() == []

    @pytest.mark.parametrize(
        "uri", ["ftp://127.0.0.1/a", "http://localhost/", "http://2130706433/", "file:///etc/passwd", "", 5]
    )
    def test_what_must_not_be_asked(self, alice: Client, uri: object) -> None:
        image = alice.create()
        assert begin(alice, image, "web-download", uri=uri).status_code == 400
        assert alice.show(image["id"])["status"] == "queued"

    def test_more_than_is_allowed(self, make_world: MakeWorld, source: Source) -> None:
        alice = make_world(f"[DEFAULT]\nimage_size_cap = 1000\n{RULES}").client(ALICE)
        image = alice.create()
        document = done(alice, image, "web-download", uri=source.url())
        assert (document["status"], alice.world.files()) == ("queued", [])
        assert "image_size_cap" in task_of(alice, image)["message"]

    def test_more_than_the_quota(self, make_world: MakeWorld, source: Source) -> None:
        alice = make_world(f"[DEFAULT]\nuser_storage_quota = 300KB\n{RULES}").client(ALICE)
        assert done(alice, alice.create(), "web-download", uri=source.url())["status"] == "active"
        image = alice.create()
        document = done(alice, image, "web-download", uri=source.url())
        assert document["status"] == "queued"
        assert "user_storage_quota" in task_of(alice, image)["message"]


class TestStores:
    def test_several_at_once(self, stores: Client, source: Source) -> None:
        image = stores.create()
        asked = len(source.requests)
        document = done(stores, image, "web-download", uri=source.url(), all_stores=True)
        assert (document["status"], document["stores"]) == ("active", "one,two,three")
        assert len([line for line in source.requests[asked:] if line.startswith("GET")]) == 1
        for name in ("one", "two", "three"):
            assert (stores.world.folder(name) / image["id"]).read_bytes() == DATA

    def test_staged_data_stays_where_it_is_and_is_copied(self, stores: Client) -> None:
        image = staged(stores)
        document = done(stores, image, stores=["three", "one"])
        assert (document["status"], document["stores"]) == ("active", "one,three")
        assert [stores.world.files(name) for name in ("one", "two", "three")] == [
            [image["id"]],
            [],
            [image["id"]],
        ]

    def test_staged_data_goes_when_it_lives_elsewhere(self, stores: Client) -> None:
        image = staged(stores)
        document = done(stores, image, headers={"X-Image-Meta-Store": "two"})
        assert (document["status"], document["stores"]) == ("active", "two")
        assert [stores.world.files(name) for name in ("one", "two")] == [[], [image["id"]]]

    def test_copying(self, stores: Client) -> None:
        image = stores.active(DATA)
        admin = stores.world.client(ADMIN)
        document = done(admin, image, "copy-image", stores=["two"])
        assert (document["status"], document["stores"]) == ("active", "one,two")
        assert begin(admin, image, "copy-image", stores=["two"]).status_code == 400
        document = done(admin, image, "copy-image", all_stores=True)
        assert document["stores"] == "one,two,three"
        assert begin(admin, image, "copy-image", all_stores=True).status_code == 202
        assert stores.world.usage("a") == 3 * len(DATA)

    def test_data_that_has_changed_is_not_copied(self, stores: Client) -> None:
        image = stores.active(DATA)
        (stores.world.folder("one") / image["id"]).write_bytes(DATA[::-1])
        document = done(stores.world.client(ADMIN), image, "copy-image", stores=["two"])
        assert (document["stores"], document["os_glance_failed_import"]) == ("one", "two")
        assert (document["status"], stores.world.files("two")) == ("active", [])

    def test_a_store_that_fails_alone(self, stores: Client, source: Source) -> None:
        away(stores.world, "two")
        image = stores.create()
        wanted = {"uri": source.url(), "all_stores": True, "all_stores_must_succeed": False}
        document = done(stores, image, "web-download", **wanted)
        assert (document["status"], document["stores"]) == ("active", "one,three")
        assert document["os_glance_failed_import"] == "two"

    def test_no_other_store_takes_what_is_staged(self, stores: Client) -> None:
        image = staged(stores)
        away(stores.world, "two")
        document = done(stores, image, stores=["one", "two"], all_stores_must_succeed=False)
        assert (document["status"], document["stores"]) == ("active", "one")
        assert document["os_glance_failed_import"] == "two"
        assert stores.data(image["id"]).content == DATA

    def test_a_store_that_fails_all(self, stores: Client, source: Source) -> None:
        away(stores.world, "two")
        image = stores.create()
        answer = begin(stores, image, "web-download", uri=source.url(), all_stores=True)
        assert answer.status_code == 202
        document = in_the_end(stores, image)
        assert (document["status"], document["os_glance_failed_import"]) == ("queued", "one,two,three")
        assert [stores.world.files(name) for name in ("one", "three")] == [[], []]

    @pytest.mark.parametrize(
        ("wanted", "status"),
        [
            ({"stores": ["absent"]}, 409),
            ({"stores": ["one"], "all_stores": True}, 400),
            ({"stores": ["one"], "headers": {"X-Image-Meta-Store": "one"}}, 400),
            ({"all_stores": True, "headers": {"X-Image-Meta-Store": "one"}}, 400),
            ({"headers": {"X-Image-Meta-Store": "absent"}}, 409),
            ({"stores": "one"}, 400),
            ({"stores": [1]}, 400),
            ({"all_stores": "yes"}, 400),
            ({"all_stores_must_succeed": 1}, 400),
        ],
    )
    def test_choices_that_will_not_do(self, stores: Client, wanted: Json, status: int) -> None:
        image = staged(stores)
        assert begin(stores, image, **wanted).status_code == status
        assert stores.show(image["id"])["status"] == "uploading"


class TestSteps:
    def test_compressed_data_is_decompressed(self, make_world: MakeWorld) -> None:
        alice = with_steps(make_world, "image_decompression")
        image = staged(alice, gzip.compress(DATA))
        document = done(alice, image)
        assert (document["status"], document["size"], document["os_hash_value"]) == (
            "active",
            len(DATA),
            SHA512,
        )
        assert alice.data(image["id"]).content == DATA
        assert alice.world.files() == [image["id"]]

    def test_a_bomb_is_cut_off(self, make_world: MakeWorld) -> None:
        alice = with_steps(make_world, "image_decompression", "[DEFAULT]\nimage_size_cap = 1000000\n")
        image = staged(alice, gzip.compress(bytes(50_000_000)))
        assert done(alice, image)["status"] == "queued"
        assert alice.world.files() == []

    def test_conversion(self, make_world: MakeWorld, tmp_path: Path) -> None:
        alice = with_steps(make_world, "image_conversion")
        disk = tmp_path / "disk.qcow2"
        (tmp_path / "disk").write_bytes(DATA)
        command = ["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c", str(tmp_path / "disk"), str(disk)]
        subprocess.run(command, check=True)
        image = staged(alice, disk.read_bytes(), disk_format="qcow2")
        document = done(alice, image)
        assert (document["status"], document["disk_format"], document["size"]) == ("active", "raw", len(DATA))
        assert alice.data(image["id"]).content == DATA
        assert list(alice.world.settings.scratch_folder.iterdir()) == []

    def test_a_result_of_which_there_is_no_room(self, make_world: MakeWorld, tmp_path: Path) -> None:
        alice = with_steps(make_world, "image_conversion", "[DEFAULT]\nuser_storage_quota = 2MB\n")
        disk = tmp_path / "disk.qcow2"
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", str(disk), "8M"], check=True)
        image = staged(alice, disk.read_bytes(), disk_format="qcow2")
        assert done(alice, image)["status"] == "queued"
        assert "user_storage_quota" in task_of(alice, image)["message"]
        assert (alice.world.files(), alice.world.usage("a")) == ([], 0)
        assert list(alice.world.settings.scratch_folder.iterdir()) == []

    def test_properties_are_injected(self, make_world: MakeWorld) -> None:
        inject = "[inject_metadata_properties]\ninject = a:1, os_glance_x:2\n"
        alice = with_steps(make_world, "inject_image_metadata", inject)
        document = done(alice, staged(alice))
        assert (document["a"], "os_glance_x" in document) == ("1", False)
        admin = alice.world.client(ADMIN)
        assert "a" not in done(admin, staged(admin))


def with_steps(make_world: MakeWorld, step: str, more: str = "") -> Client:
    return make_world(f"{more}[image_import_opts]\nimage_import_plugins = [{step}]\n").client(ALICE)


def away(world: World, store: str) -> None:
    """Put something in the way of a store, whose folder no one can write to any more."""
    folder = world.folder(store)
    folder.rmdir()
    folder.write_text("in the way")
