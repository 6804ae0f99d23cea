"""PUT /v2/images/{id}/file."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Any

import pytest

from glimpse.stores.memory import MemoryStore
from glimpse.transfer.removal import sweep
from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, DATA_TYPE, Client, Json, World, change, pieces, without

MISSING = "11111111-2222-4333-8444-555555555555"
DATA = bytes(range(256)) * 40


def still_queued(client: Client, image: Json) -> None:
    """Nothing of a failed upload is left, and the next one works."""
    after = client.show(image["id"])
    assert without(after, "updated_at") == without(image, "updated_at")
    assert client.world.files() == []
    assert client.world.usage("a") == 0
    assert client.data(image["id"]).status_code == 204
    assert client.upload(image["id"], b"good").status_code == 204
    assert client.data(image["id"]).content == b"good"


class TestSuccess:
    @pytest.mark.parametrize("chunked", [False, True])
    def test_makes_the_image_active(self, world: World, alice: Client, chunked: bool) -> None:
        image = alice.create(name="x", p="1", tags=["t"])
        response = alice.upload(image["id"], pieces(DATA[:100], DATA[100:]) if chunked else DATA)
        assert (response.status_code, response.content) == (204, b"")
        after = alice.show(image["id"])
        assert without(after, "updated_at") == {
            **without(image, "updated_at"),
            "status": "active",
            "size": len(DATA),
            "virtual_size": len(DATA),
            "checksum": hashlib.md5(DATA).hexdigest(),
            "os_hash_algo": "sha512",
            "os_hash_value": hashlib.sha512(DATA).hexdigest(),
        }
        assert after["updated_at"] > image["updated_at"]
        assert world.files() == [image["id"]]
        assert world.usage("a") == len(DATA)

    @pytest.mark.parametrize("body", [b"", pieces()], ids=["empty", "chunked"])
    def test_nothing_is_data_too(self, alice: Client, body: bytes | AsyncIterator[bytes]) -> None:
        image = alice.create(disk_format="qcow2")
        assert alice.upload(image["id"], body).status_code == 204
        after = alice.show(image["id"])
        assert (after["status"], after["size"], after["virtual_size"]) == ("active", 0, None)
        assert after["checksum"] == hashlib.md5(b"").hexdigest()

    @pytest.mark.parametrize("media", [DATA_TYPE, f"{DATA_TYPE}; x=y", DATA_TYPE.upper()])
    def test_media_types(self, alice: Client, media: str) -> None:
        image = alice.create()
        path = f"/v2/images/{image['id']}/file"
        assert alice.ask("PUT", path, content=b"x", headers={"Content-Type": media}).status_code == 204

    def test_other_hash(self, make_world: MakeWorld) -> None:
        image = make_world("[DEFAULT]\nhashing_algorithm = sha256\n").client(ALICE).active(DATA)
        assert (image["os_hash_algo"], image["os_hash_value"]) == ("sha256", hashlib.sha256(DATA).hexdigest())

    def test_content_is_not_inspected_in_containers(self, alice: Client) -> None:
        image = alice.active(DATA, disk_format="qcow2", container_format="ova")
        assert (image["status"], image["virtual_size"]) == ("active", None)


class TestSize:
    @pytest.mark.parametrize("size", ["10240", " 10240 ", "0010240"])
    def test_explicit_size_is_believed(self, alice: Client, size: str) -> None:
        image = alice.create()
        assert alice.upload(image["id"], pieces(DATA), X_OpenStack_Image_Size=size).status_code == 204
        assert alice.show(image["id"])["size"] == len(DATA)

    @pytest.mark.parametrize("size", ["0", "1", "10239", "10241", "20000"])
    @pytest.mark.parametrize("chunked", [False, True])
    def test_that_does_not_match(self, alice: Client, size: str, chunked: bool) -> None:
        image = alice.create()
        body = pieces(DATA[:5000], DATA[5000:]) if chunked else DATA
        response = alice.upload(image["id"], body, X_OpenStack_Image_Size=size)
        assert response.status_code == 400
        assert "Size mismatch" in response.text
        assert size in response.text
        still_queued(alice, image)

    @pytest.mark.parametrize(
        "size", ["", "x", "1.5", "1e3", "0x10", "-1", "-0", "+5", "1_0", "٣", "9" * 20, "1 2"]
    )
    def test_that_is_none(self, alice: Client, size: str) -> None:
        image = alice.create()
        response = alice.ask(
            "PUT",
            f"/v2/images/{image['id']}/file",
            content=b"x",
            headers={b"X-OpenStack-Image-Size": size.encode(), b"Content-Type": DATA_TYPE.encode()},
        )
        assert response.status_code == 400
        assert "image-size" in response.text.lower()
        still_queued(alice, image)

    def test_client_that_goes_away(self, alice: Client) -> None:
        image = alice.create()
        assert _abandoned(alice, image["id"], {"content-length": "10"}) == 400
        assert _abandoned(alice, image["id"], {"transfer-encoding": "chunked"}) == 400
        still_queued(alice, image)


def _abandoned(client: Client, image_id: str, headers: dict[str, str]) -> int:
    """The answer that nobody hears any more, to an upload that ends after four bytes."""
    sent: list[Any] = []
    messages = [
        {"type": "http.request", "body": b"half", "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    path = f"/v2/images/{image_id}/file"
    known = {"authorization": client.persona, "content-type": DATA_TYPE, **headers}
    scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in known.items()],
        "scheme": "http",
        "server": ("glimpse.test", 80),
        "root_path": "",
    }
    world = client.world
    world.loop.run(world.application(scope, receive, send))  # type: ignore[arg-type]
    return int(sent[0]["status"])


class TestRefused:
    @pytest.mark.parametrize("media", [None, "", "application/json", "application/octet-streams"])
    def test_media_types(self, alice: Client, media: str | None) -> None:
        image = alice.create()
        headers = {} if media is None else {"Content-Type": media}
        response = alice.ask("PUT", f"/v2/images/{image['id']}/file", content=b"x", headers=headers)
        assert response.status_code == 415
        assert DATA_TYPE in response.text
        still_queued(alice, image)

    @pytest.mark.parametrize("name", ["disk_format", "container_format"])
    def test_image_without_format(self, alice: Client, name: str) -> None:
        image = alice.create(**{name: None})
        response = alice.upload(image["id"], DATA)
        assert response.status_code == 400
        assert name in response.text
        assert alice.show(image["id"]) == image
        alice.patch(image["id"], change("replace", name, {"disk_format": "raw"}.get(name, "bare")))
        assert alice.upload(image["id"], DATA).status_code == 204

    def test_image_with_data(self, alice: Client) -> None:
        image = alice.active(b"first")
        response = alice.upload(image["id"], b"second")
        assert response.status_code == 409
        assert "active" in response.text
        assert alice.show(image["id"]) == image
        assert alice.data(image["id"]).content == b"first"

    def test_deactivated_image(self, alice: Client) -> None:
        image = alice.active(b"first")
        alice.post(f"/v2/images/{image['id']}/actions/deactivate")
        assert alice.upload(image["id"], b"second").status_code == 409

    def test_no_image(self, alice: Client, bob: Client) -> None:
        assert alice.upload(MISSING, b"x").status_code == 404
        assert bob.upload(alice.create()["id"], b"x").status_code == 404

    def test_image_of_somebody_else(self, alice: Client, bob: Client, reader: Client) -> None:
        image = alice.create(visibility="community")
        for client in (bob, reader):
            assert client.upload(image["id"], b"x").status_code == 403
        still_queued(alice, image)

    def test_content_of_another_format(self, alice: Client) -> None:
        """Upstream keeps the bytes and the location of what it refused."""
        image = alice.create(disk_format="qcow2", container_format="bare")
        response = alice.upload(image["id"], b"no qcow2 at all" * 1000)
        assert response.status_code == 415
        assert "raw" in response.text
        assert "qcow2" in response.text
        assert without(alice.show(image["id"]), "updated_at") == without(image, "updated_at")
        alice.patch(image["id"], change("replace", "disk_format", "raw"))
        still_queued(alice, alice.show(image["id"]))

    def test_content_of_another_format_where_that_is_tolerated(self, make_world: MakeWorld) -> None:
        client = make_world("[image_format]\nrequire_image_format_match = False\n").client(ALICE)
        image = client.active(b"no qcow2" * 1000, disk_format="qcow2")
        assert (image["status"], image["virtual_size"]) == ("active", None)

    def test_full_store(self, make_world: MakeWorld) -> None:
        store = MemoryStore("memory", capacity=100)
        client = make_world(store=store).client(ALICE)
        for body in (b"x" * 101, pieces(b"x" * 60, b"x" * 60)):
            image = client.create()
            response = client.upload(image["id"], body)
            assert response.status_code == 413
            assert "100" in response.text
            assert without(client.show(image["id"]), "updated_at") == without(image, "updated_at")
        assert store.usage().used == 0
        assert client.active(b"x" * 100)["status"] == "active"

    def test_broken_store(self, world: World, alice: Client) -> None:
        image = alice.create()
        folder = world.image_folder
        folder.rmdir()
        folder.write_text("a file")
        response = alice.upload(image["id"], b"x")
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert str(folder) not in response.text
        folder.unlink()
        folder.mkdir()
        # What the broken store could not undo is undone when the lease has run out.
        world.later = 2 * world.settings.lease_seconds
        world.loop.run(sweep(world.service.transfer))
        still_queued(alice, image)


class TestLimits:
    @pytest.mark.parametrize("chunked", [False, True])
    @pytest.mark.parametrize(("limit", "option"), [("image_size_cap", "10"), ("user_storage_quota", "10B")])
    def test_one_byte_too_many(self, make_world: MakeWorld, limit: str, option: str, chunked: bool) -> None:
        """Upstream leaves an image that breaks its owner's quota in saving."""
        client = make_world(f"[DEFAULT]\n{limit} = {option}\n").client(ALICE)
        image = client.create()
        response = client.upload(image["id"], pieces(b"x" * 6, b"x" * 5) if chunked else b"x" * 11)
        assert response.status_code == 413
        assert limit in response.text
        assert "10" in response.text
        still_queued(client, image)

    @pytest.mark.parametrize("limit", ["image_size_cap = 10", "user_storage_quota = 10B"])
    def test_just_enough(self, make_world: MakeWorld, limit: str) -> None:
        client = make_world(f"[DEFAULT]\n{limit}\n").client(ALICE)
        assert client.active(b"x" * 10)["size"] == 10

    def test_announced_size_is_refused_before_data(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nimage_size_cap = 10\n").client(ALICE)

        read: list[bytes] = []

        async def watched() -> AsyncIterator[bytes]:
            for chunk in (b"x" * 5, b"x" * 6):
                read.append(chunk)
                yield chunk

        image = client.create()
        assert client.upload(image["id"], watched(), X_OpenStack_Image_Size="11").status_code == 413
        assert read == []

    def test_quota_is_of_the_project_and_what_is_deleted_does_not_count(self, make_world: MakeWorld) -> None:
        world = make_world("[DEFAULT]\nuser_storage_quota = 1KB\n")
        client = world.client(ALICE)
        first = client.active(b"x" * 1000)
        second = client.create()
        assert client.upload(second["id"], b"x" * 25).status_code == 413
        assert world.client("Persona z;project=z;roles=member,reader").active(b"x" * 1000)["size"] == 1000
        client.delete(f"/v2/images/{first['id']}")
        assert client.upload(second["id"], b"x" * 1024).status_code == 204
        third = client.create()
        assert client.upload(third["id"], pieces(b"x")).status_code == 413

    def test_two_at_once_do_not_both_fit(self, make_world: MakeWorld) -> None:
        world = make_world("[DEFAULT]\nuser_storage_quota = 100B\n")
        client = world.client(ALICE)
        images = [client.create()["id"] for _ in range(4)]

        async def slowly() -> AsyncIterator[bytes]:
            for _ in range(3):
                yield b"x" * 20
                await asyncio.sleep(0.01)

        async def together() -> list[int]:
            media = {"Content-Type": DATA_TYPE}
            answers = await asyncio.gather(
                *(
                    client.send("PUT", f"/v2/images/{name}/file", content=slowly(), headers=media)
                    for name in images
                )
            )
            return sorted(answer.status_code for answer in answers)

        assert world.loop.run(together()) == [204, 413, 413, 413]
        assert world.usage("a") == 60
        assert len(world.files()) == 1


class TestTogether:
    def test_second_upload_of_the_same_image(self, world: World, alice: Client) -> None:
        image = alice.create()
        answers: list[int] = []
        path, media = f"/v2/images/{image['id']}/file", {"Content-Type": DATA_TYPE}

        async def slow() -> AsyncIterator[bytes]:
            yield b"first"
            assert (await alice.send("GET", f"/v2/images/{image['id']}")).json()["status"] == "saving"
            assert (await alice.send("GET", path)).status_code == 204
            second = await alice.send("PUT", path, content=b"second", headers=media)
            answers.append(second.status_code)

        assert alice.upload(image["id"], slow()).status_code == 204
        assert answers == [409]
        assert alice.data(image["id"]).content == b"first"

    def test_delete_during_the_upload(self, world: World, alice: Client) -> None:
        image = alice.create()

        async def deleted() -> AsyncIterator[bytes]:
            yield b"first"
            response = await alice.send("DELETE", f"/v2/images/{image['id']}")
            assert response.status_code == 204
            yield b"second"

        response = alice.upload(image["id"], deleted())
        assert response.status_code == 410
        assert alice.get(f"/v2/images/{image['id']}").status_code == 404
        assert world.files() == []
        assert world.usage("a") == 0

    def test_patch_during_the_upload(self, alice: Client) -> None:
        image = alice.create()

        async def renamed() -> AsyncIterator[bytes]:
            yield b"first"
            response = await alice.send(
                "PATCH",
                f"/v2/images/{image['id']}",
                json=[change("add", "name", "new")],
                headers={"Content-Type": "application/openstack-images-v2.1-json-patch"},
            )
            assert response.status_code == 200

        assert alice.upload(image["id"], renamed()).status_code == 204
        after = alice.show(image["id"])
        assert (after["name"], after["status"]) == ("new", "active")
