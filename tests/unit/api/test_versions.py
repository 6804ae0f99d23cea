import orjson
import pytest

from glimpse.api.versions import canonical_path, listed, versions, versions_document
from tests.unit.api.http import make_request

VENDOR = "application/vnd.openstack.images-"

PATHS = [
    ("/", "", None),
    ("", "", None),
    ("/foo", "", None),
    ("/images", "", None),
    ("/v1/images", "", None),
    ("/v1.1/images", "", None),
    ("/v3/images", "", None),
    ("/v2.19/x", "", None),
    ("/v2.8/images", "", None),
    ("/v2.14/images", "", None),
    ("/v2.18/images", "", None),
    ("/v2.01/images", "", None),
    ("/V2/images", "", None),
    ("//v2/images", "", None),
    ("/v2", "", "/v2"),
    ("/v2/", "", "/v2/"),
    ("/v2/images", "", "/v2/images"),
    ("/v2/images/", "", "/v2/images/"),
    ("/v2.0/images", "", "/v2/images"),
    ("/v2.7/images/x/file", "", "/v2/images/x/file"),
    ("/v2.9/images", "", "/v2/images"),
    ("/v2.15/images", "", "/v2/images"),
    ("/v2.17/images", "", "/v2/images"),
    ("/v2.17", "", "/v2"),
    ("/images", f"{VENDOR}v2", "/v2/images"),
    ("/images", f"{VENDOR}v2.5", "/v2/images"),
    ("/images", f"text/html, {VENDOR}v2.17", "/v2/images"),
    ("/images", f"{VENDOR}v2.8", None),
    ("/images", f"{VENDOR}v3", None),
    ("/images", "application/json", None),
    ("/v2/images", f"{VENDOR}v9", "/v2/images"),
]


@pytest.mark.parametrize(("path", "accept", "meant"), PATHS)
def test_which_path_a_request_means(path: str, accept: str, meant: str | None) -> None:
    assert canonical_path(path, accept) == meant


def test_which_versions_there_are() -> None:
    minors = [15, 13, 12, 11, 10, 9, 8, 17, 7, 6, 5, 4, 3, 2, 1, 0]
    assert listed(several_stores=True) == tuple(f"v2.{minor}" for minor in minors)
    for minor in range(20):
        for several in (False, True):
            names = listed(several_stores=several)
            meant = "/v2/images" if f"v2.{minor}" in names else None
            assert canonical_path(f"/v2.{minor}/images", "", names) == meant
            assert canonical_path("/images", f"{VENDOR}v2.{minor}", names) == meant


def test_document() -> None:
    listed = versions_document("http://glimpse.test")["versions"]
    assert isinstance(listed, list)
    minors = [15, 9, 17, 7, 6, 5, 4, 3, 2, 1, 0]
    assert [version["id"] for version in listed] == [f"v2.{minor}" for minor in minors]
    assert [version["id"] for version in listed if version["status"] == "CURRENT"] == ["v2.17"]
    assert {version["status"] for version in listed} == {"CURRENT", "SUPPORTED"}
    for version in listed:
        assert list(version) == ["id", "status", "links"]
        assert version["links"] == [{"rel": "self", "href": "http://glimpse.test/v2/"}]


@pytest.mark.parametrize(
    ("endpoint", "href"),
    [
        (None, "http://glimpse.test/v2/"),
        ("https://cloud.example/image", "https://cloud.example/image/v2/"),
        ("https://cloud.example/image/", "https://cloud.example/image/v2/"),
    ],
)
def test_links_begin_where_the_service_is_reached(endpoint: str | None, href: str) -> None:
    response = versions(make_request(), endpoint, 300)
    assert response.status_code == 300
    assert response.headers["content-type"] == "application/json"
    document = orjson.loads(bytes(response.body))
    assert {version["links"][0]["href"] for version in document["versions"]} == {href}


def test_the_old_api() -> None:
    names = listed(old=True)
    assert (names[:-2], names[-2:]) == (listed(), ("v1.1", "v1.0"))
    for path in ("/v1/images", "/v1.0/images", "/v1.1/images"):
        assert canonical_path(path, "", names) == "/v1/images"
        assert canonical_path(path, "") is None
    assert canonical_path("/images", f"{VENDOR}v1", names) == "/v1/images"
    assert canonical_path("/images", f"{VENDOR}v1") is None
    assert canonical_path("/v1.2/images", "", names) is None
