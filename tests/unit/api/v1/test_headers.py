"""Metadata in headers: both directions."""

import pytest

from glimpse.api.v1.headers import can_be_told, folded, meta_headers, read_flag, read_meta
from glimpse.domain.attributes import attribute_table
from glimpse.domain.errors import Invalid

TABLE = attribute_table()
MAX = 2**63 - 1
NO_NUMBERS = ("x", "-1", "1.5", "1e3", "0x1", " 1", "\u0663".encode().decode("latin-1"))


def read(**headers: str) -> dict[str, object]:
    """The fields of headers, by their names with underscores."""
    return dict(read_meta([(f"x-image-meta-{name}", value) for name, value in headers.items()], TABLE).fields)


def test_what_is_read() -> None:
    meta = read_meta(
        [
            ("X-Image-Meta-Name", "a name"),
            ("x-image-meta-min-ram", "512"),
            ("x-image-meta-size", str(MAX)),
            ("x-image-meta-is_public", "On"),
            ("x-image-meta-created_at", "2010-02-03 09:34:01"),
            ("x-image-meta-property-OS-Type", "linux"),
            ("x-image-meta-property-empty", ""),
            ("accept", "x"),
        ],
        TABLE,
    )
    assert dict(meta.fields) == {
        "name": "a name",
        "min_ram": 512,
        "size": MAX,
        "is_public": True,
        "created_at": "2010-02-03 09:34:01",
    }
    assert dict(meta.properties) == {"os_type": "linux", "empty": ""}
    assert (meta.size, meta.text("name"), meta.text("size")) == (MAX, "a name", None)


def test_what_is_empty_is_null_where_there_can_be_null() -> None:
    assert read(name="", disk_format="", checksum="") == {"name": None, "disk_format": None, "checksum": None}
    assert read(size="", min_ram="", is_public="", created_at="", location="", status="", id="") == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(number, value) for number in ("size", "min_ram", "min_disk", "virtual_size") for value in
          (*NO_NUMBERS, str(MAX + 1), "9" * 40)],
        ("min_ram", str(2**31)),
        ("min_disk", str(2**31)),
        *[(flag, value) for flag in ("is_public", "protected", "deleted") for value in ("maybe", "2")],
        *[(time, value) for time in ("created_at", "updated_at", "deleted_at") for value in
          ("soon", "1899-12-31T23:59:59", "2010-13-01T00:00:00", "0")],
        ("name", "n" * 256),
        ("owner", "o" * 256),
        ("checksum", "c" * 33),
        ("disk_format", "floppy"),
        ("container_format", "box"),
        ("id", "1"),
        ("name", "a\0b"),
        ("name", "\U0001f600".encode().decode("latin-1")),
        ("name", "\xff\xfe"),
        ("property-x", "a\0b"),
        ("property-x", "\xff"),
        ("unheard_of", "1"),
        ("", "1"),
    ],
)  # fmt: skip
def test_what_is_refused(name: str, value: str) -> None:
    with pytest.raises(Invalid):
        read(**{name: value})


def test_the_same_header_twice() -> None:
    for one, other in (("size", "Size"), ("property-a-b", "property-A_B")):
        with pytest.raises(Invalid, match="twice"):
            read_meta([(f"x-image-meta-{one}", "1"), (f"x-image-meta-{other}", "1")], TABLE)


@pytest.mark.parametrize("kind", ["ami", "ari", "aki"])
def test_one_format_of_amazon_implies_the_other(kind: str) -> None:
    both = {"disk_format": kind, "container_format": kind}
    assert read(disk_format=kind) == read(container_format=kind) == read(**both) == both
    for fields in ({"disk_format": kind, "container_format": "bare"},
                   {"disk_format": "raw", "container_format": kind}):  # fmt: skip
        with pytest.raises(Invalid):
            read(**fields)


def test_what_python_glanceclient_encodes() -> None:
    headers = [
        ("x-image-meta-name", "Gr%C3%B6%C3%9Fe%201"),
        ("x-image-meta-property-a%20b", "100%25"),
        ("x-glance-api-copy-from", "http://host/a%2520b%3Fc%3Dd"),
    ]
    meta = read_meta([*headers, ("User-Agent", "python-glanceclient")], TABLE)
    assert dict(meta.fields) == {"name": "Größe 1", "copy_from": "http://host/a%20b?c=d"}
    assert dict(meta.properties) == {"a b": "100%"}
    plain = read_meta([*headers[:1], ("User-Agent", "curl/8")], TABLE)
    assert plain.fields["name"] == "Gr%C3%B6%C3%9Fe%201"
    with pytest.raises(Invalid):
        read_meta([("x-image-meta-name", "%FF"), ("user-agent", "python-glanceclient")], TABLE)


def test_a_source_is_named_once() -> None:
    with pytest.raises(Invalid, match="twice"):
        read_meta([("x-image-meta-copy_from", "a"), ("X-Glance-API-Copy-From", "b")], TABLE)


def test_booleans() -> None:
    for word in ("true", "True", "t", "1", "ON", "yes", "y", " true "):
        assert read_flag("f", word) is True
    for word in ("false", "False", "f", "0", "off", "NO", "n"):
        assert read_flag("f", word) is False


def test_what_is_told() -> None:
    fields = {"name": "Größe €", "size": 5, "is_public": False, "owner": None}
    properties = {"Kernel": "k", "empty": None, "bad name": "x", "os_glance_x": "x", "split": "a\r\nB: c"}
    headers = meta_headers(fields, properties)
    assert headers == {
        "x-image-meta-name": "Größe €".encode().decode("latin-1"),
        "x-image-meta-size": "5",
        "x-image-meta-is_public": "False",
        "x-image-meta-owner": "",
        "x-image-meta-property-kernel": "k",
        "x-image-meta-property-empty": "",
        "x-image-meta-property-split": "a  B: c",
    }


def test_what_is_told_can_be_read() -> None:
    text = "Größe €"
    told = meta_headers({"name": text}, {"city": text})
    meta = read_meta(told.items(), TABLE)
    assert (meta.fields["name"], meta.properties["city"]) == (text, text)


def test_names() -> None:
    assert folded("Os-Type") == "os_type"
    assert [can_be_told(name) for name in ("a", "a:b", "", "ä", "os_glance_failed_import")] == [
        True, False, False, False, False
    ]  # fmt: skip
