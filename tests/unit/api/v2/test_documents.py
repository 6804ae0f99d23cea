import orjson
import pytest

from glimpse.api.v2.documents import image_document, json_response, member_document, read_draft, timestamp
from glimpse.domain.attributes import attribute_table
from glimpse.domain.errors import Forbidden, GlimpseError, Invalid, ReadOnly, Reserved
from glimpse.domain.image import Image, Location, Member, MemberStatus, Visibility
from glimpse.domain.status import ImageStatus
from tests.unit.world import MISSING, NOON

TABLE = attribute_table()

BASE_KEYS = [
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "size",
    "virtual_size",
    "status",
    "checksum",
    "protected",
    "min_ram",
    "min_disk",
    "owner",
    "os_hidden",
    "os_hash_algo",
    "os_hash_value",
    "id",
    "created_at",
    "updated_at",
    "tags",
    "self",
    "file",
    "schema",
]

BARE = Image(MISSING, ImageStatus.QUEUED, Visibility.SHARED, NOON, NOON)


def test_times_are_utc_seconds() -> None:
    assert timestamp(NOON.replace(second=5, microsecond=678)) == "2026-11-23T12:00:05Z"


def test_key_order_and_nulls() -> None:
    document = image_document(BARE)
    assert list(document) == BASE_KEYS
    nulls = "name disk_format container_format size virtual_size checksum owner os_hash_algo os_hash_value"
    assert {name for name, value in document.items() if value is None} == set(nulls.split())
    assert document["tags"] == []
    assert document["self"] == f"/v2/images/{MISSING}"
    assert document["file"] == f"/v2/images/{MISSING}/file"
    assert document["schema"] == "/v2/schemas/image"
    assert document["created_at"] == document["updated_at"] == "2026-11-23T12:00:00Z"


def test_values() -> None:
    image = Image(
        MISSING,
        ImageStatus.ACTIVE,
        Visibility.PUBLIC,
        NOON,
        NOON,
        name="ä",
        size=5,
        virtual_size=6,
        checksum="c",
        os_hash_algo="sha512",
        os_hash_value="v",
        min_ram=1,
        min_disk=2,
        owner="lab",
        protected=True,
        os_hidden=True,
        tags=frozenset({"b", "a"}),
        locations=(Location("file:///secret", {"store": "file"}),),
        member="elsewhere",
    )
    document = orjson.loads(orjson.dumps(image_document(image)))
    assert document["status"] == "active"
    assert document["visibility"] == "public"
    assert (document["size"], document["virtual_size"], document["min_ram"], document["min_disk"]) == (
        5,
        6,
        1,
        2,
    )
    assert document["protected"] is document["os_hidden"] is True
    assert document["tags"] == ["a", "b"]
    assert "secret" not in str(document)
    assert "member" not in document


def test_properties_come_first_and_never_null() -> None:
    image = Image(
        MISSING,
        ImageStatus.QUEUED,
        Visibility.SHARED,
        NOON,
        NOON,
        properties={"z": "1", "empty": None, "os_glance_import_task": "t"},
    )
    document = image_document(image)
    assert list(document)[:3] == ["z", "empty", "os_glance_import_task"]
    assert list(document)[3:] == BASE_KEYS
    assert (document["empty"], document["os_glance_import_task"]) == ("", "t")


@pytest.mark.parametrize("name", ["os_glance_stage_host", "os_glance_hash_op_host"])
def test_some_runtime_properties_are_nobodys_business(name: str) -> None:
    image = Image(MISSING, ImageStatus.QUEUED, Visibility.SHARED, NOON, NOON, properties={name: "host"})
    assert name not in image_document(image)


def test_members() -> None:
    document = member_document(Member(MISSING, "lab", MemberStatus.PENDING, NOON, NOON))
    assert document == {
        "member_id": "lab",
        "image_id": MISSING,
        "status": "pending",
        "created_at": "2026-11-23T12:00:00Z",
        "updated_at": "2026-11-23T12:00:00Z",
        "schema": "/v2/schemas/member",
    }


def test_json_is_not_escaped() -> None:
    response = json_response({"name": "ä"}, 201)
    assert (response.status_code, bytes(response.body)) == (201, '{"name":"ä"}'.encode())
    assert response.headers["content-type"] == "application/json"


def test_an_empty_draft() -> None:
    draft = read_draft(TABLE, {})
    assert (draft.attributes, draft.properties, draft.tags) == ({}, {}, frozenset())


def test_a_full_draft() -> None:
    attributes: dict[str, object] = {
        "id": MISSING,
        "name": None,
        "visibility": "private",
        "protected": True,
        "os_hidden": True,
        "owner": "lab",
        "container_format": "bare",
        "disk_format": "raw",
        "min_ram": 1,
        "min_disk": 2,
    }
    draft = read_draft(TABLE, {**attributes, "os_distro": "debian", "tags": ["a", "a", "b"]})
    assert draft.attributes == attributes
    assert draft.properties == {"os_distro": "debian"}
    assert draft.tags == {"a", "b"}


@pytest.mark.parametrize("name", ["os_hash_algo", "os_hash_value"])
def test_hashes_are_accepted_and_ignored(name: str) -> None:
    assert read_draft(TABLE, {name: "x"}).attributes == {}


CREATE_RULES: list[tuple[str, object, type[GlimpseError]]] = [
    *(
        (name, value, ReadOnly)
        for name in ("direct_url", "self", "file", "schema", "stores")
        for value in ("x", 5)
    ),
    *((name, "x", ReadOnly) for name in ("created_at", "updated_at", "checksum")),
    ("status", "queued", ReadOnly),
    ("size", 5, ReadOnly),
    ("virtual_size", None, ReadOnly),
    *((name, ["x"], Invalid) for name in ("created_at", "updated_at", "checksum", "status", "size")),
    ("status", "broken", Invalid),
    ("os_hash_algo", 5, Invalid),
    *((name, "x", Reserved) for name in ("location", "deleted", "deleted_at", "os_glance_x", "image_id")),
    ("locations", [], Forbidden),
    ("id", "x", Invalid),
    ("id", None, Invalid),
    ("name", 5, Invalid),
    ("min_ram", -1, Invalid),
    ("min_disk", 2**31, Invalid),
    ("tags", "x", Invalid),
    ("tags", [5], Invalid),
    ("tags", None, Invalid),
    ("visibility", "hidden", Invalid),
    ("os_distro", 5, Invalid),
    ("os_distro", True, Invalid),
    ("os_distro", None, Invalid),
    ("p" * 256, "x", Invalid),
    ("os_distro", "\U0001f600", Invalid),
    ("emoji \U0001f600", "x", Invalid),
]


@pytest.mark.parametrize(("name", "value", "kind"), CREATE_RULES, ids=lambda value: str(value)[:30])
def test_what_may_not_be_created(name: str, value: object, kind: type[GlimpseError]) -> None:
    with pytest.raises(kind):
        read_draft(TABLE, {name: value})


@pytest.mark.parametrize("document", [[], [{}]])
def test_a_draft_is_an_object(document: object) -> None:
    with pytest.raises(Invalid):
        read_draft(TABLE, document)


def test_links_are_refused_before_anything_else_is_looked_at() -> None:
    with pytest.raises(ReadOnly):
        read_draft(TABLE, {"name": 5, "self": "/x"})
