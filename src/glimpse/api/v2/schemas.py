"""Handlers and documents: the JSON schemas that clients ask for and validate against."""

from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.domain.attributes import MAX_INTEGER, UUID_PATTERN, Attribute
from glimpse.domain.errors import NotFound
from glimpse.domain.image import MemberStatus
from glimpse.domain.properties import NOTHING_KNOWN, KnownProperties, known_schemas
from glimpse.domain.tasks import TaskStatus, TaskType
from glimpse.jobs.report import JobStatus

Schema = dict[str, Any]


def show_schema(service: Service, call: Call) -> Response:
    """GET /v2/schemas/{name}"""
    makers = {
        "image": lambda: image_schema(service.catalog.attributes, service.catalog.known),
        "images": lambda: images_schema(service.catalog.attributes, service.catalog.known),
        "member": member_schema,
        "members": members_schema,
        "task": task_schema,
        "tasks": tasks_schema,
    }
    name = call.path["name"]
    if name not in makers:
        raise NotFound("schema", name)
    return json_response(makers[name]())


def image_schema(attributes: Mapping[str, Attribute], known: KnownProperties = NOTHING_KNOWN) -> Schema:
    """The schema of an image document, with the custom properties that are known."""
    base = {name: _attribute_schema(attribute) for name, attribute in attributes.items()}
    return {
        "name": "image",
        "properties": known_schemas(known) | base,
        "additionalProperties": {"type": "string"},
        "links": [
            {"rel": "self", "href": "{self}"},
            {"rel": "enclosure", "href": "{file}"},
            {"rel": "describedby", "href": "{schema}"},
        ],
    }


def images_schema(attributes: Mapping[str, Attribute], known: KnownProperties = NOTHING_KNOWN) -> Schema:
    """The schema of a page of images."""
    return {
        "name": "images",
        "properties": {
            "images": {"type": "array", "items": image_schema(attributes, known)},
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


def task_schema() -> Schema:
    """The schema of a task document."""
    details = {
        "input": {"type": ["null", "object"], "description": "What the task works on"},
        "result": {"type": ["null", "object"], "description": "What came of it"},
        "message": {"type": "string", "description": "Why it failed, or how far it is"},
    }
    return {"name": "task", "properties": {**_task_properties(), **details}}


def tasks_schema() -> Schema:
    """The schema of a page of tasks, whose entries lack input, result and message."""
    return {
        "name": "tasks",
        "properties": {
            "tasks": {"type": "array", "items": {"name": "task", "properties": _task_properties()}},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    }


def job_schema() -> Schema:
    """What a job document holds."""
    texts = ("id", "kind", "image_id")
    optional = {name: {"type": ["null", "string"]} for name in ("last_error", "worker", "due_at")}
    numbers = {name: {"type": "integer"} for name in ("bytes_done", "bytes_per_second", "attempts")}
    properties = {
        **{name: {"type": "string"} for name in texts},
        "status": {"type": "string", "enum": list(JobStatus)},
        **numbers,
        "bytes_total": {"type": ["null", "integer"]},
        **optional,
    }
    return {"type": "object", "properties": properties, "required": list(properties)}


def _task_properties() -> Schema:
    optional = ("image_id", "request_id", "user_id")
    return {
        "id": {"type": "string", "description": "An identifier for the task", "pattern": UUID_PATTERN},
        "type": {"type": "string", "description": "What is to be done", "enum": list(TaskType)},
        "status": {"type": "string", "description": "How far it is", "enum": list(TaskStatus)},
        "expires_at": {"type": ["null", "string"], "description": "When it is forgotten (UTC)"},
        **{name: {"type": ["null", "string"]} for name in optional},
        **{name: {"type": "string"} for name in ("owner", "created_at", "updated_at")},
        **{name: {"type": "string", "readOnly": True} for name in ("self", "schema")},
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
