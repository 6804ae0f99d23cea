"""Signatures by certificates in a real Barbican, which gives them to the users of a real Keystone."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.clients.barbican import Barbican, find_barbican
from tests.clients.keystone import Keystone, find_keystone
from tests.clients.process import Options, behind, glance_api, merged
from tests.keys import KEY_TYPES, signer
from tests.relay import Relay
from tests.server import free_port

pytestmark = pytest.mark.services

DATA = b"the data of an image" * 5000
OTHER = DATA.replace(b"image", b"ghost", 1)


@dataclass
class Service:
    """Our service, as demo uses it; the way to Barbican; and a certificate there for each type of key."""

    url: str
    token: str
    barbican: Barbican
    relay: Relay
    certificates: dict[str, str]

    def ask(self, method: str, path: str, *, token: str = "", **options: object) -> httpx.Response:
        """One request."""
        headers = {"X-Auth-Token": token or self.token, **options.pop("headers", {})}  # type: ignore[dict-item]
        with httpx.Client(base_url=self.url, trust_env=False, timeout=90) as client:
            return client.request(method, f"/v2/images{path}", headers=headers, **options)  # type: ignore[arg-type]

    def create(self, properties: dict[str, str], *, token: str = "") -> str:
        """The id of a new image."""
        document = {"disk_format": "raw", "container_format": "bare", **properties}
        answer = self.ask("POST", "", token=token, json=document)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def send(self, image: str, data: bytes, what: str = "file", *, token: str = "") -> httpx.Response:
        """PUT data."""
        headers = {"Content-Type": "application/octet-stream"}
        return self.ask("PUT", f"/{image}/{what}", content=data, headers=headers, token=token)

    def status(self, image: str, *, token: str = "") -> str:
        """The status of an image."""
        return str(self.ask("GET", f"/{image}", token=token).json()["status"])


@pytest.fixture(scope="module")
def keystone() -> Keystone:
    found = find_keystone()
    if found is None:
        pytest.skip("Keystone is not running; start it with: make services")
    return found


@pytest.fixture(scope="module")
def service(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    barbican = find_barbican()
    if barbican is None:
        pytest.skip("Barbican is not running; start it with: make services-all")
    folder, relay = tmp_path_factory.mktemp("glance"), Relay(barbican.url)
    database: Options = {"database": {"connection": f"sqlite:///{folder / 'glance.db'}"}}
    keys: Options = {"barbican": {"auth_endpoint": keystone.url, "barbican_endpoint": relay.url}}
    token = keystone.token("demo", "demo")
    kept = {key_type: barbican.keep(token, signer(key_type).pem) for key_type in KEY_TYPES}
    groups = merged(behind(keystone.url), database, keys)
    with glance_api(folder, free_port(), groups, [["db_sync"]]) as running:
        yield Service(running.url, token, barbican, relay, kept)
    relay.close()


@pytest.mark.parametrize("scheme", [*KEY_TYPES, "Liberty"])
def test_good_data_is_stored_and_other_data_kills(service: Service, scheme: str) -> None:
    if scheme == "Liberty":
        properties = signer().liberty_properties(DATA, service.certificates["RSA-PSS"])
    else:
        properties = signer(scheme).properties(DATA, service.certificates[scheme])
    good, bad = service.create(properties), service.create(properties)
    answers = [service.send(good, DATA), service.send(bad, OTHER)]
    assert [answer.status_code for answer in answers] == [204, 400], [answer.text for answer in answers]
    assert "The signature is not that of this data" in answers[1].text
    assert [service.status(image) for image in (good, bad)] == ["active", "killed"]
    assert service.ask("GET", f"/{good}/file").content == DATA


def test_a_job_needs_no_token_of_the_user(service: Service) -> None:
    image = service.create(signer().properties(DATA, service.certificates["RSA-PSS"]))
    assert service.send(image, DATA, "stage").status_code == 204
    answer = service.ask("POST", f"/{image}/import", json={"method": {"name": "glance-direct"}})
    assert answer.status_code == 202, answer.text
    while service.status(image) == "importing":
        time.sleep(0.2)
    assert service.status(image) == "active"


@pytest.mark.parametrize("reference", ["5d7c1b7e-8a3c-4c6e-9a11-0a1b2c3d4e5f", "no-uuid"])
def test_a_certificate_that_barbican_does_not_have(service: Service, reference: str) -> None:
    image = service.create(signer().properties(DATA, reference))
    answer = service.send(image, DATA)
    assert answer.status_code == 400
    assert f"known by the identifier {reference}" in answer.text
    assert service.status(image) == "queued"


def test_a_certificate_of_another_project(service: Service, keystone: Keystone) -> None:
    token = keystone.token("demo2", "demo2")
    image = service.create(signer().properties(DATA, service.certificates["RSA-PSS"]), token=token)
    answer = service.send(image, DATA, token=token)
    assert answer.status_code == 400
    assert "to you" in answer.text
    assert service.status(image, token=token) == "queued"


def test_while_barbican_is_down_nothing_is_lost(service: Service) -> None:
    image = service.create(signer().properties(DATA, service.certificates["RSA-PSS"]))
    service.relay.cut()
    try:
        answer = service.send(image, DATA)
    finally:
        service.relay.join()
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert service.status(image) == "queued"
    assert service.send(image, DATA).status_code == 204
