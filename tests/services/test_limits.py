"""Limits of projects that a real Keystone keeps."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from oslo_limit import limit

from glimpse.access.limits import REMEMBER_SECONDS, KeystoneLimits
from glimpse.catalog.ports import Resource
from glimpse.config.settings import read_config
from glimpse.domain.errors import Unavailable
from tests.api import fixtures
from tests.api.fixtures import MakeWorld
from tests.api.world import DATA_TYPE, World, pieces
from tests.clients.keystone import Keystone, find_keystone

pytestmark = pytest.mark.services

MIB = 2**20
# What the fixtures of the HTTP tests need.
database_file, empty_records, loop = fixtures.database_file, fixtures.empty_records, fixtures.loop
make_world, options_of = fixtures.make_world, fixtures.options_of
policy, records = fixtures.policy, fixtures.records

LimitsOf = Callable[..., KeystoneLimits]


@pytest.fixture(scope="session")
def keystone() -> Keystone:
    found = find_keystone()
    if found is None:
        pytest.skip("Keystone is not running; start it with: make services")
    return found


@pytest.fixture
def limits_of(keystone: Keystone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LimitsOf:
    def make(clock: Callable[[], float] = lambda: 0.0, **options: str) -> KeystoneLimits:
        # One process has one Keystone; a test may have several.
        monkeypatch.setattr(limit, "_SDK_CONNECTION", None)
        values = {
            "auth_url": keystone.url,
            "auth_type": "password",
            "username": "glance",
            "password": "secret",
            "user_domain_id": "default",
            "system_scope": "all",
            "endpoint_id": keystone.image_endpoint_id(),
            **options,
        }
        lines = [f"{name} = {value}" for name, value in values.items() if value]
        config = tmp_path / f"{uuid.uuid4().hex}.conf"
        config.write_text("\n".join(["[oslo_limit]", *lines, ""]))
        return KeystoneLimits(read_config([str(config)]), clock)

    return make


@pytest.fixture(scope="session", autouse=True)
def nothing_left(keystone: Keystone) -> None:
    """Limits that a killed run has left: one that is registered cannot go before those of projects."""
    names = set(Resource)
    for kind in ("limit", "registered_limit"):
        for row in keystone.call("GET", f"/{kind}s")[f"{kind}s"]:
            if row["resource_name"] in names:
                keystone.call("DELETE", f"/{kind}s/{row['id']}")


@pytest.fixture
def registered(keystone: Keystone) -> Iterator[None]:
    with keystone.registered_limits(
        image_size_total=4, image_stage_total=-1, image_count_total=5, image_count_uploading=3
    ):
        yield


@pytest.fixture
def project(keystone: Keystone) -> str:
    return keystone.make_project()


@pytest.mark.usefixtures("registered")
def test_registered_limits_and_those_of_a_project(
    keystone: Keystone, limits_of: LimitsOf, project: str
) -> None:
    limits = limits_of()
    common = {
        Resource.SIZE_TOTAL: 4,
        Resource.STAGE_TOTAL: -1,
        Resource.COUNT_TOTAL: 5,
        Resource.COUNT_UPLOADING: 3,
    }
    with keystone.project_limits(project, image_count_total=9):
        assert limits.of(project) == {**common, Resource.COUNT_TOTAL: 9}
    assert limits.of("another") == common


@pytest.mark.usefixtures("registered")
def test_answers_are_remembered_for_a_while(keystone: Keystone, limits_of: LimitsOf, project: str) -> None:
    now = [0.0]
    limits = limits_of(lambda: now[0])
    assert limits.of(project)[Resource.COUNT_TOTAL] == 5
    with keystone.project_limits(project, image_count_total=9):
        assert limits.of(project)[Resource.COUNT_TOTAL] == 5
        now[0] += REMEMBER_SECONDS
        assert limits.of(project)[Resource.COUNT_TOTAL] == 9


def test_what_is_not_registered_is_not_allowed(
    limits_of: LimitsOf, project: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert limits_of().of(project) == dict.fromkeys(Resource, 0)
    assert "image_count_total" in caplog.text


@pytest.mark.usefixtures("registered")
def test_the_endpoint_by_service_and_region(limits_of: LimitsOf, project: str) -> None:
    found = limits_of(endpoint_id="", endpoint_service_type="image", endpoint_region_name="RegionOne").of(
        project
    )
    assert found[Resource.COUNT_TOTAL] == 5


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth_url": "http://127.0.0.1:9/v3"},
        {"password": "wrong"},
        {"endpoint_id": "unheard-of"},
        {"endpoint_id": ""},
        {"endpoint_id": "", "endpoint_service_type": "unheard-of"},
        {"auth_type": ""},
        {"auth_type": "unheard-of"},
    ],
    ids=str,
)
def test_what_is_wrong_is_in_the_log(
    limits_of: LimitsOf, wrong: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(Unavailable):
        limits_of(**wrong).of("project")
    assert "[oslo_limit]" in caplog.text


def test_requests_wait_for_the_operator(make_world: MakeWorld, limits_of: LimitsOf) -> None:
    world = make_world(quotas=limits_of(password="wrong"))
    refused = world.client("Persona p;project=p;roles=member,reader").post("/v2/images", {})
    assert (refused.status_code, "secret" in refused.text) == (503, False)


@pytest.fixture
def world(registered: None, make_world: MakeWorld, limits_of: LimitsOf) -> World:
    # The local quota does not count beside them.
    return make_world("[DEFAULT]\nuser_storage_quota = 1B\n", quotas=limits_of())


def _together(world: World, *works: object) -> list[int]:
    async def run() -> list[int]:
        return [answer.status_code for answer in await asyncio.gather(*works)]  # type: ignore[call-overload]

    return sorted(world.loop.run(run()))


def test_images_never_exceed_their_limit(world: World, project: str) -> None:
    client = world.client(f"Persona p;project={project};roles=member,reader")
    statuses = _together(world, *[client.send("POST", "/v2/images", json={}) for _ in range(16)])
    assert statuses == [201] * 5 + [413] * 11
    assert len(client.get("/v2/images").json()["images"]) == 5
    assert "image_count_total" in client.post("/v2/images", {}).text
    other = world.client("Persona o;project=other;roles=member,reader")
    assert other.post("/v2/images", {}).status_code == 201


def test_bytes_never_exceed_their_limit(keystone: Keystone, world: World, project: str) -> None:
    limits = {"image_count_total": -1, "image_count_uploading": -1}
    headers = {"Content-Type": DATA_TYPE}
    with keystone.project_limits(project, **limits):
        client = world.client(f"Persona p;project={project};roles=member,reader")
        paths = [f"/v2/images/{client.create()['id']}/file" for _ in range(16)]
        announced = [client.send("PUT", path, content=b"x" * MIB, headers=headers) for path in paths[:8]]
        unknown = [
            client.send("PUT", path, content=pieces(b"x" * MIB), headers=headers) for path in paths[8:]
        ]
        statuses = _together(world, *announced, *unknown)
    stored = statuses.count(204)
    assert statuses == [204] * stored + [413] * (16 - stored)
    assert 0 < stored <= 4
    assert world.usage(project) == stored * MIB
    assert len(world.files()) == stored


def test_running_uploads_never_exceed_their_limit(keystone: Keystone, world: World, project: str) -> None:
    limits = {"image_count_total": -1, "image_size_total": -1}
    with keystone.project_limits(project, **limits):
        client = world.client(f"Persona p;project={project};roles=member,reader")
        images = [client.create()["id"] for _ in range(16)]
        headers = {"Content-Type": DATA_TYPE}
        most = 0

        async def slow() -> object:
            nonlocal most
            for _ in range(10):
                await asyncio.sleep(0.02)
                running = world.service.catalog.records.images.totals(project)
                most = max(most, running[Resource.COUNT_UPLOADING])
                yield b"x"

        statuses = _together(
            world,
            *[
                client.send("PUT", f"/v2/images/{one}/file", content=slow(), headers=headers)
                for one in images
            ],
        )
    assert set(statuses) == {204, 413}
    assert 0 < most <= 3
    assert {client.show(one)["status"] for one in images} == {"active", "queued"}
    assert statuses.count(204) == sum(client.show(one)["status"] == "active" for one in images)
