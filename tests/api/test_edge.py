"""Scripts of other origins, proxies, the health check's file, and long request ids."""

from pathlib import Path

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, NOBODY, Client

HERE = "https://horizon.example"
PREFLIGHT = {"Origin": HERE, "Access-Control-Request-Method": "PATCH"}


@pytest.mark.parametrize("path", ["/", "/v2/images", "/v2/images/x/file", "/nowhere", "/healthcheck"])
def test_options(nobody: Client, path: str) -> None:
    response = nobody.ask("OPTIONS", path, headers=PREFLIGHT)
    assert (response.status_code, response.content) == (200, b"")
    assert not [name for name in response.headers if name.startswith("access-control")]


def test_scripts(make_world: MakeWorld) -> None:
    world = make_world(f"[cors]\nallowed_origin = {HERE},https://other.example\n")
    nobody, alice = world.client(NOBODY), world.client(ALICE)
    response = nobody.ask("OPTIONS", "/v2/images", headers=PREFLIGHT)
    assert response.headers["access-control-allow-methods"] == "PATCH"
    for client, path, status in (
        (alice, "/v2/images", 200),
        (alice, "/v2/images/absent", 404),
        (nobody, "/v2/images", 401),
        (nobody, "/healthcheck", 200),
    ):
        response = client.get(path, Origin=HERE)
        assert (response.status_code, response.headers["access-control-allow-origin"]) == (status, HERE)
        assert "X-OpenStack-Request-ID" in response.headers["access-control-expose-headers"]
        assert "access-control-allow-origin" not in client.get(path, Origin="https://evil.example").headers


def test_proxies(make_world: MakeWorld) -> None:
    said = {"X_Forwarded_Proto": "https", "X_Forwarded_Host": "a.example", "X_Forwarded_Prefix": "/image"}
    believing = "[oslo_middleware]\nenable_proxy_headers_parsing = true\n"
    assert "https://a.example/image/v2/" in make_world(believing).client(NOBODY).get("/versions", **said).text
    doubting = make_world().client(NOBODY)
    assert "http://glimpse.test/v2/" in doubting.get("/versions", **said).text
    named = f"[DEFAULT]\npublic_endpoint = https://b.example\n{believing}"
    assert "https://b.example/v2/" in make_world(named).client(NOBODY).get("/versions", **said).text


def test_health(make_world: MakeWorld, tmp_path: Path) -> None:
    file = tmp_path / "maintenance"
    nobody = make_world(f"[healthcheck]\ndisable_by_file_path = {file}\n").client(NOBODY)
    assert nobody.get("/healthcheck").status_code == 200
    file.touch()
    response = nobody.get("/healthcheck")
    assert (response.status_code, response.text) == (503, "DISABLED BY FILE")
    assert nobody.ask("HEAD", "/healthcheck").status_code == 503
    as_json = nobody.get("/healthcheck", accept="application/json").json()
    assert as_json == {"detailed": False, "reasons": ["DISABLED BY FILE"]}
    file.unlink()
    assert nobody.ask("HEAD", "/healthcheck").status_code == 204


@pytest.mark.parametrize(("longest", "statuses"), [(10, [200, 431]), (0, [200, 200])])
def test_request_ids(make_world: MakeWorld, longest: int, statuses: list[int]) -> None:
    alice = make_world(f"[DEFAULT]\nmax_request_id_length = {longest}\n").client(ALICE)
    asked = [alice.get("/v2/images", X_OpenStack_Request_ID="x" * length) for length in (10, 11)]
    assert [response.status_code for response in asked] == statuses
