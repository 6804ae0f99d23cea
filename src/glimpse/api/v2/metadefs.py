"""Handlers: namespaces of metadata definitions, types of resource, and their schemas."""

from dataclasses import replace
from http import HTTPStatus

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.api.v2.images import no_content
from glimpse.api.v2.metadef_documents import (
    association_document,
    definition_document,
    namespace_document,
    namespace_path,
    resource_type_document,
)
from glimpse.api.v2.metadef_query import page_path, read_namespace_query, resource_type_of
from glimpse.catalog import metadefs
from glimpse.domain.errors import NotFound
from glimpse.domain.metadef_documents import read_association, read_namespace
from glimpse.domain.metadef_schemas import METADEF_SCHEMAS


def list_namespaces(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces"""
    query, marker = read_namespace_query(call.query, service.catalog.limits)
    if marker is not None:
        query = replace(query, marker=metadefs.find_namespace(service.catalog, call.caller, marker))
    page = metadefs.page(service.catalog, call.caller, query)
    document: dict[str, object] = {"namespaces": [namespace_document(item) for item in page.namespaces]}
    if page.next_marker is not None:
        document["next"] = page_path(call.query, page.next_marker)
    document |= {"schema": "/v2/schemas/metadefs/namespaces", "first": page_path(call.query, None)}
    return json_response(document)


def create_namespace(service: Service, call: Call) -> Response:
    """POST /v2/metadefs/namespaces"""
    wanted = read_namespace(call.body, call.caller.project_id)
    definition = metadefs.create(service.catalog, call.caller, wanted)
    response = json_response(definition_document(definition), HTTPStatus.CREATED)
    response.headers["Location"] = f"{call.base_url}{namespace_path(definition.namespace.namespace)}"
    return response


def show_namespace(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}"""
    resource_type = resource_type_of(call.query)
    definition = metadefs.show(service.catalog, call.caller, call.path["namespace"], resource_type)
    return json_response(definition_document(definition))


def replace_namespace(service: Service, call: Call) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}"""
    wanted = read_namespace(call.body, call.caller.project_id).namespace
    changed = metadefs.change(service.catalog, call.caller, call.path["namespace"], wanted)
    return json_response(namespace_document(replace(changed, associations=())))


def delete_namespace(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}"""
    metadefs.delete(service.catalog, call.caller, call.path["namespace"])
    return no_content()


def list_resource_types(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/resource_types"""
    found = metadefs.resource_types(service.catalog, call.caller)
    return json_response({"resource_types": [resource_type_document(item) for item in found]})


def list_associations(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/resource_types"""
    found = metadefs.associations(service.catalog, call.caller, call.path["namespace"])
    return json_response({"resource_type_associations": [association_document(item) for item in found]})


def add_association(service: Service, call: Call) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/resource_types"""
    wanted = read_association(call.body)
    association = metadefs.associate(service.catalog, call.caller, call.path["namespace"], wanted)
    return json_response(association_document(association), HTTPStatus.CREATED)


def remove_association(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/resource_types/{resource_type}"""
    metadefs.dissociate(service.catalog, call.caller, call.path["namespace"], call.path["resource_type"])
    return no_content()


def show_metadef_schema(service: Service, call: Call) -> Response:
    """GET /v2/schemas/metadefs/{name}"""
    del service
    schema = METADEF_SCHEMAS.get(call.path["name"])
    if schema is None:
        raise NotFound("schema", call.path["name"])
    return json_response(schema)
