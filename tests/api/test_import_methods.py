"""Which methods of import there are."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.test_imports import begin, done, stage, staged, task_of
from tests.api.world import ALICE, Client


class TestInfo:
    def test_methods(self, alice: Client) -> None:
        methods = ["glance-direct", "web-download", "copy-image"]
        assert alice.get("/v2/info/import").json()["import-methods"]["value"] == methods
        answer = alice.post("/v2/images", {})
        assert answer.headers["OpenStack-image-import-methods"] == ",".join(methods)

    def test_methods_that_are_not_enabled(self, make_world: MakeWorld) -> None:
        alice = make_world("[DEFAULT]\nenabled_import_methods = [web-download]\n").client(ALICE)
        image = alice.create()
        assert stage(alice, image).status_code == 404
        assert begin(alice, image).status_code == 400

    @pytest.mark.parametrize("method", [None, "glance-direct", {}, {"name": 5}, {"name": "no-such"}, []])
    def test_methods_that_are_none(self, alice: Client, method: object) -> None:
        image = staged(alice)
        answer = alice.post(f"/v2/images/{image['id']}/import", {"method": method})
        assert answer.status_code == 400

    def test_one_store_cannot_fail_alone(self, alice: Client) -> None:
        assert begin(alice, staged(alice), all_stores_must_succeed=False).status_code == 400

    def test_a_region_that_nobody_knows(self, make_world: MakeWorld) -> None:
        alice = make_world("[DEFAULT]\nenabled_import_methods = [glance-download]\n").client(ALICE)
        image = alice.create()
        other = {"glance_region": "r", "glance_image_id": image["id"]}
        assert done(alice, image, "glance-download", **other)["status"] == "queued"
        assert "glance_region" in task_of(alice, image)["message"]
