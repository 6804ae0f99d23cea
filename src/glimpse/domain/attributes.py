"""The attributes of an image document: one table that validation, schemas and documentation are made from.

Source: OpenStack Image API v2, schema "image". Sizes are bytes, min_ram MiB, min_disk GiB.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from reprlib import repr as quoted  # What was sent is quoted in errors, but not at any length.

from glimpse.domain.errors import Invalid, ReadOnly, Reserved
from glimpse.domain.image import Visibility
from glimpse.domain.status import ImageStatus

UUID_PATTERN = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$"
MAX_INTEGER = 2**31 - 1
MAX_NAME = 255
MAX_TEXT = 65535

DISK_FORMATS = ("ami", "ari", "aki", "vhd", "vhdx", "vmdk", "raw", "qcow2", "vdi", "iso", "ploop")
CONTAINER_FORMATS = ("ami", "ari", "aki", "bare", "ovf", "ova", "docker", "compressed")

# Names that would be mistaken for something of the service's own if they became custom properties.
RESERVED = frozenset({"location", "deleted", "deleted_at", "image_id", "extra_properties", "members"})
RESERVED_PREFIX = "os_glance"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Attribute:
    """One base attribute. `kind` is the JSON type; `choices`, `pattern` and `max_length` bound it."""

    name: str
    kind: str
    description: str
    nullable: bool = False
    max_length: int | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    read_only: bool = False
    # Computed for the answer, never stored or even looked at in a request.
    derived: bool = False


def attribute_table(
    disk_formats: Iterable[str] = DISK_FORMATS, container_formats: Iterable[str] = CONTAINER_FORMATS
) -> Mapping[str, Attribute]:
    """The base attributes by name, for a service that is configured with these formats."""
    rows = (
        Attribute("id", "string", "An identifier for the image", pattern=UUID_PATTERN),
        Attribute("name", "string", "Descriptive name for the image", nullable=True, max_length=MAX_NAME),
        Attribute("status", "string", "Status of the image", choices=tuple(ImageStatus), read_only=True),
        Attribute("visibility", "string", "Scope of image accessibility", choices=tuple(Visibility)),
        Attribute("protected", "boolean", "If true, the image cannot be deleted"),
        Attribute("os_hidden", "boolean", "If true, the image is not shown in default lists"),
        Attribute("checksum", "string", "MD5 of the data", nullable=True, max_length=32, read_only=True),
        Attribute("os_hash_algo", "string", "Algorithm of os_hash_value", True, 64, read_only=True),
        Attribute("os_hash_value", "string", "Digest of the data", True, 128, read_only=True),
        Attribute("owner", "string", "Project that owns the image", nullable=True, max_length=MAX_NAME),
        Attribute("size", "integer", "Size of the data in bytes", nullable=True, read_only=True),
        Attribute("virtual_size", "integer", "Size of the disk in bytes", nullable=True, read_only=True),
        Attribute(
            "container_format", "string", "Format of the container", True, choices=tuple(container_formats)
        ),
        Attribute("disk_format", "string", "Format of the disk", True, choices=tuple(disk_formats)),
        Attribute("created_at", "string", "Time of registration (UTC)", read_only=True),
        Attribute("updated_at", "string", "Time of the last change (UTC)", read_only=True),
        Attribute("tags", "array", "Words attached to the image"),
        Attribute("min_ram", "integer", "Memory needed to boot the image, in MiB"),
        Attribute("min_disk", "integer", "Disk needed to boot the image, in GiB"),
        Attribute("direct_url", "string", "Location of the data", read_only=True, derived=True),
        Attribute("self", "string", "Path of this document", read_only=True, derived=True),
        Attribute("file", "string", "Path of the data", read_only=True, derived=True),
        Attribute("schema", "string", "Path of the schema", read_only=True, derived=True),
        Attribute("stores", "string", "Stores that hold the data", read_only=True, derived=True),
        Attribute("locations", "array", "Places of the data", derived=True),
    )
    return {row.name: row for row in rows}


def check_text(field: str, text: str, maximum: int) -> None:
    """:raises Invalid: too long, or with characters that the database cannot keep (NUL, beyond the BMP)."""
    if len(text) > maximum:
        raise Invalid(field, f"{len(text)} characters are more than the {maximum} allowed")
    if _UNSTORABLE.search(text):
        raise Invalid(field, "characters beyond the Basic Multilingual Plane and NUL are not supported")


def check_attribute(attribute: Attribute, value: object) -> None:
    """Judge the value of a base attribute.

    :raises Invalid: wrong type, not one of the choices, too long, too big.
    """
    if value is None:
        if not attribute.nullable:
            raise Invalid(attribute.name, f"null is not of type {attribute.kind}")
        return
    match attribute.kind:
        case "string":
            _check_string(attribute, value)
        case "boolean":
            if not isinstance(value, bool):
                raise Invalid(attribute.name, f"{quoted(value)} is not a boolean")
        case "integer":
            _check_integer(attribute, value)
        case _:
            check_tags(value)


def _check_string(attribute: Attribute, value: object) -> None:
    if not isinstance(value, str):
        raise Invalid(attribute.name, f"{quoted(value)} is not a string")
    check_text(attribute.name, value, attribute.max_length or MAX_TEXT)
    if attribute.choices and value not in attribute.choices:
        raise Invalid(attribute.name, f"{quoted(value)} is not one of {', '.join(attribute.choices)}")
    if attribute.pattern and not re.fullmatch(attribute.pattern, value):
        raise Invalid(attribute.name, f"{quoted(value)} is not a UUID")


def _check_integer(attribute: Attribute, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise Invalid(attribute.name, f"{quoted(value)} is not an integer")
    if not attribute.read_only and not 0 <= value <= MAX_INTEGER:
        raise Invalid(attribute.name, f"{value} is not between 0 and {MAX_INTEGER}")


def check_tags(value: object) -> frozenset[str]:
    """The tags of a document as a set.

    :raises Invalid: not a list of strings of at most 255 characters.
    """
    if not isinstance(value, list):
        raise Invalid("tags", f"{quoted(value)} is not a list of strings")
    return frozenset(check_tag(tag) for tag in value)


def check_tag(tag: object) -> str:
    """:raises Invalid: not a string of at most 255 characters."""
    if not isinstance(tag, str):
        raise Invalid("tags", f"{quoted(tag)} is not a string")
    check_text("tags", tag, MAX_NAME)
    return tag


def check_property(name: str, value: object) -> str:
    """Judge a custom property.

    :raises Reserved: the name is the service's own.
    :raises Invalid: the name is too long, or the value is no string.
    """
    check_property_name(name)
    if not isinstance(value, str):
        raise Invalid(name, f"{quoted(value)} is not a string")
    check_text(name, value, MAX_TEXT)
    return value


def check_property_name(name: str) -> None:
    """:raises Reserved: the service's own. :raises Invalid: too long."""
    if name in RESERVED or name.startswith(RESERVED_PREFIX):
        raise Reserved(name)
    check_text("property name", name, MAX_NAME)


def check_writable(table: Mapping[str, Attribute], name: str) -> None:
    """:raises ReadOnly: a base attribute that only the service writes."""
    attribute = table.get(name)
    if attribute is not None and attribute.read_only:
        raise ReadOnly(name)
