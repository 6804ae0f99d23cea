"""Metadata of images in headers: `X-Image-Meta-*`, in requests and in answers.

Source: OpenStack Image API v1. Names of fields are not sensitive to case, and `-` stands for `_` in them.
Values are UTF-8; python-glanceclient writes them percent-encoded (its `common/http.py`).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from reprlib import repr as quoted
from urllib.parse import unquote

from glimpse.api.v2.query import read_moment
from glimpse.domain.attributes import (
    MAX_TEXT,
    RESERVED_PREFIX,
    Attribute,
    check_attribute,
    check_text,
)
from glimpse.domain.errors import Invalid

COPY_FROM = "x-glance-api-copy-from"
PREFIX = "x-image-meta-"
PROPERTY_PREFIX = f"{PREFIX}property-"

_TEXTS = frozenset(
    {"id", "name", "status", "owner", "checksum", "disk_format", "container_format"}
    | {"location", "copy_from", "store", "uri"}
)
_NUMBERS = frozenset({"size", "min_ram", "min_disk", "virtual_size"})
_FLAGS = frozenset({"is_public", "protected", "deleted"})
_TIMES = frozenset({"created_at", "updated_at", "deleted_at"})

# What must be the same in both formats.
_AMAZON = frozenset({"ami", "ari", "aki"})

_TRUE = frozenset({"true", "t", "1", "on", "yes", "y"})
_FALSE = frozenset({"false", "f", "0", "off", "no", "n"})

_ENCODING_CLIENT = "python-glanceclient"

_MAX_BIGINT = 2**63 - 1
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Meta:
    """What the headers of a request say: the fields that are given, checked one by one, and properties."""

    fields: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str | None:
        """A field that is a text, if it is given and not empty."""
        value = self.fields.get(name)
        return value if isinstance(value, str) else None

    @property
    def size(self) -> int | None:
        """The announced number of bytes."""
        value = self.fields.get("size")
        return value if isinstance(value, int) else None


def read_meta(headers: Iterable[tuple[str, str]], attributes: Mapping[str, Attribute]) -> Meta:
    """What headers of a request say of an image. Their values come as Latin-1, as ASGI servers read them.

    :raises Invalid: a name that is not known or comes twice, a value of the wrong type, too long, too big, or
        not UTF-8; names the header.
    """
    fields: dict[str, object] = {}
    properties: dict[str, str] = {}
    pairs = list(headers)
    encoded = any(name.lower() == "user-agent" and _ENCODING_CLIENT in value for name, value in pairs)
    for header, raw in pairs:
        if not header.lower().startswith((PREFIX, COPY_FROM)):
            continue
        named = f"{PREFIX}copy_from" if header.lower() == COPY_FROM else header
        name, text = (folded(_text(header, named, encoded)), _text(header, raw, encoded))
        check_text(header, text, MAX_TEXT)
        is_property = name.startswith(folded(PROPERTY_PREFIX))
        key = name.removeprefix(folded(PROPERTY_PREFIX)).removeprefix(folded(PREFIX))
        if key in (properties if is_property else fields):
            raise Invalid(header, "it comes twice")
        if is_property:
            properties[key] = text
        elif (value := _read(attributes, header, key, text)) is not None or _nullable(attributes, key):
            fields[key] = value
    return Meta(_paired(fields), properties)


def folded(name: str) -> str:
    """A name as headers tell it apart from others."""
    return name.lower().replace("-", "_")


def _text(header: str, text: str, encoded: bool) -> str:
    try:
        decoded = text.encode("latin-1").decode()
        return unquote(decoded, errors="strict") if encoded else decoded
    except UnicodeError:
        raise Invalid(quoted(header), "it is not UTF-8") from None


def _nullable(attributes: Mapping[str, Attribute], name: str) -> bool:
    return name in attributes and attributes[name].nullable and name not in _NUMBERS


def _read(attributes: Mapping[str, Attribute], header: str, name: str, text: str) -> object:
    if name not in _TEXTS | _NUMBERS | _FLAGS | _TIMES:
        raise Invalid(quoted(header), "the API v1 has no such header")
    if not text:
        return None
    value: object = text
    if name in _NUMBERS:
        value = _read_number(header, text)
    elif name in _FLAGS:
        value = read_flag(header, text)
    elif name in _TIMES:
        _check_time(header, text)
    elif name in attributes and name != "status":
        check_attribute(attributes[name], value)
    if name in ("min_ram", "min_disk"):
        check_attribute(attributes[name], value)
    return value


def _read_number(header: str, text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,19}", text) or int(text) > _MAX_BIGINT:
        raise Invalid(header, f"{quoted(text)} is not a number between 0 and {_MAX_BIGINT}")
    return int(text)


def read_flag(name: str, text: str) -> bool:
    """A boolean as this API writes it: true, t, 1, on, yes, y and their opposites. :raises Invalid: none."""
    word = text.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise Invalid(name, f"{quoted(text)} is neither true nor false")


def _check_time(header: str, text: str) -> None:
    # `2010-02-03 09:34:01` is written, too.
    if read_moment(header, text.strip().replace(" ", "T")).year < 1900:
        raise Invalid(header, f"{quoted(text)} is before the year 1900")


def _paired(fields: dict[str, object]) -> dict[str, object]:
    """The fields with both formats where one implies the other."""
    for name, other in (("disk_format", "container_format"), ("container_format", "disk_format")):
        if fields.get(name) in _AMAZON and fields.get(other) is None:
            fields[other] = fields[name]
    disk, container = fields.get("disk_format"), fields.get("container_format")
    if disk != container and container is not None and _AMAZON & {disk, container}:
        raise Invalid("container_format", f"{container} and the disk format {disk} exclude each other")
    return fields


def can_be_told(name: str) -> bool:
    """Whether a custom property has a name that a header can have, and is not the service's own."""
    return _TOKEN.fullmatch(name) is not None and not name.startswith(RESERVED_PREFIX)


def meta_headers(fields: Mapping[str, object], properties: Mapping[str, str | None]) -> dict[str, str]:
    """The headers that tell fields and properties, those without a name for a header left out."""
    told = {f"{PREFIX}{name}": _told(value) for name, value in fields.items()}
    told |= {
        f"{PROPERTY_PREFIX}{name.lower()}": _told(value)
        for name, value in properties.items()
        if can_be_told(name)
    }
    return told


def _told(value: object) -> str:
    # RFC 9110 §5.5: control characters have no place in a header; a blank stands for each.
    text = "" if value is None else _CONTROL.sub(" ", str(value)).strip()
    return text.encode().decode("latin-1")
