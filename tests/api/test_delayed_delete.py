"""DELETE while `delayed_delete` is on: for clients the image is gone, its data waits."""

import pytest

from glimpse.domain.status import ImageStatus
from glimpse.transfer.scrubbing import Scrubber, scrub, scrub_once
from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, World


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world("[DEFAULT]\ndelayed_delete = true\n")


def status(world: World, image_id: str) -> ImageStatus:
    return world.service.catalog.records.images.get(image_id, None, deleted=True).status


def test_the_image_is_gone_and_its_data_waits(world: World) -> None:
    alice, admin = world.client(ALICE), world.client(ADMIN)
    image = alice.active(b"data")
    before = world.files()
    answer = alice.delete(f"/v2/images/{image['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    for client in (alice, admin):
        assert client.get(f"/v2/images/{image['id']}").status_code == 404
        assert client.get(f"/v2/images/{image['id']}/file").status_code == 404
        assert client.delete(f"/v2/images/{image['id']}").status_code == 404
        assert client.names() == []
    assert alice.post("/v2/images", {"id": image["id"]}).status_code == 409
    assert (world.files(), world.usage("a")) == (before, 0)
    assert status(world, image["id"]) is ImageStatus.PENDING_DELETE


def test_a_deactivated_image_is_deleted_too(world: World) -> None:
    """Glance answers 400."""
    image = world.client(ALICE).active()
    world.client(ADMIN).post(f"/v2/images/{image['id']}/actions/deactivate")
    assert world.client(ALICE).delete(f"/v2/images/{image['id']}").status_code == 204
    assert status(world, image["id"]) is ImageStatus.PENDING_DELETE


def test_an_image_without_data_is_deleted_at_once(world: World) -> None:
    image = world.client(ALICE).create()
    assert world.client(ALICE).delete(f"/v2/images/{image['id']}").status_code == 204
    assert status(world, image["id"]) is ImageStatus.DELETED


def test_a_protected_image_stays(world: World) -> None:
    image = world.client(ALICE).active(protected=True)
    assert world.client(ALICE).delete(f"/v2/images/{image['id']}").status_code == 403
    assert world.client(ALICE).show(image["id"])["status"] == "active"


def test_the_scrubber_removes_it(world: World) -> None:
    image = world.client(ALICE).active(b"data")
    world.client(ALICE).delete(f"/v2/images/{image['id']}")
    scrubber = Scrubber(world.service.transfer)
    world.loop.run(scrub_once(scrubber))
    assert (world.files(), status(world, image["id"])) == ([], ImageStatus.DELETED)
    assert (scrubber.tally.removed, scrubber.tally.failed) == (1, set())
    assert not scrub(scrubber, image["id"])


def test_restored_it_is_there_again(world: World) -> None:
    alice = world.client(ALICE)
    image = alice.active(b"data", tags=["t"], colour="red")
    alice.share(image["id"], "b")
    shown = alice.show(image["id"])
    alice.delete(f"/v2/images/{image['id']}")
    world.service.catalog.records.deletions.restore(image["id"], world.clock())
    assert alice.data(image["id"]).content == b"data"
    again = alice.show(image["id"])
    assert {**again, "updated_at": ""} == {**shown, "updated_at": ""}
    assert len(alice.get(f"/v2/images/{image['id']}/members").json()["members"]) == 1
