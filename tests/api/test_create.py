"""POST /v2/images, and the document of an image."""

from uuid import UUID, uuid4

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ADMIN, ALICE, Client, Json, without

ID = "AAAAAAAA-bbbb-4ccc-8ddd-0123456789ab"

BASE: Json = {
    "name": None,
    "disk_format": None,
    "container_format": None,
    "visibility": "shared",
    "size": None,
    "virtual_size": None,
    "status": "queued",
    "checksum": None,
    "protected": False,
    "min_ram": 0,
    "min_disk": 0,
    "owner": "a",
    "os_hidden": False,
    "os_hash_algo": None,
    "os_hash_value": None,
    "tags": [],
    "schema": "/v2/schemas/image",
}

READ_ONLY = {
    "created_at": "2026-01-01T00:00:00Z",
    "updated_at": "2026-01-01T00:00:00Z",
    "status": "active",
    "checksum": "d41d8cd98f00b204e9800998ecf8427e",
    "size": 1,
    "virtual_size": 1,
}


def test_empty_document_makes_an_image_of_defaults(alice: Client) -> None:
    response = alice.post("/v2/images", {})
    assert response.status_code == 201
    assert response.headers["content-type"] == "application/json"
    document = response.json()
    path = f"/v2/images/{document['id']}"
    assert response.headers["location"] == f"http://glimpse.test{path}"
    assert str(UUID(document["id"], version=4)) == document["id"]
    assert without(document, "id", "created_at", "updated_at") == {
        **BASE,
        "self": path,
        "file": f"{path}/file",
    }
    assert document["created_at"] == document["updated_at"] == "2026-01-01T00:00:01Z"
    assert alice.get(path).json() == document


def test_keys_come_in_upstreams_order(alice: Client) -> None:
    document = alice.post("/v2/images", {"name": "n", "zebra": "1", "os_distro": "arch"}).json()
    assert list(document) == [
        "zebra",
        "os_distro",
        *("name", "disk_format", "container_format", "visibility", "size", "virtual_size", "status"),
        *("checksum", "protected", "min_ram", "min_disk", "owner", "os_hidden", "os_hash_algo"),
        *("os_hash_value", "id", "created_at", "updated_at", "tags", "self", "file", "schema"),
    ]


def test_everything_that_can_be_given_is_kept(alice: Client) -> None:
    given = {
        "id": ID,
        "name": "n" * 255,
        "visibility": "private",
        "protected": True,
        "os_hidden": True,
        "owner": "a",
        "container_format": "bare",
        "disk_format": "qcow2",
        "min_ram": 2147483647,
        "min_disk": 2147483647,
        "tags": ["b", "a", "b", ""],
        "os_distro": "arch",
        "": "a property without a name",
        "k" * 255: "v" * 65535,
        "Kernel_ID": "case matters",
        "kernel_id": "very much",
    }
    response = alice.post("/v2/images", given)
    assert response.status_code == 201, response.text
    assert response.json().items() >= {**given, "tags": ["", "a", "b"]}.items()
    assert alice.show(ID) == response.json()


@pytest.mark.parametrize("name", ["name", "owner", "disk_format", "container_format"])
def test_null_is_a_value_for_some(admin: Client, name: str) -> None:
    response = admin.post("/v2/images", {name: None})
    assert response.status_code == 201
    assert response.json()[name] is None


@pytest.mark.parametrize(
    "name",
    [
        *("id", "visibility", "protected", "os_hidden", "tags", "min_ram", "min_disk"),
        *("status", "created_at", "updated_at", "custom"),
    ],
)
def test_null_is_no_value_for_others(alice: Client, name: str) -> None:
    response = alice.post("/v2/images", {name: None})
    assert response.status_code == 400
    assert name in response.text


@pytest.mark.parametrize(("name", "value"), READ_ONLY.items())
def test_read_only_attributes_are_forbidden(alice: Client, name: str, value: object) -> None:
    response = alice.post("/v2/images", {name: value})
    assert response.status_code == 403
    assert name in response.text
    assert "read-only" in response.text


@pytest.mark.parametrize("name", ["size", "virtual_size"])
def test_read_only_numbers_may_be_of_any_size_and_are_forbidden(alice: Client, name: str) -> None:
    assert alice.post("/v2/images", {name: 5 * 2**30}).status_code == 403


@pytest.mark.parametrize("name", READ_ONLY)
def test_read_only_attributes_of_a_wrong_type_are_invalid(alice: Client, name: str) -> None:
    response = alice.post("/v2/images", {name: ["wrong"]})
    assert response.status_code == 400
    assert name in response.text


@pytest.mark.parametrize("value", ["x", 5, None, []])
@pytest.mark.parametrize("name", ["direct_url", "self", "file", "schema", "stores"])
def test_derived_attributes_are_forbidden_whatever_the_value(alice: Client, name: str, value: object) -> None:
    assert alice.post("/v2/images", {name: value, "min_ram": "wrong"}).status_code == 403


@pytest.mark.parametrize(
    "name",
    [
        *("location", "deleted", "deleted_at", "locations", "image_id", "extra_properties", "members"),
        *("os_glance", "os_glance_import_task", "os_glance_stage_host", "os_glance_anything"),
    ],
)
def test_reserved_names_are_forbidden(alice: Client, name: str) -> None:
    response = alice.post("/v2/images", {name: "x"})
    assert response.status_code == 403
    assert name in response.text


def test_hash_fields_are_accepted_and_ignored(alice: Client) -> None:
    response = alice.post("/v2/images", {"os_hash_algo": "sha512", "os_hash_value": "ab" * 64})
    assert response.status_code == 201
    assert response.json()["os_hash_algo"] is None
    assert response.json()["os_hash_value"] is None


