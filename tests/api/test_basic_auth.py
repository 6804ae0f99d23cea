"""The same service behind HTTP basic authentication."""

import base64
from pathlib import Path

import pytest

from glimpse.access.identity import BasicIdentity
from glimpse.access.policy import OsloPolicy
from glimpse.access.users import UserFiles
from tests.api.fixtures import MakeWorld
from tests.api.world import Client, World


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


ALICE = basic("alice", "wonderland: größer")
ROOT = basic("root", "toor")


@pytest.fixture(scope="module")
def users(tmp_path_factory: pytest.TempPathFactory) -> UserFiles:
    users = UserFiles(tmp_path_factory.mktemp("users") / "htpasswd")
    users.add("alice", "wonderland: größer", ["member"], "lab")
    users.add("rita", "meter", ["reader"], "lab")
    users.add("root", "toor", ["admin"], None)
    return users


@pytest.fixture
def world(make_world: MakeWorld, users: UserFiles, policy: OsloPolicy) -> World:
    async def at_once(_: float) -> None:
        """Nobody waits for the punishment."""

    return make_world(identity=BasicIdentity(users, policy.is_admin, sleep=at_once))


def test_project_and_roles_are_those_of_the_files(world: World) -> None:
    alice, rita, root = (world.client(who) for who in (ALICE, basic("rita", "meter"), ROOT))
    image = alice.create(name="x")
    assert image["owner"] == "lab"
    assert rita.names() == ["x"]
    assert rita.post("/v2/images", {}).status_code == 403
    assert root.create(visibility="public")["owner"] == "root"


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic YWxpY2U=",
        "Basic /////w==",
        f"Bearer {ALICE[6:]}",
        "Persona alice;project=lab;roles=admin",
        basic("alice", "wrong"),
        basic("alice", ""),
        basic("alice", "wonderland"),
        basic("Alice", "wonderland: größer"),
        basic("nobody", "toor"),
        basic("", ""),
        basic("alice", "wonderland: größer\0"),
        basic("root\n", "toor"),
    ],
)
def test_wrong_credentials(world: World, authorization: str) -> None:
    response = world.client(authorization).get("/v2/images", accept="application/json")
    assert response.status_code == 401
    assert response.headers["www-authenticate"] == 'Basic realm="glimpse", charset="UTF-8"'
    assert response.json()["code"] == "401 Unauthorized"


def test_scheme_is_of_any_case(world: World) -> None:
    assert world.client(f"bAsIc  {ALICE[6:]}").get("/v2/images").status_code == 200


def test_who_is_removed_is_out_at_once(make_world: MakeWorld, tmp_path: Path, policy: OsloPolicy) -> None:
    users = UserFiles(tmp_path / "htpasswd")
    users.add("eve", "apple", ["member"], None)
    client: Client = make_world(identity=BasicIdentity(users, policy.is_admin)).client(basic("eve", "apple"))
    assert client.get("/v2/images").status_code == 200
    users.remove("eve")
    assert client.get("/v2/images").status_code == 401


@pytest.mark.parametrize("path", ["/", "/versions", "/healthcheck", "/openapi.json", "/docs"])
def test_what_needs_no_credentials(world: World, path: str) -> None:
    assert world.client("").get(path).status_code in (200, 300)
