"""Judging a JSON document by a JSON schema: the keywords that our schemas use, errors that name the field."""

import json
from collections.abc import Callable, Mapping
from reprlib import repr as quoted
from typing import Any

from glimpse.domain.attributes import MAX_TEXT, check_text
from glimpse.domain.errors import Invalid, ReadOnly

MAX_DEPTH = 32

_Schema = Mapping[str, Any]

_TYPES: Mapping[str, Callable[[object], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": lambda value: _is_number(value) and value == int(value),  # type: ignore[call-overload]
    "number": lambda value: _is_number(value),
    "array": lambda value: isinstance(value, list),
    "object": lambda value: isinstance(value, dict),
}


def check_document(schema: _Schema, document: object) -> dict[str, Any]:
    """The document, if it is an object that fits `schema` and that the database can keep.

    Understood are type, enum, minLength, maxLength, minimum, required, properties, additionalProperties,
    items, uniqueItems, readOnly, and `$ref` to one of the schema's own definitions; others bind nobody.

    :raises Invalid: it does not fit; names the field by its path.
    :raises ReadOnly: a field that only the service writes.
    """
    if not isinstance(document, dict):
        raise Invalid("body", "a JSON object is expected")
    _check_storable(document)
    _check({**schema, "type": "object"}, schema.get("definitions", {}), document, "")
    return document


def _check_storable(document: object) -> None:
    # A loop, because how deep a document goes is up to the client.
    waiting: list[tuple[object, int]] = [(document, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > MAX_DEPTH:
            raise Invalid("body", f"it is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, str):
            check_text("body", value, MAX_TEXT)
        elif isinstance(value, dict):
            waiting.extend((part, depth + 1) for item in value.items() for part in item)
        elif isinstance(value, list):
            waiting.extend((part, depth + 1) for part in value)


def _check(rule: _Schema, definitions: _Schema, value: Any, field: str) -> None:
    if "$ref" in rule:
        rule = definitions[rule["$ref"].rpartition("/")[2]]
    if rule.get("readOnly"):
        raise ReadOnly(field)
    kind = rule.get("type")
    if kind is not None and not _TYPES[kind](value):
        raise Invalid(field, f"{quoted(value)} is not of type {kind}")
    if "enum" in rule and value not in rule["enum"]:
        choices = ", ".join(str(choice) for choice in rule["enum"] if choice is not None)
        raise Invalid(field, f"{quoted(value)} is not one of {choices}")
    match value:
        case str():
            _check_string(rule, value, field)
        case list():
            _check_array(rule, definitions, value, field)
        case dict():
            _check_object(rule, definitions, value, field)
        case _ if "minimum" in rule and value < rule["minimum"]:
            raise Invalid(field, f"{value} is less than {rule['minimum']}")


def _check_string(rule: _Schema, value: str, field: str) -> None:
    check_text(field, value, rule.get("maxLength", MAX_TEXT))
    if len(value) < rule.get("minLength", 0):
        raise Invalid(field, "it is empty")


def _check_array(rule: _Schema, definitions: _Schema, value: list[Any], field: str) -> None:
    for number, item in enumerate(value):
        _check(rule.get("items", {}), definitions, item, f"{field}.{number}")
    if rule.get("uniqueItems") and len({json.dumps(item, sort_keys=True) for item in value}) < len(value):
        raise Invalid(field, "an item is there twice")


def _check_object(rule: _Schema, definitions: _Schema, value: dict[str, Any], field: str) -> None:
    known: _Schema = rule.get("properties", {})
    others = rule.get("additionalProperties", {})
    for name in rule.get("required", ()):
        if name not in value:
            raise Invalid(_path(field, name), "it is required")
    for name, part in value.items():
        if name not in known and others is False:
            raise Invalid(_path(field, name[:80]), "there is no such field")
        if name not in known:
            check_text(_path(field, name[:80]), name, rule.get("maxLength", MAX_TEXT))
        _check(known.get(name, others), definitions, part, _path(field, name[:80]))


def _path(field: str, name: str) -> str:
    return f"{field}.{name}" if field else name


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
