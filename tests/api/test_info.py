"""What the service says of itself, and the doors that are closed."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, Client


def test_where_no_method_of_import_is_enabled(make_world: MakeWorld) -> None:
    alice = make_world("[DEFAULT]\nenabled_import_methods = []\n").client(ALICE)
    assert alice.get("/v2/info/import").json()["import-methods"]["value"] == []
    image = alice.create()["id"]
    answer = alice.post(f"/v2/images/{image}/import", {"method": {"name": "web-download"}})
    assert answer.status_code == 400
    assert "'web-download' is not enabled" in answer.text
    staged = alice.ask("PUT", f"/v2/images/{image}/stage", content=b"x")
    assert staged.status_code == 404
    assert alice.show(str(image))["status"] == "queued"


@pytest.mark.parametrize(
    "body", [[], {}, {"method": "web-download"}, {"method": {}}, {"method": {"name": 5}}]
)
def test_imports_that_make_no_sense(alice: Client, body: object) -> None:
    answer = alice.post(f"/v2/images/{alice.create()['id']}/import", body)
    assert answer.status_code == 400
    assert "method" in answer.text


@pytest.mark.parametrize("path", ["/v2/info/stores", "/v2/info/stores/detail"])
def test_with_one_store_there_is_nothing_to_choose(admin: Client, path: str) -> None:
    assert admin.get(path).status_code == 404
    assert admin.delete(f"/v2/stores/file/{admin.create()['id']}").status_code == 404


def test_usage_is_empty_without_limits_kept_elsewhere(reader: Client) -> None:
    assert reader.get("/v2/info/usage").json() == {"usage": {}}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "cache"),
        ("DELETE", "cache"),
        ("PUT", "cache/x"),
        ("DELETE", "cache/x"),
        ("GET", "cache/nodes/x"),
        ("POST", "cache/clean"),
        ("POST", "cache/prune"),
    ],
)
def test_the_cache_is_off(admin: Client, alice: Client, nobody: Client, method: str, path: str) -> None:
    answer = admin.ask(method, f"/v2/{path}")
    assert answer.status_code == 404
    assert "not enabled" in answer.text
    assert alice.ask(method, f"/v2/{path}").status_code == 403
    assert nobody.ask(method, f"/v2/{path}").status_code == 401


@pytest.mark.parametrize("name", ["task", "tasks"])
def test_schemas_of_tasks(reader: Client, name: str) -> None:
    assert reader.get(f"/v2/schemas/{name}").json()["name"] == name
