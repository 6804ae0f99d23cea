"""The operations on metadata definitions, in the order of the API's description."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from glimpse.api.operations import Body, Operation, RecordHandler, text_parameter
from glimpse.api.v2 import metadef_parts, metadefs
from glimpse.api.v2.metadef_openapi import request_schema
from glimpse.api.v2.metadef_query import SORT_KEYS, TAG_SORT_KEYS, VISIBILITIES
from glimpse.domain import metadef_schemas as schemas

_S = HTTPStatus
_NAMESPACES = "/v2/metadefs/namespaces"
_NAMESPACE = f"{_NAMESPACES}/{{namespace}}"
_TYPES = f"{_NAMESPACE}/resource_types"
_OBJECTS = f"{_NAMESPACE}/objects"
_PROPERTIES = f"{_NAMESPACE}/properties"
_TAGS = f"{_NAMESPACE}/tags"
_OBJECT = f"{_OBJECTS}/{{object_name}}"
_PROPERTY = f"{_PROPERTIES}/{{property_name}}"
_TAG = f"{_TAGS}/{{tag_name}}"


def _paging(what: str, *sort_keys: str) -> tuple[Mapping[str, Any], ...]:
    return (
        {
            "name": "limit",
            "in": "query",
            "description": f"Most {what} in the page",
            "schema": {"type": "integer", "minimum": 0},
        },
        text_parameter("marker", "Name after which the page starts"),
        text_parameter("sort_key", "What to sort by", *sort_keys),
        text_parameter("sort_dir", "A direction", "desc", "asc"),
    )


def _get(
    path: str, summary: str, handler: RecordHandler, result: str, query: Sequence[Mapping[str, Any]] = ()
) -> Operation:
    return Operation("GET", path, summary, handler, result=result, query=query, errors=(_S.NOT_FOUND,))


def _post(
    path: str, summary: str, handler: RecordHandler, schema: schemas.Schema, result: str | None = None
) -> Operation:
    return Operation(
        "POST",
        path,
        summary,
        handler,
        body=Body.JSON,
        request_schema=request_schema(schema),
        success=_S.CREATED,
        result=result or schema["name"],
        errors=(_S.NOT_FOUND, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    )


def _put(
    path: str, summary: str, handler: RecordHandler, schema: schemas.Schema, result: str | None = None
) -> Operation:
    return Operation(
        "PUT",
        path,
        summary,
        handler,
        body=Body.JSON,
        request_schema=request_schema(schema),
        result=result or schema["name"],
        errors=(_S.NOT_FOUND, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    )


def _delete(path: str, summary: str, handler: RecordHandler) -> Operation:
    return Operation(
        "DELETE", path, summary, handler, success=_S.NO_CONTENT, errors=(_S.NOT_FOUND, _S.CONFLICT)
    )


_RESOURCE_TYPE = text_parameter("resource_type", "Show properties by their names on this type of resource")

OPERATIONS = (
    _get(
        _NAMESPACES,
        "List namespaces of metadata definitions",
        metadefs.list_namespaces,
        "namespaces",
        (
            *_paging("namespaces", *SORT_KEYS),
            text_parameter("visibility", "Scope", *VISIBILITIES),
            text_parameter("resource_types", "Types of resource, of which one must be associated: a,b"),
        ),
    ),
    _post(_NAMESPACES, "Add a namespace", metadefs.create_namespace, schemas.NAMESPACE),
    _get(_NAMESPACE, "Show a namespace", metadefs.show_namespace, "namespace", (_RESOURCE_TYPE,)),
    _put(_NAMESPACE, "Replace a namespace's fields", metadefs.replace_namespace, schemas.NAMESPACE),
    _delete(_NAMESPACE, "Delete a namespace", metadefs.delete_namespace),
    _get(_OBJECTS, "List the objects of a namespace", metadef_parts.list_objects, "objects"),
    _post(_OBJECTS, "Add an object", metadef_parts.create_object, schemas.OBJECT),
    _delete(_OBJECTS, "Delete all objects of a namespace", metadef_parts.delete_objects),
    _get(_OBJECT, "Show an object", metadef_parts.show_object, "object"),
    _put(_OBJECT, "Replace an object", metadef_parts.replace_object, schemas.OBJECT),
    _delete(_OBJECT, "Delete an object", metadef_parts.delete_object),
    _get(_PROPERTIES, "List the properties of a namespace", metadef_parts.list_properties, "properties"),
    _post(_PROPERTIES, "Add a property", metadef_parts.create_property, schemas.PROPERTY),
    _delete(_PROPERTIES, "Delete all properties of a namespace", metadef_parts.delete_properties),
    _get(_PROPERTY, "Show a property", metadef_parts.show_property, "property", (_RESOURCE_TYPE,)),
    _put(_PROPERTY, "Replace a property", metadef_parts.replace_property, schemas.PROPERTY),
    _delete(_PROPERTY, "Delete a property", metadef_parts.delete_property),
    _get(
        _TAGS,
        "List the tags of a namespace",
        metadef_parts.list_tags,
        "tags",
        _paging("tags", *TAG_SORT_KEYS),
    ),
    _post(_TAGS, "Add tags, or replace all tags", metadef_parts.create_tags, schemas.NEW_TAGS, "tags"),
    _delete(_TAGS, "Delete all tags of a namespace", metadef_parts.delete_tags),
    _get(_TAG, "Show a tag", metadef_parts.show_tag, "tag"),
    Operation(
        "POST",
        _TAG,
        "Add a tag",
        metadef_parts.create_tag,
        success=_S.CREATED,
        result="tag",
        errors=(_S.NOT_FOUND, _S.CONFLICT),
    ),
    _put(_TAG, "Rename a tag", metadef_parts.replace_tag, schemas.TAG),
    _delete(_TAG, "Delete a tag", metadef_parts.delete_tag),
    _get(
        "/v2/metadefs/resource_types",
        "List types of resource",
        metadefs.list_resource_types,
        "resource_types",
    ),
    _get(
        _TYPES,
        "List the resource types of a namespace",
        metadefs.list_associations,
        "resource_type_associations",
    ),
    _post(_TYPES, "Associate a resource type", metadefs.add_association, schemas.ASSOCIATION),
    _delete(f"{_TYPES}/{{resource_type}}", "End an association", metadefs.remove_association),
    _get(
        "/v2/schemas/metadefs/{name}",
        "Show a JSON schema of metadata definitions",
        metadefs.show_metadef_schema,
        "schema",
    ),
)
