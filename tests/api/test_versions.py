"""Version discovery (Image API v2, "Versions")."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, Client, World

LISTED = ["v2.15", "v2.9", "v2.17", "v2.7", "v2.6", "v2.5", "v2.4", "v2.3", "v2.2", "v2.1", "v2.0"]

METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "FOO"]


@pytest.mark.parametrize("path", ["/", "/v1/images", "/v1.1/images", "/v2.19/images", "/foo", "/v3"])
def test_what_is_no_version_gets_the_choice_of_versions(nobody: Client, path: str) -> None:
    for method in METHODS:
        response = nobody.ask(method, path)
        assert response.status_code == 300
        assert response.headers["content-type"] == "application/json"
        if method != "HEAD":
            assert [version["id"] for version in response.json()["versions"]] == LISTED


@pytest.mark.parametrize("path", ["/versions", "/versions/"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_versions_are_listed_without_authentication(nobody: Client, method: str, path: str) -> None:
    response = nobody.ask(method, path)
    assert response.status_code == 200
    versions = response.json()["versions"]
    assert [version["id"] for version in versions if version["status"] == "CURRENT"] == ["v2.17"]
    assert {version["status"] for version in versions} == {"CURRENT", "SUPPORTED"}
    links = [version["links"] for version in versions]
    assert links == [[{"rel": "self", "href": "http://glimpse.test/v2/"}]] * len(LISTED)


def test_links_start_with_the_public_endpoint(make_world: MakeWorld) -> None:
    client = make_world("[DEFAULT]\npublic_endpoint = https://cloud.example/image\n").client(ALICE)
    links = [version["links"] for version in client.get("/versions").json()["versions"]]
    assert links == [[{"rel": "self", "href": "https://cloud.example/image/v2/"}]] * len(LISTED)
    created = client.post("/v2/images", {})
    assert created.headers["location"] == f"https://cloud.example/image/v2/images/{created.json()['id']}"


def test_version_without_slash_redirects(alice: Client) -> None:
    response = alice.get("/v2")
    assert response.status_code == 302
    assert response.headers["location"] == "http://glimpse.test/v2/"
    assert alice.get("/v2/").status_code == 404


@pytest.mark.parametrize("version", ["v2", *LISTED])
def test_every_version_is_the_same_service(alice: Client, version: str) -> None:
    image = alice.create(name="x")
    assert alice.get(f"/{version}/images/{image['id']}").json() == image


@pytest.mark.parametrize("version", ["v2.8", "v2.10", "v2.14", "v2.18", "v2.", "v02", "V2"])
def test_versions_of_features_that_are_off_are_unknown(alice: Client, version: str) -> None:
    assert alice.get(f"/{version}/images").status_code == 300


@pytest.mark.parametrize(
    ("version", "status"), [("v2", 200), ("v2.5", 200), ("v2.17", 200), ("v3", 300), ("v2.99", 300)]
)
def test_version_can_be_asked_for_by_media_type(alice: Client, version: str, status: int) -> None:
    response = alice.get("/images", accept=f"application/vnd.openstack.images-{version}")
    assert response.status_code == status


def test_version_in_the_path_wins_over_the_media_type(world: World, alice: Client) -> None:
    assert alice.get("/v2/images", accept="application/vnd.openstack.images-v9").status_code == 200
