"""What the store of S3 does without a server."""

import pytest

from glimpse.domain.errors import Invalid, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.s3.bucket import Endpoint
from glimpse.stores.s3.store import S3Store
from glimpse.stores.s3.writer import MOST_PARTS, Cut

MIB = 1024 * 1024
GIB = 1024 * MIB
CUT = Cut(threshold=10 * MIB, part=10 * MIB, parallel=4)


def endpoint(url: str = "http://127.0.0.1:9", bucket: str = "images") -> Endpoint:
    return Endpoint(url, bucket, "the-access-key", "the-secret-key")


STORE = S3Store("s3", endpoint(), CUT)


@pytest.mark.parametrize(
    "url",
    [
        "s3://other.example/{bucket}/x",
        "s3://{host}/other/x",
        "s3://{host}/{bucket}/",
        "s3://{host}/{bucket}/..",
        "s3://{host}/{bucket}/.",
        "s3://{host}/{bucket}/a/b",
        "s3://{host}/{bucket}/../x",
        "s3://{host}/{bucket}/incoming/x",
        "s3://{host}/{bucket}",
        "s3://{host}/x",
        "s3://KEY:SECRET@https://{host}/{bucket}/x",
        "s3://{host}@other.example/{bucket}/x",
        "S3://{host}/{bucket}/x",
        "http://{host}/{bucket}/x",
    ],
)
def test_what_is_elsewhere(url: str) -> None:
    place = url.format(host="127.0.0.1:9", bucket="images")
    assert not STORE.owns(place)
    with pytest.raises(StoreObjectMissing):
        STORE.stat(place)


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("https://s3.amazonaws.com", "s3://AKIA:a/b+c@s3.amazonaws.com/images/x"),
        ("https://s3.amazonaws.com", "s3+https://AKIA:a@b@s3.amazonaws.com/images/x"),
        ("http://host:81/deep/er/", "s3://host:81/deep/er/images/x"),
        ("http://Host:81", "s3+http://hOST:81/images/x"),
    ],
)
def test_what_is_here(server: str, url: str) -> None:
    assert S3Store("s3", endpoint(server), CUT).owns(url)


@pytest.mark.parametrize("image_id", ["", ".", "..", "a/b", "a\0b", "x" * 500])
def test_what_cannot_be_a_name(image_id: str) -> None:
    with pytest.raises(Invalid):
        STORE.open_writer(ObjectKey(image_id, "attempt"), 1)


def test_clients_bring_no_locations() -> None:
    with pytest.raises(Invalid):
        STORE.check_url("s3://127.0.0.1:9/images/x")


def test_nobody_answers() -> None:
    with pytest.raises(Unavailable) as caught:
        STORE.stat("s3://KEY:SECRET@127.0.0.1:9/images/x")
    text = str(caught.value)
    assert text == "The store s3 is not available: the connection failed (EndpointConnectionError)"


def test_keys_are_not_shown() -> None:
    assert "the-" not in repr(endpoint())


@pytest.mark.parametrize(
    ("url", "region"),
    [
        ("https://s3.amazonaws.com", "us-east-1"),
        ("https://s3.eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://s3-eu-west-1.amazonaws.com", "eu-west-1"),
        ("https://s3.dualstack.us-west-2.amazonaws.com", "us-west-2"),
        ("https://s3.cn-north-1.amazonaws.com.cn", "cn-north-1"),
        ("https://s3.amazonaws.com.example", None),
        ("http://127.0.0.1:7480", None),
    ],
)
def test_regions_of_amazon(url: str, region: str | None) -> None:
    assert endpoint(url).amazon_region == region


@pytest.mark.parametrize(
    ("size", "needed"), [(0, False), (1, False), (10 * MIB - 1, False), (10 * MIB, True), (None, True)]
)
def test_when_parts_are_needed(size: int | None, needed: bool) -> None:
    assert CUT.is_needed(size) is needed


def test_parts_are_always_needed_where_the_threshold_is_zero() -> None:
    cut = Cut(threshold=0, part=5 * MIB, parallel=1)
    assert cut.is_needed(1)
    assert not cut.is_needed(0)


@pytest.mark.parametrize("size", [1, 10 * MIB, 90 * GIB, 100 * GIB, 100 * GIB + 1, 5 * 1024 * GIB])
def test_the_parts_of_a_known_size_will_do(size: int) -> None:
    length = CUT.length(1, size)
    assert length >= 10 * MIB
    assert length * MOST_PARTS >= size
    assert CUT.length(MOST_PARTS, size) == length


def test_the_parts_of_an_unknown_size_will_do() -> None:
    lengths = [CUT.length(number, None) for number in range(1, MOST_PARTS + 1)]
    assert lengths[0] == 10 * MIB
    assert lengths == sorted(lengths)
    assert sum(lengths) > 5 * 1024 * GIB
    # S3 takes no larger part.
    assert lengths[-1] <= 5 * GIB


@pytest.mark.parametrize(("length", "flying"), [(10 * MIB, 4), (20 * MIB, 2), (30 * MIB, 1), (500 * MIB, 1)])
def test_large_parts_fly_alone(length: int, flying: int) -> None:
    assert CUT.flying(length) == flying
