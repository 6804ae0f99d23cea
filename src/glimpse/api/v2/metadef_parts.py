"""Handlers: the objects, properties and tags in namespaces of metadata definitions."""

from http import HTTPStatus

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.api.v2.images import no_content
from glimpse.api.v2.metadef_documents import Document, object_document, property_document, tag_document
from glimpse.api.v2.metadef_query import check_object_query, read_tag_query, resource_type_of
from glimpse.catalog import metadef_parts
from glimpse.domain.metadef_documents import read_part, read_tag, read_tags, shown
from glimpse.domain.metadefs import Part, PartKind

_TRUE = ("true", "t", "yes", "y", "on", "1")


def list_objects(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/objects"""
    check_object_query(call.query, service.catalog.limits)
    documents = [_document(call, part) for part in _parts(service, call, PartKind.OBJECT)]
    # Without a slash in front, as clients know it.
    return json_response({"objects": documents, "schema": "v2/schemas/metadefs/objects"})


def create_object(service: Service, call: Call) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/objects"""
    return _create(service, call, read_part(PartKind.OBJECT, call.body))


def show_object(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/objects/{object_name}"""
    return _show(service, call, PartKind.OBJECT)


def replace_object(service: Service, call: Call) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}/objects/{object_name}"""
    return _replace(service, call, PartKind.OBJECT)


def delete_object(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/objects/{object_name}"""
    return _delete(service, call, PartKind.OBJECT)


def delete_objects(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/objects"""
    return _delete_all(service, call, PartKind.OBJECT)


def list_properties(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/properties"""
    found = _parts(service, call, PartKind.PROPERTY)
    return json_response({"properties": {part.name: shown(part.schema) for part in found}})


def create_property(service: Service, call: Call) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/properties"""
    return _create(service, call, read_part(PartKind.PROPERTY, call.body))


def show_property(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/properties/{property_name}"""
    part = metadef_parts.show_property(
        service.catalog,
        call.caller,
        call.path["namespace"],
        call.path["property_name"],
        resource_type_of(call.query),
    )
    return json_response(property_document(part))


def replace_property(service: Service, call: Call) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}/properties/{property_name}"""
    return _replace(service, call, PartKind.PROPERTY)


def delete_property(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/properties/{property_name}"""
    return _delete(service, call, PartKind.PROPERTY)


def delete_properties(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/properties"""
    return _delete_all(service, call, PartKind.PROPERTY)


def list_tags(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/tags"""
    query = read_tag_query(call.query, service.catalog.limits)
    tags = metadef_parts.page_tags(service.catalog, call.caller, call.path["namespace"], query)
    return json_response(_names(tags))


def create_tags(service: Service, call: Call) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/tags"""
    tags = read_tags(call.body)
    append = call.headers.get("x-openstack-append", "").strip().lower() in _TRUE
    metadef_parts.add_tags(service.catalog, call.caller, call.path["namespace"], tags, append=append)
    return json_response(_names(tags), HTTPStatus.CREATED)


def create_tag(service: Service, call: Call) -> Response:
    """POST /v2/metadefs/namespaces/{namespace}/tags/{tag_name}"""
    return _create(service, call, read_tag(call.path["tag_name"]))


def show_tag(service: Service, call: Call) -> Response:
    """GET /v2/metadefs/namespaces/{namespace}/tags/{tag_name}"""
    return _show(service, call, PartKind.TAG)


def replace_tag(service: Service, call: Call) -> Response:
    """PUT /v2/metadefs/namespaces/{namespace}/tags/{tag_name}"""
    return _replace(service, call, PartKind.TAG)


def delete_tag(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/tags/{tag_name}"""
    return _delete(service, call, PartKind.TAG)


def delete_tags(service: Service, call: Call) -> Response:
    """DELETE /v2/metadefs/namespaces/{namespace}/tags"""
    return _delete_all(service, call, PartKind.TAG)


def _parts(service: Service, call: Call, kind: PartKind) -> list[Part]:
    return metadef_parts.parts(service.catalog, call.caller, call.path["namespace"], kind)


def _create(service: Service, call: Call, wanted: Part) -> Response:
    part = metadef_parts.add(service.catalog, call.caller, call.path["namespace"], wanted)
    return json_response(_document(call, part), HTTPStatus.CREATED)


def _show(service: Service, call: Call, kind: PartKind) -> Response:
    namespace, name = call.path["namespace"], _name(call, kind)
    return json_response(
        _document(call, metadef_parts.show(service.catalog, call.caller, namespace, kind, name))
    )


def _replace(service: Service, call: Call, kind: PartKind) -> Response:
    wanted = read_part(kind, call.body)
    namespace, name = call.path["namespace"], _name(call, kind)
    part = metadef_parts.change(service.catalog, call.caller, namespace, name, wanted)
    return json_response(_document(call, part))


def _delete(service: Service, call: Call, kind: PartKind) -> Response:
    namespace, name = call.path["namespace"], _name(call, kind)
    metadef_parts.delete(service.catalog, call.caller, namespace, kind, name)
    return no_content()


def _delete_all(service: Service, call: Call, kind: PartKind) -> Response:
    metadef_parts.delete_all(service.catalog, call.caller, call.path["namespace"], kind)
    return no_content()


def _name(call: Call, kind: PartKind) -> str:
    return call.path[f"{kind}_name"]


def _document(call: Call, part: Part) -> Document:
    match part.kind:
        case PartKind.OBJECT:
            return object_document(call.path["namespace"], part)
        case PartKind.PROPERTY:
            return property_document(part)
        case PartKind.TAG:
            return tag_document(part)


def _names(tags: list[Part]) -> Document:
    return {"tags": [{"name": tag.name} for tag in tags]}
