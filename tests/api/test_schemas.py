"""The schema documents."""

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, Client

READ_ONLY = {
    *("status", "checksum", "os_hash_algo", "os_hash_value", "size", "virtual_size", "created_at"),
    *("updated_at", "direct_url", "self", "file", "stores", "schema"),
}


def test_image(alice: Client) -> None:
    schema = alice.get("/v2/schemas/image").json()
    assert schema["name"] == "image"
    assert schema["additionalProperties"] == {"type": "string"}
    assert {link["rel"]: link["href"] for link in schema["links"]} == {
        "self": "{self}",
        "enclosure": "{file}",
        "describedby": "{schema}",
    }
    properties = schema["properties"]
    assert {name for name, part in properties.items() if part.get("readOnly")} == READ_ONLY
    assert properties["disk_format"]["enum"] == [
        *(None, "ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
    ]
    assert properties["container_format"]["enum"][0] is None
    assert properties["name"]["type"] == ["null", "string"]
    assert properties["name"]["maxLength"] == 255
    assert properties["protected"]["type"] == "boolean"
    assert properties["tags"]["type"] == "array"
    assert properties["tags"]["items"] == {"type": "string", "maxLength": 255}
    assert set(properties["visibility"]["enum"]) == {"public", "community", "shared", "private"}
    assert len(properties["status"]["enum"]) == 9


def test_image_describes_an_image(alice: Client) -> None:
    properties = alice.get("/v2/schemas/image").json()["properties"]
    image = alice.active(custom="x")
    assert image.keys() - {"custom"} <= properties.keys()
    assert properties.keys() - image.keys() == {"direct_url", "stores", "locations"}


def test_images(alice: Client) -> None:
    schema = alice.get("/v2/schemas/images").json()
    assert schema["name"] == "images"
    assert schema["properties"].keys() == {"images", "first", "next", "schema"}
    assert schema["properties"]["images"]["items"] == alice.get("/v2/schemas/image").json()
    assert [link["rel"] for link in schema["links"]] == ["first", "next", "describedby"]


def test_member(alice: Client) -> None:
    schema = alice.get("/v2/schemas/member").json()
    assert schema.keys() == {"name", "properties"}
    assert schema["properties"].keys() == {
        *("member_id", "image_id", "created_at", "updated_at", "status", "schema")
    }
    assert schema["properties"]["status"]["enum"] == ["pending", "accepted", "rejected"]
    assert schema["properties"]["schema"]["readOnly"] is True


def test_members(alice: Client) -> None:
    schema = alice.get("/v2/schemas/members").json()
    assert schema["name"] == "members"
    assert schema["properties"]["members"]["items"] == alice.get("/v2/schemas/member").json()
    assert [link["rel"] for link in schema["links"]] == ["describedby"]


def test_formats_are_those_of_the_configuration(make_world: MakeWorld) -> None:
    client = make_world("[image_format]\ndisk_formats = raw\n").client(ALICE)
    properties = client.get("/v2/schemas/image").json()["properties"]
    assert properties["disk_format"]["enum"] == [None, "raw"]


@pytest.mark.parametrize("name", ["nothing", "Image", "images.json", "%00"])
def test_others_are_unknown(alice: Client, name: str) -> None:
    assert alice.get(f"/v2/schemas/{name}").status_code == 404


def test_no_role_is_needed(drifter: Client, anonymous: Client) -> None:
    for client in (drifter, anonymous):
        assert client.get("/v2/schemas/image").status_code == 200
