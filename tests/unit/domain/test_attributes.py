import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.domain.attributes import (
    CONTAINER_FORMATS,
    DISK_FORMATS,
    attribute_table,
    check_attribute,
    check_property,
    check_property_name,
    check_tag,
    check_tags,
    check_text,
    check_writable,
)
from glimpse.domain.errors import Invalid, ReadOnly, Reserved

TABLE = attribute_table()
ID = "1BADf00d-0000-4000-8000-00000000beef"

BMP_TEXT = st.text(st.characters(max_codepoint=0xFFFF, exclude_characters="\0", exclude_categories=["Cs"]))

GOOD = [
    ("id", ID),
    ("name", None),
    ("name", ""),
    ("name", "n" * 255),
    ("visibility", "public"),
    ("visibility", "community"),
    ("visibility", "shared"),
    ("visibility", "private"),
    ("protected", True),
    ("os_hidden", False),
    ("owner", None),
    ("owner", "p" * 255),
    ("container_format", None),
    ("disk_format", None),
    *(("disk_format", name) for name in DISK_FORMATS),
    *(("container_format", name) for name in CONTAINER_FORMATS),
    ("tags", []),
    ("tags", ["t" * 255, "", "t" * 255]),
    ("min_ram", 0),
    ("min_disk", 2**31 - 1),
    ("checksum", None),
    ("checksum", "c" * 32),
    ("os_hash_algo", "a" * 64),
    ("os_hash_value", "v" * 128),
    ("size", None),
]

BAD = [
    ("id", None),
    ("id", 5),
    ("id", "not-a-uuid"),
    ("id", ID + "\n"),
    ("id", ID[:-1]),
    ("id", f"{{{ID}}}"),
    ("id", ID.replace("-", "")),
    ("name", "n" * 256),
    ("name", 5),
    ("name", ["x"]),
    ("status", "broken"),
    ("visibility", None),
    ("visibility", "PUBLIC"),
    ("visibility", "all"),
    ("protected", "true"),
    ("protected", 1),
    ("protected", None),
    ("os_hidden", "false"),
    ("os_hidden", None),
    ("owner", "p" * 256),
    ("owner", 7),
    ("container_format", "tar"),
    ("disk_format", "floppy"),
    ("disk_format", ""),
    ("tags", None),
    ("tags", "tag"),
    ("tags", {"a": "b"}),
    ("tags", [5]),
    ("tags", ["t" * 256]),
    ("min_ram", -1),
    ("min_ram", 2**31),
    ("min_ram", 1.0),
    ("min_ram", True),
    ("min_ram", "1"),
    ("min_ram", None),
    ("min_disk", -1),
    ("min_disk", 2**31),
    ("min_disk", None),
    ("checksum", "c" * 33),
    ("os_hash_algo", "a" * 65),
    ("os_hash_value", "v" * 129),
    ("size", "many"),
]


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_values_within_the_rules_pass(name: str, value: object) -> None:
    check_attribute(TABLE[name], value)


