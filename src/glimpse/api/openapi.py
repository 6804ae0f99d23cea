"""The OpenAPI 3.1 description of the service, made from its operations, and a page to read it."""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from importlib.resources import files
from typing import Any

from glimpse import __version__
from glimpse.api.operations import PATCH_TYPES, Body, Operation
from glimpse.api.v2.metadef_openapi import components as metadef_components
from glimpse.api.v2.schemas import image_schema, job_schema, member_schema, task_schema
from glimpse.domain.attributes import Attribute

# Every operation may answer these.
COMMON_ERRORS = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_VARIABLE = re.compile(r"{(\w+)}")


def openapi_document(operations: Sequence[Operation], attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    """The description of a service that offers `operations` on images with these attributes."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Glimpse",
            "version": __version__,
            "description": "An image service that speaks the OpenStack Image API v2.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(attributes),
            "securitySchemes": {"basic": {"type": "http", "scheme": "basic"}},
        },
        "security": [{"basic": []}],
    }


def reading_page() -> str:
    """A page that shows the description; it needs nothing from anywhere else."""
    return files("glimpse.api").joinpath("openapi.html").read_text(encoding="utf-8")


def _operation(operation: Operation) -> dict[str, Any]:
    handler = operation.handler or operation.data_handler
    document: dict[str, Any] = {
        "operationId": getattr(handler, "__name__", operation.summary),
        "summary": operation.summary,
        "parameters": [*map(_path_parameter, _VARIABLE.findall(operation.path)), *operation.query],
        "responses": _responses(operation),
    }
    if content := _request_content(operation):
        document["requestBody"] = {"required": True, "content": content}
    return document


def _path_parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}


def _request_content(operation: Operation) -> dict[str, Any]:
    match operation.body:
        case Body.JSON:
            schema = operation.request_schema or {"$ref": "#/components/schemas/NewImage"}
            return {"application/json": {"schema": schema}}
        case Body.PATCH:
            return dict(
                zip(
                    PATCH_TYPES,
                    (
                        {"schema": {"$ref": "#/components/schemas/OlderPatch"}},
                        {"schema": {"$ref": "#/components/schemas/Patch"}},
                    ),
                    strict=True,
                )
            )
        case Body.DATA:
            return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {}


def _responses(operation: Operation) -> dict[str, Any]:
    statuses = {operation.success, *operation.errors, *COMMON_ERRORS}
    responses = {str(status.value): {"description": status.phrase} for status in sorted(statuses)}
    responses[str(operation.success.value)] |= _result(operation.result)
    return responses


def _result(result: str | None) -> dict[str, Any]:
    if result is None:
        return {}
    if result == "data":
        return {"content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}}
    name = result.capitalize()
    return {"content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}}


def _schemas(attributes: Mapping[str, Attribute]) -> dict[str, Any]:
    image = image_schema(attributes)
    writable = {name: schema for name, schema in image["properties"].items() if not schema.get("readOnly")}
    writable.pop("locations", None)
    shown = {"type": "object", "properties": image["properties"], "required": ["id", "status"]}
    member = {"type": "object", "properties": member_schema()["properties"]}
    return {
        "Image": shown,
        "NewImage": {
            "type": "object",
            "properties": writable,
            "additionalProperties": {"type": "string"},
        },
        "Images": _list_schema("images", "Image"),
        "Member": member,
        "Members": _list_schema("members", "Member"),
        "Task": {"type": "object", "properties": task_schema()["properties"]},
        "Tasks": _list_schema("tasks", "Task"),
        "Job": job_schema(),
        "Jobs": {
            "type": "object",
            "properties": {"jobs": {"type": "array", "items": {"$ref": "#/components/schemas/Job"}}},
            "required": ["jobs", "first"],
        },
        "Locations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"url": {"type": "string"}, "metadata": {"type": "object"}},
                "required": ["url", "metadata"],
            },
        },
        "Schema": {"type": "object"},
        **metadef_components(),
        "Patch": _patch_schema({"op": {"enum": ["add", "replace", "remove"]}, "path": {"type": "string"}}),
        "OlderPatch": _patch_schema({name: {"type": "string"} for name in ("add", "replace", "remove")}),
    }


def _list_schema(name: str, item: str) -> dict[str, Any]:
    items = {"type": "array", "items": {"$ref": f"#/components/schemas/{item}"}}
    return {"type": "object", "properties": {name: items}, "required": [name, "schema"]}


def _patch_schema(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": {"type": "object", "properties": {**properties, "value": {}}}}
