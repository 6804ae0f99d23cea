"""GET /v2/images/{id}/file."""

import hashlib

import pytest

from glimpse.stores.memory import MemoryStore
from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, Client, Json, World

DATA = bytes(range(100))
SIZE = len(DATA)
MD5 = hashlib.md5(DATA).hexdigest()
TAG = f'"{hashlib.sha512(DATA).hexdigest()}"'


@pytest.fixture(params=["file", "memory"])
def owner(request: pytest.FixtureRequest, make_world: MakeWorld) -> Client:
    """Somebody with a store that hands out files, and one that hands out chunks."""
    store = MemoryStore("memory") if request.param == "memory" else None
    return make_world(store=store).client(ALICE)


@pytest.fixture
def image(owner: Client) -> Json:
    return owner.active(DATA)


class TestWhole:
    def test_data_and_what_describes_it(self, owner: Client, image: Json) -> None:
        response = owner.data(image["id"])
        assert (response.status_code, response.content) == (200, DATA)
        headers = dict(response.headers)
        assert headers.pop("x-openstack-request-id").startswith("req-")
        assert headers == {
            "content-type": "application/octet-stream",
            "content-length": str(SIZE),
            "content-md5": MD5,
            "etag": TAG,
            "accept-ranges": "bytes",
        }

    def test_large_image(self, owner: Client) -> None:
        data = bytes(range(256)) * 4 * 4096 + b"tail"
        image = owner.active(data)
        assert owner.data(image["id"]).content == data
        part = owner.data(image["id"], Range="bytes=1000000-3000000")
        assert part.content == data[1000000:3000001]

    def test_of_no_bytes(self, owner: Client) -> None:
        image = owner.active(b"")
        response = owner.data(image["id"])
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-length"] == "0"
        assert response.headers["content-md5"] == hashlib.md5(b"").hexdigest()
        for asked in ("bytes=0-", "bytes=0-0", "bytes=-1"):
            assert owner.data(image["id"], Range=asked).status_code == 416

    def test_query_is_ignored(self, owner: Client, image: Json) -> None:
        assert owner.get(f"/v2/images/{image['id']}/file?anything=x").content == DATA


class TestNoData:
    def test_queued_image(self, alice: Client) -> None:
        response = alice.data(alice.create()["id"])
        assert (response.status_code, response.content) == (204, b"")
        assert "content-type" not in response.headers

    def test_queued_image_with_a_range(self, alice: Client) -> None:
        assert alice.data(alice.create()["id"], Range="bytes=nonsense").status_code == 204

    def test_missing_in_the_store(self, world: World, alice: Client) -> None:
        image = alice.active(DATA)
        (world.image_folder / image["id"]).unlink()
        response = alice.data(image["id"])
        assert (response.status_code, response.content) == (204, b"")
        assert "content-type" not in response.headers

    def test_store_that_is_not_configured_any_more(self, make_world: MakeWorld) -> None:
        image = make_world(store=MemoryStore("memory")).client(ALICE).active(DATA)
        response = make_world().client(ALICE).data(image["id"])
        assert response.status_code == 503
        assert response.headers["retry-after"]


RANGES = [
    ("bytes=0-9", 0, 9),
    ("bytes=5-5", 5, 5),
    ("bytes=5-", 5, 99),
    ("bytes=99-", 99, 99),
    ("bytes=-5", 95, 99),
    ("bytes=-100", 0, 99),
    ("bytes=-1000", 0, 99),
    ("bytes=0-99999", 0, 99),
    ("bytes=0-99", 0, 99),
    (f"bytes=0-{'9' * 30}", 0, 99),
    (f"bytes=-{'9' * 5000}", 0, 99),
]
BAD_RANGES = [
    *("bytes=100-", "bytes=100-200", "bytes=5-2", "bytes=-0", "bytes=-", "bytes=", "bytes", "", "5-9"),
    *("bytes=a-b", "bytes=0-9x", "octets=0-9", "bytes=--5", "bytes=0x1-0x2", "bytes=1-2-3"),
    *("bytes=+1-2", "bytes=0.5-1", f"bytes={'9' * 5000}-"),
]
# What some clients put in the request header Content-Range.
OLD_RANGES = [
    ("bytes 0-9/*", 0, 9),
    (f"bytes 0-9/{SIZE}", 0, 9),
    ("bytes 99-99/*", 99, 99),
    ("bytes 0-99/*", 0, 99),
]
BAD_OLD_RANGES = [
    *("bytes */*", "bytes 0-100/*", "bytes 5-2/*", "bytes 0-9/10", "bytes 100-100/*", "bytes", ""),
    *("octets 0-9/*", f"bytes {'9' * 5000}-{'9' * 5000}/*", f"bytes 0-9/{'9' * 5000}"),
]


