"""Handlers and documents: the JSON schemas that clients ask for and validate against."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.domain.attributes import MAX_INTEGER, UUID_PATTERN, Attribute
from glimpse.domain.errors import NotFound
from glimpse.domain.image import MemberStatus

Schema = dict[str, Any]


def show_schema(service: Service, call: Call) -> Response:
    """GET /v2/schemas/{name}"""
    makers = {
        "image": lambda: image_schema(service.catalog.attributes),
        "images": lambda: images_schema(service.catalog.attributes),
        "member": member_schema,
        "members": members_schema,
    }
    name = call.path["name"]
    if name not in makers:
        raise NotFound("schema", name)
    return json_response(makers[name]())


def image_schema(attributes: Mapping[str, Attribute]) -> Schema:
    """The schema of an image document."""
    return {
        "name": "image",
        "properties": {name: _attribute_schema(attribute) for name, attribute in attributes.items()},
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def images_schema(attributes: Mapping[str, Attribute]) -> Schema:
    """The schema of a page of images."""
    return {
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image_schema(attributes)},
            "first": {"type": "string"},
            "next": {"type": "string"},
            "schema": {"type": "string"},
        },
        "links": [
            {"rel": "first", "href": "{first}"},
            {"rel": "next", "href": "{next}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def member_schema() -> Schema:
    """The schema of a member document."""
    return {
        "name": "member",
        "properties": {
            "member_id": {"type": "string", "description": "Project with which the image is shared"},
            "image_id": {"type": "string", "description": "The shared image", "pattern": UUID_PATTERN},
            "created_at": {"type": "string", "description": "Time of the offer (UTC)"},
            "updated_at": {"type": "string", "description": "Time of the last change (UTC)"},
            "status": {"type": "string", "description": "The project's answer", "enum": list(MemberStatus)},
            "schema": {"type": "string", "readOnly": True},
        },
    }


def members_schema() -> Schema:
    """The schema of a list of members."""
    return {
        "name": "members",
        "properties": {
            "members": {"type": "array", "items": member_schema()},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


def _attribute_schema(attribute: Attribute) -> Schema:
    kind: str | list[str] = ["null", attribute.kind] if attribute.nullable else attribute.kind
    schema: Schema = {"type": kind, "description": attribute.description}
    if attribute.read_only:
        schema["readOnly"] = True
    if attribute.max_length:
        schema["maxLength"] = attribute.max_length
    if attribute.pattern:
        schema["pattern"] = attribute.pattern
    if attribute.choices:
        schema["enum"] = [None, *attribute.choices] if attribute.nullable else list(attribute.choices)
    if attribute.kind == "integer" and not attribute.read_only:
        schema.update(minimum=0, maximum=MAX_INTEGER)
    if attribute.name == "tags":
        schema["items"] = {"type": "string", "maxLength": 255}
    if attribute.name == "locations":
        schema["items"] = {
            "type": "object",
            "required": ["url", "metadata"],
            "properties": {"url": {"type": "string", "maxLength": 255}, "metadata": {"type": "object"}},
        }
    return schema
