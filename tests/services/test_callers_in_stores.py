"""A caller's token on its way through the service into Swift, and what jobs do without one."""

import time
from collections.abc import Iterator
from uuid import uuid4

import httpx
import pytest

from tests.backends.swift import Cluster, running
from tests.clients.keystone import Keystone
from tests.clients.process import Options, Running, behind, glance_api, merged
from tests.server import free_port

pytestmark = pytest.mark.services

CONTENT = uuid4().bytes * 20_000
RAW = {"disk_format": "raw", "container_format": "bare"}
DATA = {"Content-Type": "application/octet-stream"}
NAME = f"callers-{uuid4().hex}"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """With two stores in the accounts of projects. The user of `own` may use no account of others."""
    keystone, folder = running()["KEYSTONE_URL"], tmp_path_factory.mktemp("glance")

    def swift(user: str) -> dict[str, object]:
        return {
            "swift_store_auth_address": keystone,
            "swift_store_user": f"service:{user}",
            "swift_store_key": "secret",
            "swift_store_container": NAME,
            "swift_store_multi_tenant": True,
            "swift_store_region": "RegionOne",
        }

    options: Options = {
        "DEFAULT": {"enabled_backends": "own:swift,all:swift"},
        "database": {"connection": f"sqlite:///{folder / 'glance.db'}"},
        "glance_store": {"default_backend": "all"},
        "own": swift("glance"),
        "all": swift("reseller"),
    }
    # One Keystone serves all tests, one after the other.
    patient: Options = {"keystone_authtoken": {"http_connect_timeout": 60}}
    groups = merged(behind(keystone), patient, options)
    with glance_api(folder, free_port(), groups, [["db_sync"]]) as running_service:
        yield running_service


@pytest.fixture(scope="module")
def token() -> str:
    return Keystone(running()["KEYSTONE_URL"], "").token("demo", "demo")


@pytest.fixture
def api(service: Running, token: str) -> Iterator[httpx.Client]:
    headers = {"X-Auth-Token": token}
    with httpx.Client(base_url=service.url, headers=headers, trust_env=False, timeout=60) as client:
        yield client


def containers() -> list[str]:
    """Those of the images, in the account of the project demo."""
    account = Cluster.by_keystone("demo:demo").account()
    return account.send("GET", f"{account.storage_url()}?prefix={NAME}").text.split()


def queued(api: httpx.Client) -> str:
    answer = api.post("/v2/images", json={"name": "image", **RAW})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_the_callers_token_reaches_the_store(service: Running, api: httpx.Client, token: str) -> None:
    image = queued(api)
    file = f"/v2/images/{image}/file"
    answer = api.put(file, content=CONTENT, headers={**DATA, "X-Image-Meta-Store": "own"})
    assert answer.status_code == 204, answer.text
    assert containers() == [f"{NAME}_{image}"]
    assert api.get(file).content == CONTENT
    assert api.get(file, headers={"Range": "bytes=7-99"}).content == CONTENT[7:100]
    assert api.delete(f"/v2/images/{image}").status_code == 204
    assert containers() == []
    assert token not in service.log()


def test_jobs_have_no_token(api: httpx.Client) -> None:
    """They are done by the service's user: the store fails alone whose user may do nothing there."""
    image = queued(api)
    assert api.put(f"/v2/images/{image}/stage", content=CONTENT, headers=DATA).status_code == 204
    direct = {
        "method": {"name": "glance-direct"},
        "stores": ["all", "own"],
        "all_stores_must_succeed": False,
    }
    assert api.post(f"/v2/images/{image}/import", json=direct).status_code == 202
    shown = until_active(api, image)
    assert (shown["stores"], shown["os_glance_failed_import"]) == ("all", "own")
    assert api.get(f"/v2/images/{image}/file").content == CONTENT
    assert api.delete(f"/v2/images/{image}").status_code == 204
    assert containers() == []


def until_active(api: httpx.Client, image: str) -> dict[str, str]:
    """Wait for what a job does."""
    deadline = time.monotonic() + 60
    while (shown := api.get(f"/v2/images/{image}").json())["status"] != "active":
        assert time.monotonic() < deadline, shown
        time.sleep(0.1)
    return dict(shown)
