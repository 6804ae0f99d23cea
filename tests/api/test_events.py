"""What is told of images, members and tasks: which events, in which order, and what they say."""

from collections.abc import AsyncIterator

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, DATA_TYPE, Client, Heard, change
from tests.sources import DATA, Source

RULES = "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"


@pytest.fixture
def alice(make_world: MakeWorld) -> Client:
    return make_world(RULES).client(ALICE)


def heard(client: Client) -> list[Heard]:
    """What was told since this was asked last."""
    ears = client.world.ears
    events, ears.heard = ears.heard, []
    return events


def types(client: Client) -> list[str]:
    return [event.type for event in heard(client)]


def statuses(events: list[Heard]) -> list[str]:
    return [
        event.payload["status"] for event in events if event.type.startswith("image.") and not event.failed
    ]


def test_an_image_is_told_as_it_is(alice: Client) -> None:
    image = alice.create(name="ä", tags=["b", "a"], os_distro="x", min_ram=5)
    [event] = heard(alice)
    assert (event.type, event.failed) == ("image.create", False)
    assert event.payload == {
        **dict.fromkeys(("checksum", "size", "virtual_size", "deleted_at")),
        "id": image["id"],
        "name": "ä",
        "status": "queued",
        "created_at": image["created_at"],
        "updated_at": image["updated_at"],
        "min_disk": 0,
        "min_ram": 5,
        "protected": False,
        "owner": "a",
        "disk_format": "raw",
        "container_format": "bare",
        "is_public": False,
        "visibility": "shared",
        "properties": {"os_distro": "x"},
        "tags": ["a", "b"],
        "deleted": False,
    }


def test_changes(alice: Client) -> None:
    image = alice.create()
    heard(alice)
    alice.patch(image["id"], change("replace", "name", "new"), change("add", "p", "v"))
    [event] = heard(alice)
    assert (event.type, event.payload["name"], event.payload["properties"]) == (
        "image.update",
        "new",
        {"p": "v"},
    )
    assert event.payload["updated_at"] == alice.show(image["id"])["updated_at"]
    alice.patch(image["id"], change("replace", "name", "new"))
    alice.patch(image["id"])
    assert alice.patch(image["id"], change("replace", "name", 7)).status_code == 400
    assert heard(alice) == []
    alice.put(f"/v2/images/{image['id']}/tags/t")
    alice.delete(f"/v2/images/{image['id']}/tags/t")
    assert types(alice) == ["image.update"] * 2


def test_an_upload(alice: Client) -> None:
    image = alice.create()
    heard(alice)
    assert alice.upload(image["id"], DATA).status_code == 204
    events = heard(alice)
    names = ["update", "prepare", "upload", "activate", "update"]
    assert [event.type for event in events] == [f"image.{name}" for name in names]
    assert statuses(events) == ["saving", "saving", "active", "active", "active"]
    shown = alice.show(image["id"])
    told = events[2].payload
    assert (told["backend"], told["os_glance_importing_to_stores"]) == ("file", [])
    for name in ("size", "checksum", "virtual_size", "updated_at"):
        assert events[-1].payload[name] == told[name] == shown[name]


def test_an_upload_that_fails(alice: Client) -> None:
    image = alice.create()
    heard(alice)
    assert alice.upload(image["id"], DATA, x_openstack_image_size="5").status_code == 400
    events = heard(alice)
    assert [event.type for event in events] == [
        f"image.{name}" for name in ("update", "prepare", "update", "upload")
    ]
    assert events[2].payload["status"] == "queued"
    assert events[3].failed
    assert events[3].payload.startswith(f"The data of image {image['id']} was not stored: ")


def test_downloads(alice: Client) -> None:
    image = alice.create(visibility="community")
    alice.upload(image["id"], DATA)
    heard(alice)
    bob = alice.world.client(BOB)
    assert bob.data(image["id"]).content == DATA
    assert bob.data(image["id"], range="bytes=10-19").status_code == 206
    expected = {
        "image_id": image["id"],
        "owner_id": "a",
        "receiver_tenant_id": "b",
        "receiver_user_id": "bob",
    }
    assert heard(alice) == [
        Heard("image.send", {"bytes_sent": count, **expected}, failed=False) for count in (len(DATA), 10)
    ]


