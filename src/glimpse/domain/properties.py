"""Custom properties that are well known: what the operator's `schema-image.json` says about their values."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from reprlib import repr as quoted
from typing import Any

from glimpse.domain.attributes import MAX_TEXT, check_property, check_property_name, check_text
from glimpse.domain.errors import Invalid

# How imports show on their image: the task that is not done, the stores that are still to get the data, and
# those that did not (names separated by commas).
IMPORT_TASK = "os_glance_import_task"
IMPORTING_TO = "os_glance_importing_to_stores"
FAILED_IMPORT = "os_glance_failed_import"

# Keywords of JSON schema that bound a value here, and those that only describe it.
KEYWORDS = frozenset({"type", "enum", "pattern", "minLength", "maxLength"})
DESCRIPTIONS = frozenset({"description", "title", "default", "examples", "is_base", "readOnly", "$comment"})


@dataclass(frozen=True, slots=True)
class KnownProperties:
    """JSON schemas by property, and the properties that every new image must have. `check_schemas` holds."""

    schemas: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()


NOTHING_KNOWN = KnownProperties()


def known_schemas(known: KnownProperties) -> dict[str, dict[str, Any]]:
    """The schemas as the schema of an image shows them, beside those of the base attributes."""
    return {name: {**schema, "is_base": False} for name, schema in known.schemas.items()}


def check_custom(known: KnownProperties, name: str, value: object) -> str | None:
    """Judge a custom property, well known or not.

    :raises Reserved: the name is the service's own.
    :raises Invalid: the name is too long, or the value is not what is known of it: else any string will do.
    """
    schema = known.schemas.get(name)
    if schema is None:
        return check_property(name, value)
    check_property_name(name)
    if "enum" in schema and value not in schema["enum"]:
        raise Invalid(name, f"{quoted(value)} is not one of {', '.join(map(str, schema['enum']))}")
    types = _types(schema)
    if value is None and "null" in types:
        return None
    if not isinstance(value, str) or "string" not in types:
        raise Invalid(name, f"{quoted(value)} is not of type {' or '.join(types)}")
    check_text(name, value, min(schema.get("maxLength", MAX_TEXT), MAX_TEXT))
    if len(value) < schema.get("minLength", 0):
        raise Invalid(name, f"{len(value)} characters are less than the {schema['minLength']} needed")
    if "pattern" in schema and not re.search(schema["pattern"], value):
        raise Invalid(name, f"{quoted(value)} does not match {schema['pattern']}")
    return value


def check_required(known: KnownProperties, names: Collection[str]) -> None:
    """Check that a new image has what it must have. :raises Invalid: a property is missing; names it."""
    for name in sorted(known.required.difference(names)):
        raise Invalid(name, "every image must have this property")


def check_schemas(known: KnownProperties) -> None:
    """:raises Invalid: a schema is none, or bounds values as this service cannot; names the property."""
    for name, schema in known.schemas.items():
        check_property_name(name)
        if not isinstance(schema, Mapping):
            raise Invalid(name, "its schema must be an object")
        foreign = schema.keys() - KEYWORDS - DESCRIPTIONS
        if foreign:
            raise Invalid(name, f"its schema has what is not supported: {', '.join(sorted(foreign))}")
        if not _types(schema) or set(_types(schema)) - {"string", "null"}:
            raise Invalid(name, "values can only be of the types string and null")
        if not isinstance(schema.get("enum", []), list):
            raise Invalid(name, "enum must be a list")
        if any(not isinstance(schema.get(limit, 0), int) for limit in ("minLength", "maxLength")):
            raise Invalid(name, "minLength and maxLength must be integers")
        try:
            re.compile(schema.get("pattern", ""))
        except (re.error, TypeError) as error:
            raise Invalid(name, f"its pattern is no regular expression: {error}") from None


def _types(schema: Mapping[str, Any]) -> list[str]:
    kind = schema.get("type", "string")
    return [str(one) for one in kind] if isinstance(kind, list) else [str(kind)]