class TestRanges:
    def test_that_lie_in_the_image(self, owner: Client, image: Json) -> None:
        for asked, first, last in RANGES:
            response = owner.data(image["id"], Range=asked)
            assert (asked, response.status_code) == (asked, 206)
            assert response.content == DATA[first : last + 1]
            assert response.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"
            assert response.headers["content-length"] == str(last - first + 1)
            assert response.headers["content-md5"] == MD5
            assert response.headers["etag"] == TAG

    def test_that_cannot_be_served(self, owner: Client, image: Json) -> None:
        for asked in BAD_RANGES:
            response = owner.data(image["id"], Range=asked)
            assert (asked, response.status_code) == (asked, 416)
            assert response.headers["content-range"] == f"bytes */{SIZE}"
            assert "range" in response.text.lower()

    @pytest.mark.parametrize("asked", ["bytes=0-1,4-5", "bytes=0-1,", "bytes=0-1, 0-1"])
    def test_that_are_several(self, owner: Client, image: Json, asked: str) -> None:
        response = owner.data(image["id"], Range=asked)
        assert response.status_code == 400
        assert "Range" in response.text

    def test_old_habit(self, owner: Client, image: Json) -> None:
        for asked, first, last in OLD_RANGES:
            response = owner.data(image["id"], Content_Range=asked)
            assert (asked, response.status_code) == (asked, 206)
            assert response.content == DATA[first : last + 1]
            assert response.headers["content-range"] == f"bytes {first}-{last}/{SIZE}"

    def test_old_habit_that_cannot_be_served(self, owner: Client, image: Json) -> None:
        """Upstream answers 500 to `bytes */*`."""
        for asked in BAD_OLD_RANGES:
            assert (asked, owner.data(image["id"], Content_Range=asked).status_code) == (asked, 416)


class TestConditions:
    def test_range_if_nothing_changed(self, owner: Client, image: Json) -> None:
        response = owner.data(image["id"], Range="bytes=0-9", If_Range=TAG)
        assert (response.status_code, response.content) == (206, DATA[:10])

    @pytest.mark.parametrize("condition", ['"other"', "nonsense", "Wed, 21 Oct 2015 07:28:00 GMT"])
    def test_everything_if_something_changed(self, owner: Client, image: Json, condition: str) -> None:
        response = owner.data(image["id"], Range="bytes=0-9", If_Range=condition)
        assert (response.status_code, response.content) == (200, DATA)

    @pytest.mark.parametrize("condition", [TAG, f"W/{TAG}", f'"a", {TAG}', "*"])
    def test_nothing_if_the_client_has_it(self, owner: Client, image: Json, condition: str) -> None:
        response = owner.data(image["id"], If_None_Match=condition)
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["etag"] == TAG
        # The client went first: a range is not looked at any more.
        assert owner.data(image["id"], If_None_Match=condition, Range="bytes=0-1").status_code == 304

    @pytest.mark.parametrize("condition", ['"other"', MD5, "", "nonsense"])
    def test_everything_if_it_has_something_else(self, owner: Client, image: Json, condition: str) -> None:
        assert owner.data(image["id"], If_None_Match=condition).content == DATA


class TestWho:
    def test_reader_may_look_and_not_download(self, alice: Client, reader: Client) -> None:
        image = alice.active(DATA)
        assert reader.show(image["id"]) == image
        response = reader.data(image["id"])
        assert response.status_code == 403
        assert "download_image" in response.text

    def test_invisible(self, alice: Client, bob: Client) -> None:
        assert bob.data(alice.active(DATA)["id"]).status_code == 404

    @pytest.mark.parametrize("answer", [None, "accepted", "rejected"])
    def test_member_downloads_whatever_it_answered(
        self, alice: Client, bob: Client, answer: str | None
    ) -> None:
        image = alice.active(DATA)
        alice.share(image["id"], "b", answer)
        assert bob.data(image["id"]).content == DATA

    @pytest.mark.parametrize("visibility", ["public", "community"])
    def test_everybody(self, admin: Client, bob: Client, visibility: str) -> None:
        image = admin.active(DATA, visibility=visibility)
        assert bob.data(image["id"]).content == DATA

    def test_anonymous(self, admin: Client, anonymous: Client) -> None:
        image = admin.active(DATA, visibility="public")
        assert anonymous.data(image["id"]).status_code == 404