def test_the_rest_of_an_image(alice: Client) -> None:
    image = alice.create()
    alice.upload(image["id"], DATA)
    heard(alice)
    root = alice.world.client(ADMIN)
    for action in ("deactivate", "reactivate"):
        assert root.post(f"/v2/images/{image['id']}/actions/{action}").status_code == 204
    events = heard(alice)
    assert [event.type for event in events] == ["image.update"] * 2
    assert statuses(events) == ["deactivated", "active"]
    assert alice.delete(f"/v2/images/{image['id']}").status_code == 204
    [event] = heard(alice)
    assert (event.type, event.payload["status"], event.payload["deleted"]) == (
        "image.delete",
        "deleted",
        True,
    )
    assert event.payload["deleted_at"] == event.payload["updated_at"] is not None


def test_members(alice: Client) -> None:
    image = alice.create()
    heard(alice)
    path = f"/v2/images/{image['id']}/members"
    alice.post(path, {"member": "b"})
    alice.world.client(BOB).put(f"{path}/b", {"status": "accepted"})
    alice.delete(f"{path}/b")
    assert alice.delete(f"{path}/b").status_code == 404
    events = heard(alice)
    assert [(event.type, event.payload["status"], event.payload["deleted"]) for event in events] == [
        ("image.member.create", "pending", False),
        ("image.member.update", "accepted", False),
        ("image.member.delete", "accepted", True),
    ]


def begin_import(client: Client, url: str) -> str:
    image: str = client.create()["id"]
    heard(client)
    body = {"method": {"name": "web-download", "uri": url}}
    assert client.post(f"/v2/images/{image}/import", body).status_code == 202
    return image


def test_an_import(alice: Client, source: Source) -> None:
    begin_import(alice, source.url())
    begun = heard(alice)
    assert [event.type for event in begun] == ["task.create", "image.update"]
    assert statuses(begun) == ["importing"]
    alice.world.do_jobs()
    events = heard(alice)
    assert [event.type for event in events] == [
        "task.processing",
        *(f"image.{name}" for name in ("prepare", "upload", "activate", "update")),
        *("task.success", "task.run"),
    ]
    assert statuses(events) == ["importing", "active", "active", "active"]
    assert events[1].payload["os_glance_importing_to_stores"] == ["file"]
    assert (events[2].payload["size"], events[2].payload["os_glance_importing_to_stores"]) == (len(DATA), [])
    assert [event.payload["status"] for event in events if event.type.startswith("task.")] == [
        *("processing", "success", "success")
    ]
    assert {event.payload["result"] for event in events if event.type.startswith("task.")} == {None}


def test_an_import_that_fails(alice: Client, source: Source) -> None:
    begin_import(alice, source.url("/missing"))
    heard(alice)
    for _ in range(6):
        alice.world.do_jobs()
        alice.world.later += 60
    events = heard(alice)
    assert [event.type for event in events][-4:] == [
        *("image.upload", "image.update", "task.failure", "task.run")
    ]
    assert (events[-4].failed, events[-3].payload["status"]) == (True, "queued")


def test_the_location_api(alice: Client, source: Source) -> None:
    image = alice.create()
    heard(alice)
    assert alice.post(f"/v2/images/{image['id']}/locations", {"url": source.url()}).status_code == 202
    assert types(alice) == ["task.create", "image.update"]
    alice.world.do_jobs()
    events = heard(alice)
    assert [event.type for event in events] == [
        *("task.processing", "image.activate", "image.update", "image.update", "task.success", "task.run")
    ]
    assert "locations" not in events[1].payload
    assert events[3].payload["checksum"] == alice.show(image["id"])["checksum"]


def test_staging(alice: Client) -> None:
    image = alice.create()
    heard(alice)

    async def data() -> AsyncIterator[bytes]:
        yield DATA

    path = f"/v2/images/{image['id']}/stage"
    assert alice.ask("PUT", path, content=data(), headers={"Content-Type": DATA_TYPE}).status_code == 204
    events = heard(alice)
    assert [event.type for event in events] == ["image.update"] * 2
    assert statuses(events) == ["uploading"] * 2
