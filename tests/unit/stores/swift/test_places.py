import pytest

from glimpse.stores.base import StoreObjectMissing
from glimpse.stores.swift.places import Containers, Credentials, Place, location, meant, parse

SERVICE = Credentials("http://keystone:5000/v3", "glance", "new", project_name="service")
OLD = Credentials("http://swift:8080/auth/v1.0", "account:user", "key", 1)
REFERENCES = {"ref1": SERVICE, "old": OLD}
ID = "0a1b2c3d-4e5f-6789-abcd-ef0123456789"


@pytest.mark.parametrize(
    ("seed", "container"),
    [(0, "glance"), (1, "glance_0"), (8, "glance_0a1b2c3d"), (9, "glance_0a1b2c3d-4"), (32, f"glance_{ID}")],
)
def test_containers(seed: int, container: str) -> None:
    assert Containers("glance", seed).of(ID) == container
    assert Containers("glance").may_hold(container)
    assert not Containers("images").may_hold(container)


def test_a_location_is_what_it_says() -> None:
    url = location("my ref", "a container", ID)
    assert url == f"swift+config://my%20ref/a%20container/{ID}"
    assert parse(url) == Place("a container", ID, reference="my ref")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        (
            f"swift+http://service%3Aglance:k%2Fy@keystone:5000/v3/glance/{ID}",
            Place("glance", ID, auth_address="http://keystone:5000/v3", user="service:glance", key="k/y"),
        ),
        (
            f"swift://account:user:key@keystone/glance/{ID}",
            Place("glance", ID, auth_address="https://keystone", user="account:user", key="key"),
        ),
        (
            f"swift+https://swift:8080/v1/AUTH_1/glance_{ID}/{ID}",
            Place(f"glance_{ID}", ID, storage_url="https://swift:8080/v1/AUTH_1"),
        ),
    ],
)
def test_locations_of_glance(url: str, place: Place) -> None:
    assert parse(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "swift",
        "swift://",
        "swift+config://ref1/glance",
        "swift+config:///glance/x",
        "swift+config://ref1/a/b/x",
        "swift+config://ref1/glance/",
        "swift+config://ref1/glance/..",
        "swift+config://ref1/glance/%2e%2e",
        "swift+config://ref1/../x",
        "swift+config://ref1/glance/a%2fb",
        "swift+config://ref1/glance/a%00",
        "swift+config://ref1/glance/a\0",
        "swift+http://user:key@keystone:port/glance/x",
        "swift+http://user:key@/glance/x",
        "swift+http://http://keystone/glance/x",
        "http://keystone/glance/x",
    ],
)
def test_what_is_no_location(url: str) -> None:
    with pytest.raises(StoreObjectMissing):
        parse(url)


def test_credentials_of_a_reference() -> None:
    assert meant(parse("swift+config://ref1/glance/x"), REFERENCES) == SERVICE
    assert meant(parse("swift+config://ref2/glance/x"), REFERENCES) is None


@pytest.mark.parametrize("version", ["v2.0", "v3", ""])
def test_the_newer_key_of_the_same_user_counts(version: str) -> None:
    place = parse(f"swift+http://service%3Aglance:old@keystone:5000/{version}/glance/x")
    assert meant(place, REFERENCES) == SERVICE


def test_another_user_of_the_same_identity_service() -> None:
    place = parse("swift+http://demo%3Auser:own@keystone:5000/v3/glance/x")
    assert meant(place, REFERENCES) == Credentials(
        "http://keystone:5000/v3", "user", "own", project_name="demo"
    )
    place = parse("swift+http://other%3Auser:own@swift:8080/auth/v1.0/glance/x")
    assert meant(place, REFERENCES) == Credentials("http://swift:8080/auth/v1.0", "other:user", "own", 1)


@pytest.mark.parametrize("host", ["elsewhere:5000", "keystone:5001", "keystone"])
def test_credentials_go_to_no_other_identity_service(host: str) -> None:
    assert meant(parse(f"swift+http://service%3Aglance:k@{host}/v3/glance/x"), REFERENCES) is None


def test_keys_are_not_shown() -> None:
    place = parse("swift+http://demo%3Auser:hidden@keystone:5000/v3/glance/x")
    assert "hidden" not in repr(place)
    assert "hidden" not in repr(meant(place, REFERENCES))
    assert "new" not in repr(SERVICE)
