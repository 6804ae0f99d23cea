"""The JSON schemas of metadata definitions: served to clients, whose documents are judged by the same."""

from collections.abc import Mapping
from typing import Any

Schema = dict[str, Any]

MAX_NAME = 80

# Written by the service; a client that sends them is refused.
LINKS = ("self", "schema")
TIMES = ("created_at", "updated_at")

_TEXT: Schema = {"type": "string"}
_NAME: Schema = {"type": "string", "minLength": 1, "maxLength": MAX_NAME}
_SHORT: Schema = {"type": "string", "maxLength": MAX_NAME}
_FLAG: Schema = {"type": "boolean"}
_TIME: Schema = {"type": "string", "readOnly": True, "format": "date-time"}
_LINK: Schema = {"type": "string", "readOnly": True}
_TYPE: Schema = {
    "type": "string",
    "enum": ["array", "boolean", "integer", "number", "object", "string", None],
}
_STRINGS: Schema = {"type": "array", "items": {"type": "string"}}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/definitions/{name}"}


_PROPERTY_FIELDS: Schema = {
    "name": _SHORT,
    "title": _TEXT,
    "description": _TEXT,
    "operators": _STRINGS,
    "type": _TYPE,
    "required": _ref("stringArray"),
    "readonly": _FLAG,
    "minimum": {"type": "number"},
    "maximum": {"type": "number"},
    "maxLength": _ref("positiveInteger"),
    "minLength": _ref("positiveIntegerDefault0"),
    "pattern": {"type": "string", "format": "regex"},
    "enum": {"type": "array"},
    "default": {},
    "items": {
        "type": "object",
        "properties": {"type": _TYPE, "enum": {"type": "array"}},
        "additionalProperties": False,
    },
    "maxItems": _ref("positiveInteger"),
    "minItems": _ref("positiveIntegerDefault0"),
    "uniqueItems": {"type": "boolean", "default": False},
    "additionalItems": _FLAG,
}

DEFINITIONS: Schema = {
    "positiveInteger": {"type": "integer", "minimum": 0},
    "positiveIntegerDefault0": {"type": "integer", "minimum": 0, "default": 0},
    "stringArray": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
    # The properties of a namespace or an object, by name.
    "property": {
        "type": "object",
        "maxLength": MAX_NAME,
        "additionalProperties": {
            "type": "object",
            "required": ["title", "type"],
            "properties": _PROPERTY_FIELDS,
            "additionalProperties": False,
        },
    },
}

_OBJECT_FIELDS: Schema = {
    "name": _NAME,
    "description": _TEXT,
    "required": _ref("stringArray"),
    "properties": _ref("property"),
}
_ASSOCIATION_FIELDS: Schema = {"name": _NAME, "prefix": _SHORT, "properties_target": _SHORT}
_TAG_FIELDS: Schema = {"name": _NAME}
_TIME_FIELDS: Schema = dict.fromkeys(TIMES, _TIME)
_LINK_FIELDS: Schema = dict.fromkeys(LINKS, _LINK)


def _schema(name: str, properties: Schema, *required: str) -> Schema:
    return {
        "name": name,
        "definitions": DEFINITIONS,
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(fields: Schema, *required: str) -> Schema:
    items = {
        "type": "object",
        "required": list(required),
        "properties": fields,
        "additionalProperties": False,
    }
    return {"type": "array", "items": items}


NAMESPACE = _schema(
    "namespace",
    {
        "namespace": _NAME,
        "display_name": _SHORT,
        "description": {"type": "string", "maxLength": 500},
        "visibility": {"type": "string", "enum": ["public", "private"]},
        "protected": _FLAG,
        "owner": {"type": "string", "minLength": 1, "maxLength": 255},
        **_TIME_FIELDS,
        **_LINK_FIELDS,
        "resource_type_associations": _list({**_ASSOCIATION_FIELDS, **_TIME_FIELDS}, "name"),
        "properties": _ref("property"),
        "objects": _list({**_OBJECT_FIELDS, **_TIME_FIELDS, **_LINK_FIELDS}, "name"),
        "tags": _list(_TAG_FIELDS, "name"),
    },
    "namespace",
)
OBJECT = _schema("object", {**_OBJECT_FIELDS, **_TIME_FIELDS, **_LINK_FIELDS}, "name")
PROPERTY = _schema("property", {**_PROPERTY_FIELDS, "name": _NAME, **_TIME_FIELDS}, "name", "title", "type")
TAG = _schema("tag", {**_TAG_FIELDS, **_TIME_FIELDS}, "name")
ASSOCIATION = _schema("resource_type_association", {**_ASSOCIATION_FIELDS, **_TIME_FIELDS}, "name")
NEW_TAGS: Schema = {
    "required": ["tags"],
    "properties": {"tags": _list(_TAG_FIELDS, "name")},
    "additionalProperties": False,
}


def _page(name: str, key: str, schema: Schema) -> Schema:
    return {
        "name": name,
        "definitions": DEFINITIONS,
        "properties": {
            key: {"type": "array", "items": _item(schema)},
            "first": _TEXT,
            "next": _TEXT,
            "schema": _TEXT,
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
        "additionalProperties": False,
        "required": [key],
    }


def _item(schema: Schema) -> Schema:
    return {name: schema[name] for name in ("required", "properties", "additionalProperties")} | {
        "type": "object"
    }


_PROPERTIES: Schema = {
    "name": "properties",
    "definitions": DEFINITIONS,
    "properties": {
        # By name: there it need not be repeated.
        "properties": {
            "type": "object",
            "additionalProperties": {**_item(PROPERTY), "required": ["title", "type"]},
        },
        "first": _TEXT,
        "next": _TEXT,
        "schema": _TEXT,
    },
    "links": _page("", "", PROPERTY)["links"],
    "additionalProperties": False,
    "required": ["properties"],
}

METADEF_SCHEMAS: Mapping[str, Schema] = {
    "namespace": NAMESPACE,
    "namespaces": _page("namespaces", "namespaces", NAMESPACE),
    "resource_type": ASSOCIATION,
    "resource_types": _page("resource_type_associations", "resource_type_associations", ASSOCIATION),
    "property": PROPERTY,
    "properties": _PROPERTIES,
    "object": OBJECT,
    "objects": _page("objects", "objects", OBJECT),
    "tag": TAG,
    "tags": _page("tags", "tags", TAG),
}
