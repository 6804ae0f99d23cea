"""Locations that clients bring, through PATCH (Image API v2, "Locations")."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, BOB, READER, Client, Json, World, change
from tests.sources import DATA, Source

OPTIONS = """
[DEFAULT]
show_multiple_locations = true
show_image_direct_url = true
image_location_quota = 3
[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports =
"""
DIGESTS = {"os_hash_algo": "sha512", "os_hash_value": "a" * 128, "checksum": "b" * 32}


@pytest.fixture
def shown(make_world: MakeWorld) -> World:
    return make_world(OPTIONS)


@pytest.fixture
def alice(shown: World) -> Client:
    return shown.client(ALICE)


def place(url: str, **metadata: object) -> Json:
    return {"url": url, "metadata": metadata}


def add(client: Client, image: Json, *places: Json) -> int:
    return client.patch(image["id"], *(change("add", "locations/-", one) for one in places)).status_code


def test_none(alice: Client) -> None:
    image = alice.create()
    assert (image["locations"], "direct_url" in image) == ([], False)


def test_the_first_location_makes_the_image_active(alice: Client, source: Source) -> None:
    image = alice.create()
    url = source.url()
    response = alice.patch(image["id"], change("add", "locations/-", place(url, note="x")))
    document = response.json()
    assert response.status_code == 200, response.text
    assert (document["status"], document["size"], document["checksum"]) == ("active", len(DATA), None)
    assert document["locations"] == [place(url, note="x")]
    assert document["direct_url"] == url
    assert alice.show(image["id"]) == document
    assert alice.data(image["id"]).content == DATA
    assert alice.data(image["id"], range="bytes=1000-1999").content == DATA[1000:2000]
    assert list(document)[-8:] == [
        "created_at", "updated_at", "locations", "direct_url", "tags", "self", "file", "schema"
    ]  # fmt: skip


def test_it_goes_with_the_record_alone(alice: Client, source: Source) -> None:
    image = alice.create()
    assert add(alice, image, place(source.url())) == 200
    source.requests.clear()
    assert alice.delete(f"/v2/images/{image['id']}").status_code == 204
    assert source.requests == []


def test_digests_that_the_client_vouches_for(alice: Client, source: Source) -> None:
    image = alice.create()
    assert add(alice, image, {**place(source.url()), "validation_data": DIGESTS}) == 200
    document = alice.show(image["id"])
    assert {name: document[name] for name in DIGESTS} == DIGESTS
    same = {**place(source.url("/moved")), "validation_data": DIGESTS}
    assert add(alice, image, same) == 200
    other = {**DIGESTS, "os_hash_value": "c" * 128}
    assert add(alice, image, {**place(source.url("/without-head")), "validation_data": other}) == 409
    assert len(alice.show(image["id"])["locations"]) == 2


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "filesystem:///etc/passwd",
        "swift+config://a/b/c",
        "rbd://a/b/c/d",
        "http://169.254.169.254/latest",
        "http://user:secret@127.0.0.1/image",
        "https://2130706433/",
    ],
)
def test_urls_that_no_store_takes(alice: Client, url: str) -> None:
    image = alice.create()
    for step in (change("add", "locations/0", place(url)), change("replace", "locations", [place(url)])):
        response = alice.patch(image["id"], step)
        assert response.status_code == 400
        assert "secret" not in response.text
    assert alice.show(image["id"]) == image


@pytest.mark.parametrize("path", ["/absent", "/empty", "/error", "/without-length", "/nowhere"])
def test_places_that_hold_nothing(alice: Client, source: Source, path: str) -> None:
    image = alice.create()
    assert add(alice, image, place(source.url(path))) == 400
    assert alice.show(image["id"]) == image


def test_a_store_that_the_url_does_not_belong_to(alice: Client, source: Source) -> None:
    image = alice.create()
    assert add(alice, image, place(source.url(), store="file")) == 400
    assert add(alice, image, place(source.url(), store="elsewhere")) == 200


def test_formats_are_needed(alice: Client, source: Source) -> None:
    image = alice.create(disk_format=None)
    response = alice.patch(image["id"], change("add", "locations/-", place(source.url())))
    assert response.status_code == 400
    assert "disk_format" in response.text


def test_several_and_their_order(alice: Client, source: Source) -> None:
    image = alice.active(DATA)
    first = image["locations"]
    places = [place(source.url()), place(source.url(), again=True)]
    assert alice.patch(image["id"], change("add", "locations/0", places[0])).status_code == 200
    assert add(alice, image, places[0]) == 400
    assert add(alice, image, places[1]) == 200
    assert alice.show(image["id"])["locations"] == [*first, *places]
    assert add(alice, image, place(source.url("/moved"))) == 413
    assert alice.data(image["id"]).content == DATA


def test_other_data_is_refused(alice: Client, source: Source) -> None:
    image = alice.active(b"short")
    assert add(alice, image, place(source.url())) == 400


def test_metadata_can_be_replaced(alice: Client, source: Source) -> None:
    image = alice.active(DATA)
    [own] = image["locations"]
    noted = {**own, "metadata": {**own["metadata"], "note": "x"}}
    response = alice.patch(image["id"], change("replace", "locations", [noted]))
    assert (response.status_code, response.json()["locations"]) == (200, [noted])
    assert alice.data(image["id"]).content == DATA
    for others, status in (([], 403), ([place(source.url())], 400), ([noted, place(source.url())], 400)):
        assert alice.patch(image["id"], change("replace", "locations", others)).status_code == status
    assert alice.show(image["id"])["locations"] == [noted]


def test_metadata_is_replaced_in_any_order(alice: Client, source: Source) -> None:
    image = alice.create()
    urls = [source.url(), source.url("/moved")]
    assert add(alice, image, *(place(url) for url in urls)) == 200
    noted = [place(url, note=url) for url in urls]
    response = alice.patch(image["id"], change("replace", "locations", noted[::-1]))
    assert response.json()["locations"] == noted
    assert alice.show(image["id"])["locations"] == noted


def test_an_image_without_any_gets_them(alice: Client, source: Source) -> None:
    image = alice.create()
    places = [place(source.url()), place(source.url("/moved"))]
    response = alice.patch(
        image["id"], change("replace", "locations", places), change("replace", "name", "n")
    )
    assert response.status_code == 200, response.text
    assert (response.json()["locations"], response.json()["name"]) == (places, "n")


def test_all_or_nothing(alice: Client, source: Source) -> None:
    image = alice.create()
    steps = [change("add", "locations/-", place(source.url())), change("remove", "absent")]
    assert alice.patch(image["id"], *steps).status_code == 409
    assert alice.show(image["id"]) == image


def test_removing_is_for_administrators(shown: World, alice: Client, source: Source) -> None:
    image = alice.active(DATA)
    admin = shown.client(ADMIN)
    path = f"{image['id']}"
    assert add(alice, image, place(source.url())) == 200
    assert alice.patch(path, change("remove", "locations/0")).status_code == 403
    for position in ("2", "x", "-", "-1", "9" * 30):
        assert admin.patch(path, change("remove", f"locations/{position}")).status_code == 400
    assert admin.patch(path, change("remove", "locations/0")).status_code == 200
    # The bytes of the upload went with their location; the other place still has them.
    assert shown.files() == []
    assert alice.show(image["id"])["locations"] == [place(source.url())]
    assert alice.data(image["id"]).content == DATA
    assert admin.patch(path, change("remove", "locations/0")).status_code == 403
    assert shown.usage("a") == len(DATA)


def test_statuses(shown: World, alice: Client, source: Source) -> None:
    admin = shown.client(ADMIN)
    image = alice.active(DATA)
    assert alice.post(f"/v2/images/{image['id']}/actions/deactivate").status_code == 204
    for client in (alice, admin):
        assert add(client, image, place(source.url())) == 409
        replacing = change("replace", "locations", image["locations"])
        assert client.patch(image["id"], replacing).status_code == 409
    assert admin.patch(image["id"], change("remove", "locations/0")).status_code == 409
    assert alice.show(image["id"])["locations"] == []
    assert "direct_url" not in alice.show(image["id"])
    assert admin.show(image["id"])["locations"] == image["locations"]


def test_others(shown: World, alice: Client, source: Source) -> None:
    image = alice.create(visibility="community")
    source.requests.clear()
    assert add(shown.client(READER), image, place(source.url())) == 403
    assert add(shown.client(BOB), image, place(source.url())) == 403
    assert source.requests == []
    assert add(alice, image, place(source.url())) == 200
    # A place in a backend is nothing that projects must know of each other.
    assert not {"locations", "direct_url"} & shown.client(BOB).show(image["id"]).keys()


def test_too_many_are_not_even_asked_for(alice: Client, source: Source) -> None:
    image = alice.create()
    source.requests.clear()
    places = [place(source.url(f"/image?{number}")) for number in range(4)]
    assert alice.patch(image["id"], change("replace", "locations", places)).status_code == 413
    assert source.requests == []


def test_the_storage_quota(make_world: MakeWorld, source: Source) -> None:
    world = make_world(OPTIONS.replace("[DEFAULT]", f"[DEFAULT]\nuser_storage_quota = {len(DATA) + 1}"))
    alice = world.client(ALICE)
    image = alice.create()
    assert add(alice, image, place(source.url())) == 200
    assert add(alice, image, place(source.url("/moved"))) == 413
    assert alice.patch(image["id"], change("replace", "name", "still")).status_code == 200


def test_without_the_option(make_world: MakeWorld, source: Source) -> None:
    alice = make_world(OPTIONS.replace("show_multiple_locations = true", "")).client(ALICE)
    image = alice.create()
    assert add(alice, image, place(source.url())) == 403
    assert not {"locations", "direct_url"} & image.keys()
    assert "direct_url" in alice.active()