@pytest.mark.parametrize(("name", "value"), BAD)
def test_values_outside_the_rules_are_refused_by_name(name: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_attribute(TABLE[name], value)
    assert refused.value.field == name


@pytest.mark.parametrize(("name", "limit"), [("name", 255), ("owner", 255), ("checksum", 32)])
def test_too_long_names_the_limit(name: str, limit: int) -> None:
    with pytest.raises(Invalid, match=str(limit)) as refused:
        check_attribute(TABLE[name], "x" * (limit + 1))
    assert name in str(refused.value)


def test_choices_are_named() -> None:
    with pytest.raises(Invalid, match="public, community, shared, private"):
        check_attribute(TABLE["visibility"], "hidden")


@pytest.mark.parametrize("name", sorted(name for name, row in TABLE.items() if row.nullable))
def test_nullable_attributes_take_null(name: str) -> None:
    check_attribute(TABLE[name], None)


def test_nullable_attributes_are_those_of_the_api() -> None:
    assert {name for name, row in TABLE.items() if row.nullable} == {
        "name",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
        "owner",
        "size",
        "virtual_size",
        "container_format",
        "disk_format",
    }


READ_ONLY = [
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
    "schema",
    "stores",
]


def test_only_the_service_writes_what_is_read_only() -> None:
    for name in TABLE:
        if name in READ_ONLY:
            with pytest.raises(ReadOnly) as refused:
                check_writable(TABLE, name)
            assert refused.value.field == name
        else:
            check_writable(TABLE, name)


def test_custom_properties_are_writable() -> None:
    check_writable(TABLE, "os_distro")


def test_formats_come_from_the_configuration() -> None:
    table = attribute_table(["raw"], ["bare"])
    check_attribute(table["disk_format"], "raw")
    with pytest.raises(Invalid):
        check_attribute(table["disk_format"], "qcow2")
    with pytest.raises(Invalid):
        check_attribute(table["container_format"], "ova")


@given(BMP_TEXT)
def test_text_of_the_basic_plane_is_kept(text: str) -> None:
    check_text("name", text, len(text))


@given(
    BMP_TEXT, st.sampled_from(["\0", "\U0001f600", "\U00010000", "\U0010ffff", "\ud800", "\udfff"]), BMP_TEXT
)
def test_text_that_databases_cannot_keep_is_refused(before: str, bad: str, after: str) -> None:
    with pytest.raises(Invalid, match="Basic Multilingual Plane"):
        check_text("name", before + bad + after, 2**20)


@given(BMP_TEXT.filter(bool))
def test_text_one_longer_than_its_limit_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        check_text("name", text, len(text) - 1)
    assert str(len(text) - 1) in str(refused.value)


@given(BMP_TEXT, st.integers(1, 300))
def test_tags_are_a_set(text: str, count: int) -> None:
    tag = text[:255]
    assert check_tags([tag] * count) == {tag}


@pytest.mark.parametrize("tag", [None, 5, True, ["x"], "x" * 256, "\U0001f600"])
def test_bad_tags(tag: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_tag(tag)
    assert refused.value.field == "tags"


@pytest.mark.parametrize(
    "name", ["location", "deleted", "deleted_at", "image_id", "extra_properties", "os_glance", "os_glance_x"]
)
def test_reserved_names(name: str) -> None:
    with pytest.raises(Reserved) as refused:
        check_property(name, "x")
    assert refused.value.field == name
    with pytest.raises(Reserved):
        check_property_name(name)


@pytest.mark.parametrize("value", [None, 5, 1.5, True, ["x"], {"x": "y"}, "\0", "v" * 65536])
def test_bad_property_values(value: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_property("os_distro", value)
    assert refused.value.field == "os_distro"


@pytest.mark.parametrize("name", ["x" * 256, "emoji \U0001f600"])
def test_bad_property_names(name: str) -> None:
    with pytest.raises(Invalid):
        check_property(name, "x")


@pytest.mark.parametrize(
    ("name", "value"), [("x" * 255, "v"), ("", ""), ("Os_distro", "v" * 65535), ("trait:HW", "required")]
)
def test_good_properties(name: str, value: str) -> None:
    assert check_property(name, value) == value


@pytest.mark.parametrize("text", [ID, ID.upper(), ID.lower()])
def test_uuids_of_any_case(text: str) -> None:
    check_attribute(TABLE["id"], text)


@pytest.mark.parametrize("text", ["", ID + "0", "g" + ID[1:], ID + "\n", f" {ID}"])
def test_what_is_no_uuid(text: str) -> None:
    with pytest.raises(Invalid):
        check_attribute(TABLE["id"], text)


def test_refusals_do_not_repeat_a_document_that_was_sent() -> None:
    with pytest.raises(Invalid) as refused:
        check_attribute(TABLE["name"], ["x" * 100_000])
    assert len(str(refused.value)) < 1000