@pytest.mark.parametrize(("name", "value"), [("os_hash_algo", 5), ("os_hash_value", "x" * 129)])
def test_hash_fields_must_be_valid_all_the_same(alice: Client, name: str, value: object) -> None:
    assert alice.post("/v2/images", {name: value}).status_code == 400


class TestOwner:
    @pytest.mark.parametrize("owner", ["b", "", None])
    def test_must_be_the_callers_project(self, alice: Client, owner: str | None) -> None:
        assert alice.post("/v2/images", {"owner": owner}).status_code == 403
        assert alice.names("visibility=all") == []

    def test_may_be_anybody_for_an_administrator(self, admin: Client, bob: Client) -> None:
        image = admin.create(owner="b", name="gift")
        assert image["owner"] == "b"
        assert bob.names() == ["gift"]


class TestPolicy:
    def test_reader_creates_nothing(self, reader: Client) -> None:
        response = reader.post("/v2/images", {})
        assert response.status_code == 403
        assert "add_image" in response.text

    def test_anonymous_creates_nothing(self, anonymous: Client) -> None:
        assert anonymous.post("/v2/images", {}).status_code == 403

    def test_public_is_for_administrators(self, alice: Client, admin: Client) -> None:
        response = alice.post("/v2/images", {"visibility": "public"})
        assert response.status_code == 403
        assert "publicize_image" in response.text
        assert admin.post("/v2/images", {"visibility": "public"}).status_code == 201

    @pytest.mark.parametrize("visibility", ["community", "shared", "private"])
    def test_other_visibilities_are_for_members(self, alice: Client, visibility: str) -> None:
        assert alice.create(visibility=visibility)["visibility"] == visibility

    def test_somebody_without_project_owns_nothing(self, drifter: Client) -> None:
        assert drifter.post("/v2/images", {}).status_code == 403


class TestIds:
    def test_taken(self, alice: Client, bob: Client) -> None:
        alice.create(id=ID)
        for client in (alice, bob):
            assert client.post("/v2/images", {"id": ID}).status_code == 409

    def test_of_a_deleted_image(self, alice: Client, admin: Client) -> None:
        alice.create(id=ID)
        alice.delete(f"/v2/images/{ID}")
        for client in (alice, admin):
            assert client.post("/v2/images", {"id": ID}).status_code == 409

    @pytest.mark.parametrize(
        "value",
        ["x", "", ID[:-1], f"{ID}0", ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", f"{ID}\n"],
    )
    def test_that_are_none(self, alice: Client, value: str) -> None:
        response = alice.post("/v2/images", {"id": value})
        assert response.status_code == 400
        assert "id" in response.text


class TestQuotas:
    def test_properties(self, alice: Client) -> None:
        assert alice.post("/v2/images", {f"p{n}": "" for n in range(128)}).status_code == 201
        response = alice.post("/v2/images", {f"p{n}": "" for n in range(129)})
        assert response.status_code == 413
        assert "image_property_quota" in response.text
        assert "128" in response.text

    def test_tags(self, alice: Client) -> None:
        assert alice.post("/v2/images", {"tags": [f"t{n}" for n in range(128)]}).status_code == 201
        response = alice.post("/v2/images", {"tags": [f"t{n}" for n in range(129)]})
        assert response.status_code == 413
        assert "image_tag_quota" in response.text

    def test_repeated_tags_count_once(self, alice: Client) -> None:
        assert alice.post("/v2/images", {"tags": ["same"] * 200}).json()["tags"] == ["same"]

    def test_negative_means_any_number(self, make_world: MakeWorld) -> None:
        world = make_world("[DEFAULT]\nimage_property_quota = -1\nimage_tag_quota = -1\n")
        document = {f"p{n}": "" for n in range(200)} | {"tags": [f"t{n}" for n in range(200)]}
        assert world.client(ALICE).post("/v2/images", document).status_code == 201

    def test_zero_means_none(self, make_world: MakeWorld) -> None:
        client = make_world("[DEFAULT]\nimage_property_quota = 0\nimage_tag_quota = 0\n").client(ALICE)
        assert client.post("/v2/images", {}).status_code == 201
        assert client.post("/v2/images", {"p": ""}).status_code == 413
        assert client.post("/v2/images", {"tags": ["t"]}).status_code == 413


def test_refused_image_does_not_exist(alice: Client, admin: Client) -> None:
    """Upstream answers 400 to a bad tag but keeps the image."""
    identity = str(uuid4())
    assert alice.post("/v2/images", {"id": identity, "tags": ["fine", "\N{ROCKET}"]}).status_code == 400
    assert alice.get(f"/v2/images/{identity}").status_code == 404
    assert admin.names("visibility=all") == []
    assert alice.post("/v2/images", {"id": identity}).status_code == 201


def test_formats_are_those_of_the_configuration(make_world: MakeWorld) -> None:
    options = "[image_format]\ndisk_formats = raw,iso\ncontainer_formats = bare\n"
    client = make_world(options).client(ALICE)
    assert client.post("/v2/images", {"disk_format": "iso", "container_format": "bare"}).status_code == 201
    response = client.post("/v2/images", {"disk_format": "qcow2"})
    assert response.status_code == 400
    assert "raw, iso" in response.text
    assert client.post("/v2/images", {"container_format": "ova"}).status_code == 400


def test_import_methods_are_not_offered_where_there_are_none(make_world: MakeWorld) -> None:
    client = make_world("[DEFAULT]\nenabled_import_methods = []\n").client(ADMIN)
    assert "openstack-image-import-methods" not in client.post("/v2/images", {}).headers
