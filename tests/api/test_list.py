"""GET /v2/images: whose images, in which order, page by page."""

from urllib.parse import parse_qsl, urlsplit

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, ANONYMOUS, BOB, CAROL, DRIFTER, READER, Client, World, change


def walk(client: Client, query: str, most: int = 100) -> list[list[str]]:
    """The names of all pages, by following `next`."""
    path: str | None = f"/v2/images?{query}"
    pages: list[list[str]] = []
    while path is not None:
        document = client.get(path).json()
        pages.append([image["name"] for image in document["images"]])
        path = document.get("next")
        assert len(pages) <= most
    return pages


class TestPages:
    def test_document(self, alice: Client) -> None:
        image = alice.create(name="x")
        response = alice.get("/v2/images")
        assert response.status_code == 200
        assert response.json() == {
            "images": [image],
            "first": "/v2/images",
            "schema": "/v2/schemas/images",
        }

    def test_shapes_of_links(self, alice: Client) -> None:
        ids = [alice.create(name=f"n{number}")["id"] for number in range(2)]
        document = alice.get("/v2/images?limit=1&sort=name:asc").json()
        assert document["first"] == "/v2/images?limit=1&sort=name%3Aasc"
        assert document["next"] == f"/v2/images?limit=1&sort=name%3Aasc&marker={ids[0]}"
        second = alice.get(document["next"]).json()
        assert second["first"] == document["first"]
        assert [image["id"] for image in second["images"]] == ids[1:]

    def test_links_keep_repeated_parameters(self, alice: Client) -> None:
        """Upstream keeps the last one only."""
        for number in range(3):
            alice.create(name=f"n{number}", tags=["a", "b"] if number else ["a"])
        query = "tag=a&tag=b&sort_key=name&sort_key=id&sort_dir=asc&sort_dir=desc&limit=1&os_distro="
        document = alice.get(f"/v2/images?{query.removesuffix('&os_distro=')}").json()
        asked = parse_qsl(query.removesuffix("&os_distro="))
        assert parse_qsl(urlsplit(document["first"]).query) == asked
        assert parse_qsl(urlsplit(document["next"]).query)[:-1] == asked
        assert walk(alice, query.removesuffix("&os_distro=")) == [["n1"], ["n2"], []]
        first = alice.get(f"/v2/images?{query}").json()["first"]
        assert parse_qsl(urlsplit(first).query, keep_blank_values=True)[-1] == ("os_distro", "")

    @pytest.mark.parametrize(
        "sort",
        [
            "",
            "sort=name:asc",
            "sort=name:desc",
            "sort=status,name:asc",
            "sort_key=size&sort_dir=asc",
            "sort_key=size&sort_dir=desc",
            "sort_key=disk_format&sort_key=container_format&sort_dir=asc",
            "sort_key=disk_format&sort_key=name&sort_dir=desc&sort_dir=asc",
            "sort=updated_at:asc",
            "sort=id",
            "sort=created_at:asc",
        ],
    )
    def test_walk_is_complete_and_without_repeats(self, world: World, sort: str) -> None:
        """With ties, and with values that are null."""
        alice = world.client(ALICE)
        world.clock.step = 0
        formats = [None, "raw", "qcow2"]
        for number in range(10):
            alice.create(name=f"n{number % 4}", disk_format=formats[number % 3])
        whole = [image["id"] for image in alice.get(f"/v2/images?{sort}").json()["images"]]
        assert len(set(whole)) == 10
        for limit in (1, 2, 3, 7, 10, 11):
            ids: list[str] = []
            path: str | None = f"/v2/images?limit={limit}&{sort}"
            while path is not None:
                document = alice.get(path).json()
                assert len(document["images"]) <= limit
                ids += [image["id"] for image in document["images"]]
                path = document.get("next")
                assert len(ids) <= 10
            assert ids == whole

    def test_walk_is_not_confused_by_what_comes_and_goes(self, alice: Client) -> None:
        ids = [alice.create(name=f"n{number}")["id"] for number in range(6)]
        document = alice.get("/v2/images?limit=2&sort=name:asc").json()
        alice.delete(f"/v2/images/{ids[3]}")
        alice.create(name="n0")
        assert walk(alice, document["next"].partition("?")[2]) == [["n2", "n4"], ["n5"]]

    @pytest.mark.parametrize(
        ("asked", "count"), [("", 25), ("limit=1000", 30), ("limit=0", 0), ("limit=26", 26)]
    )
    def test_limits(self, alice: Client, asked: str, count: int) -> None:
        for number in range(30):
            alice.create(name=f"n{number}")
        document = alice.get(f"/v2/images?{asked}").json()
        assert len(document["images"]) == count
        assert ("next" in document) == (count in (25, 26))

    def test_limits_of_the_configuration(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nlimit_param_default = 2\napi_limit_max = 3\n").client(ALICE)
        for number in range(5):
            client.create(name=f"n{number}")
        assert len(client.names()) == 2
        for limit in ("4", "1000", "9" * 30):
            assert len(client.names(f"limit={limit}")) == 3

    def test_leading_zeros_of_a_limit_mean_nothing(self, alice: Client) -> None:
        alice.create(name="x")
        assert alice.names(f"limit={'0' * 12}5") == ["x"]


class TestMarkers:
    def test_unknown(self, alice: Client) -> None:
        for marker in ("11111111-2222-4333-8444-555555555555", "x", ""):
            response = alice.get(f"/v2/images?marker={marker}")
            assert response.status_code == 400
            assert "marker" in response.text

    def test_invisible(self, alice: Client, bob: Client) -> None:
        assert bob.get(f"/v2/images?marker={alice.create()['id']}").status_code == 403

    def test_deleted_is_for_administrators(self, alice: Client, admin: Client) -> None:
        ids = [alice.create(name=f"n{number}")["id"] for number in range(3)]
        alice.delete(f"/v2/images/{ids[1]}")
        assert alice.get(f"/v2/images?marker={ids[1]}").status_code == 400
        assert admin.names(f"marker={ids[1]}&sort=name:asc") == ["n2"]

    def test_that_the_filter_leaves_out(self, alice: Client) -> None:
        ids = [alice.create(name=f"n{number}", os_hidden=number == 1)["id"] for number in range(3)]
        assert alice.names(f"marker={ids[1]}&sort=name:asc") == ["n2"]


class TestSort:
    def test_newest_first_by_default(self, alice: Client) -> None:
        for name in ("b", "c", "a"):
            alice.create(name=name)
        assert alice.names() == ["a", "c", "b"]

    @pytest.mark.parametrize(
        ("query", "names"),
        [
            ("sort=name", "cba"),
            ("sort=name:asc", "abc"),
            ("sort= name : asc ", "abc"),
            ("sort_key=name", "cba"),
            ("sort_key=name&sort_dir=asc", "abc"),
            ("sort_dir=asc", "bca"),
            ("sort=disk_format:asc,name:desc", "cba"),
            ("sort=disk_format:desc,name", "bac"),
            ("sort_key=disk_format&sort_key=name&sort_dir=asc", "cab"),
            ("sort_key=disk_format&sort_key=name&sort_dir=desc&sort_dir=asc", "abc"),
            ("sort=updated_at:asc", "bca"),
            ("sort=container_format,name", "cba"),
        ],
    )
    def test_keys(self, alice: Client, query: str, names: str) -> None:
        for name, disk_format in (("b", "raw"), ("c", "iso"), ("a", "raw")):
            alice.create(name=name, disk_format=disk_format)
        assert "".join(alice.names(query)) == names

    def test_sizes(self, alice: Client) -> None:
        for name, size in (("b", 20), ("a", 100), ("c", 3)):
            alice.active(b"x" * size, name=name)
        assert alice.names("sort=size:asc") == ["c", "b", "a"]
        assert alice.names("sort_key=size") == ["a", "b", "c"]

    @pytest.mark.parametrize(
        "query",
        [
            *("sort_key=x", "sort_key=", "sort_key=min_ram", "sort_key=owner", "sort_key=properties"),
            *("sort_dir=x", "sort_dir=", "sort_dir=ASC", "sort=x", "sort=", "sort=name:up", "sort=name,"),
            *("sort=name:", "sort=name:asc:x", "sort=name&sort_key=id", "sort=name&sort_dir=asc"),
            "sort_key=name&sort_dir=asc&sort_dir=asc",
            "sort_key=name&sort_key=id&sort_key=size&sort_dir=asc&sort_dir=asc",
        ],
    )
    def test_that_cannot_be(self, alice: Client, query: str) -> None:
        response = alice.get(f"/v2/images?{query}")
        assert response.status_code == 400
        assert "sort" in response.text


VISIBILITIES = ("public", "private", "shared", "community")

# Who sees which images by which `visibility`; names are "<owner>-<visibility>".
EXPECTED = {
    ALICE: {
        None: "a-public a-private a-shared a-community b-public b-shared-accepted",
        "public": "a-public b-public",
        "private": "a-private",
        "shared": "a-shared b-shared-accepted",
        "community": "a-community b-community",
        "all": "a-public a-private a-shared a-community b-public b-community b-shared-accepted",
    },
    CAROL: {
        None: "a-public b-public",
        "public": "a-public b-public",
        "private": "",
        "shared": "",
        "community": "a-community b-community",
        "all": "a-public b-public a-community b-community",
    },
    ADMIN: {
        None: "a-public a-private a-shared b-public b-private b-shared b-shared-accepted b-shared-pending "
        "b-shared-rejected",
        "public": "a-public b-public",
        "private": "a-private b-private",
        "shared": "a-shared b-shared b-shared-accepted b-shared-pending b-shared-rejected",
        "community": "a-community b-community",
        "all": "a-public a-private a-shared a-community b-public b-private b-shared b-community "
        "b-shared-accepted b-shared-pending b-shared-rejected",
    },
    # Upstream shows every shared image that has members to somebody without a project.
    DRIFTER: {
        None: "a-public b-public",
        "public": "a-public b-public",
        "private": "",
        "shared": "",
        "community": "a-community b-community",
    },
}
EXPECTED[READER] = EXPECTED[ALICE]


@pytest.fixture
def village(world: World) -> World:
    """Images of every visibility of projects a and b; some of b's are shared with a."""
    admin, bob = world.client(ADMIN), world.client(BOB)
    for owner in ("a", "b"):
        for visibility in VISIBILITIES:
            admin.create(name=f"{owner}-{visibility}", owner=owner, visibility=visibility)
    for answer in ("pending", "accepted", "rejected"):
        bob.share(bob.create(name=f"b-shared-{answer}")["id"], "a", answer)
    return world


class TestVisibility:
    @pytest.mark.parametrize("persona", EXPECTED)
    def test_who_sees_what(self, village: World, persona: str) -> None:
        for visibility, names in EXPECTED[persona].items():
            for limit in (100, 2):
                query = f"limit={limit}" + (f"&visibility={visibility}" if visibility else "")
                found = [name for page in walk(village.client(persona), query) for name in page]
                assert (visibility, sorted(found)) == (visibility, sorted(names.split()))

    @pytest.mark.parametrize(
        ("status", "names"),
        [
            ("accepted", "a-shared b-shared-accepted"),
            ("pending", "a-shared b-shared-pending"),
            ("rejected", "a-shared b-shared-rejected"),
            ("all", "a-shared b-shared-accepted b-shared-pending b-shared-rejected"),
        ],
    )
    def test_member_status(self, village: World, status: str, names: str) -> None:
        found = village.client(ALICE).names(f"visibility=shared&member_status={status}")
        assert sorted(found) == sorted(names.split())

    def test_no_visibility_matches_nothing(self, village: World) -> None:
        assert village.client(ADMIN).names("visibility=") == []

    def test_anonymous(self, village: World) -> None:
        assert village.client(ANONYMOUS).get("/v2/images").status_code == 403

    def test_reader_role_is_needed(self, village: World) -> None:
        response = village.client("Persona m;project=a;roles=member").get("/v2/images")
        assert response.status_code == 403
        assert "get_images" in response.text

    def test_owner(self, village: World) -> None:
        assert set(village.client(ALICE).names("owner=b")) == {"b-public", "b-shared-accepted"}
        assert village.client(ALICE).names("owner=nobody") == []


class TestHidden:
    def test_is_never_listed_unless_asked_for(self, alice: Client, admin: Client) -> None:
        image = alice.create(name="h", os_hidden=True)
        alice.create(name="v")
        for client in (alice, admin):
            assert client.names() == ["v"]
            assert client.names("visibility=all") == ["v"]
            assert client.names("os_hidden=false") == ["v"]
            for true in ("true", "True", "TRUE"):
                assert client.names(f"os_hidden={true}") == ["h"]
        alice.patch(image["id"], change("replace", "os_hidden", False))
        assert sorted(alice.names()) == ["h", "v"]


def test_deleted_never_appears(alice: Client, admin: Client) -> None:
    alice.delete(f"/v2/images/{alice.create(name='gone')['id']}")
    for client in (alice, admin):
        for query in ("", "status=deleted", "deleted=true", "visibility=all"):
            assert client.names(query) == []
