"""The schemas of metadata definitions as OpenAPI has them: their own definitions put in their places."""

from collections.abc import Mapping
from typing import Any

from glimpse.domain import metadef_schemas as schemas

_RESOURCE_TYPES: schemas.Schema = {
    "name": "resource_types",
    "required": ["resource_types"],
    "properties": {
        "resource_types": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["name", *schemas.TIMES],
                "properties": {name: {"type": "string"} for name in ("name", *schemas.TIMES)},
            },
        }
    },
    "additionalProperties": False,
}


def request_schema(schema: schemas.Schema) -> Mapping[str, Any]:
    """A schema as the body of a request: without what only the service writes."""
    return _whole(_resolved(schema, writing=True))


def components() -> dict[str, Any]:
    """The schemas of all documents, by the names that results of operations have in OpenAPI."""
    every = (*schemas.METADEF_SCHEMAS.values(), _RESOURCE_TYPES)
    return {schema["name"].capitalize(): _whole(_resolved(schema, writing=False)) for schema in every}


def _whole(schema: schemas.Schema) -> schemas.Schema:
    return {
        "type": "object",
        **{name: schema[name] for name in ("required", "properties", "additionalProperties")},
    }


def _resolved(part: Any, *, writing: bool) -> Any:
    if isinstance(part, list):
        return [_resolved(item, writing=writing) for item in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _resolved(schemas.DEFINITIONS[part["$ref"].rpartition("/")[2]], writing=writing)
    return {
        name: _resolved(item, writing=writing)
        for name, item in part.items()
        if not (writing and isinstance(item, dict) and item.get("readOnly"))
    }
