import re

import pytest

from glimpse.api.v2.documents import image_document, member_document
from glimpse.api.v2.schemas import image_schema, images_schema, member_schema, members_schema
from glimpse.domain.attributes import attribute_table
from glimpse.domain.image import Image, Member, MemberStatus, Visibility
from glimpse.domain.status import ImageStatus
from tests.unit.world import MISSING, NOON

IMAGE = image_schema(attribute_table())
PROPERTIES = IMAGE["properties"]


def test_image() -> None:
    assert list(IMAGE) == ["name", "properties", "additionalProperties", "links"]
    assert IMAGE["name"] == "image"
    assert IMAGE["additionalProperties"] == {"type": "string"}
    assert {link["rel"]: link["href"] for link in IMAGE["links"]} == {
        "self": "{self}",
        "enclosure": "{file}",
        "describedby": "{schema}",
    }


def test_read_only_properties() -> None:
    assert {name for name, schema in PROPERTIES.items() if schema.get("readOnly")} == {
        "status",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "size",
        "virtual_size",
        "created_at",
        "updated_at",
        "direct_url",
        "self",
        "file",
        "stores",
        "schema",
    }


def test_every_key_of_a_document_is_in_the_schema() -> None:
    document = image_document(Image(MISSING, ImageStatus.QUEUED, Visibility.SHARED, NOON, NOON))
    assert set(document) <= set(PROPERTIES)
    assert set(PROPERTIES) - set(document) == {"direct_url", "stores", "locations"}


@pytest.mark.parametrize("name", ["disk_format", "container_format"])
def test_formats_have_null_first(name: str) -> None:
    assert PROPERTIES[name]["type"] == ["null", "string"]
    assert PROPERTIES[name]["enum"][0] is None
    assert len(PROPERTIES[name]["enum"]) > 5


def test_formats_of_the_configuration() -> None:
    schema = image_schema(attribute_table(["raw"], ["bare", "ova"]))["properties"]
    assert schema["disk_format"]["enum"] == [None, "raw"]
    assert schema["container_format"]["enum"] == [None, "bare", "ova"]


def test_limits() -> None:
    assert PROPERTIES["name"] == {
        "type": ["null", "string"],
        "description": PROPERTIES["name"]["description"],
        "maxLength": 255,
    }
    assert PROPERTIES["visibility"]["enum"] == ["public", "community", "shared", "private"]
    assert PROPERTIES["checksum"]["maxLength"] == 32
    assert (PROPERTIES["min_ram"]["minimum"], PROPERTIES["min_ram"]["maximum"]) == (0, 2**31 - 1)
    assert PROPERTIES["tags"]["items"] == {"type": "string", "maxLength": 255}
    assert set(PROPERTIES["status"]["enum"]) == set(ImageStatus)
    assert re.fullmatch(PROPERTIES["id"]["pattern"], MISSING)


def test_every_property_is_described() -> None:
    for schema in PROPERTIES.values():
        assert schema["description"]
        assert schema["type"]


def test_images() -> None:
    schema = images_schema(attribute_table())
    assert schema["name"] == "images"
    assert list(schema["properties"]) == ["images", "first", "next", "schema"]
    assert schema["properties"]["images"]["items"] == IMAGE
    assert [link["rel"] for link in schema["links"]] == ["first", "next", "describedby"]


def test_member() -> None:
    schema = member_schema()
    assert set(schema) == {"name", "properties"}
    assert schema["name"] == "member"
    document = member_document(Member(MISSING, "lab", MemberStatus.PENDING, NOON, NOON))
    assert set(schema["properties"]) == set(document)
    assert schema["properties"]["status"]["enum"] == ["pending", "accepted", "rejected"]
    assert schema["properties"]["schema"]["readOnly"] is True


def test_members() -> None:
    schema = members_schema()
    assert schema["name"] == "members"
    assert schema["properties"]["members"]["items"] == member_schema()
    assert [link["rel"] for link in schema["links"]] == ["describedby"]
