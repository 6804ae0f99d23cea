"""The operations of the Image API v2, in the order of the API's description."""

from http import HTTPStatus

from glimpse.api.operations import Body, Operation, text_parameter
from glimpse.api.v2 import data, images, locations, members, metadef_routes, other_routes, schemas
from glimpse.api.v2.query import SORT_KEYS
from glimpse.domain.attributes import CONTAINER_FORMATS, DISK_FORMATS
from glimpse.domain.image import MemberStatus, Visibility
from glimpse.domain.status import ImageStatus

_S = HTTPStatus


_LIST_QUERY = (
    {
        "name": "limit",
        "in": "query",
        "description": "Most images in the page",
        "schema": {"type": "integer", "minimum": 0},
    },
    text_parameter("marker", "Id of the image after which the page starts"),
    text_parameter("sort", "Keys and directions: name:asc,created_at:desc"),
    text_parameter("sort_key", "A key to sort by; may be repeated", *SORT_KEYS),
    text_parameter("sort_dir", "A direction; may be repeated", "asc", "desc"),
    text_parameter("visibility", "Scope", *Visibility, "all"),
    text_parameter("member_status", "The caller's answer to shared images", *MemberStatus, "all"),
    text_parameter("owner", "Project that owns the image"),
    text_parameter("name", "Name; also in:a,b"),
    text_parameter("status", "Status; also in:a,b", *ImageStatus),
    text_parameter("disk_format", "Disk format; also in:a,b", *DISK_FORMATS),
    text_parameter("container_format", "Container format; also in:a,b", *CONTAINER_FORMATS),
    text_parameter("tag", "A tag; may be repeated, all must be there"),
    text_parameter("os_hidden", "Show hidden images instead", "true", "false"),
    text_parameter("protected", "Whether the image is protected", "true", "false"),
    text_parameter("created_at", "Time, or gt:, gte:, lt:, lte:, eq:, neq: and a time"),
    text_parameter("updated_at", "Time, or gt:, gte:, lt:, lte:, eq:, neq: and a time"),
    text_parameter("size_min", "Least size in bytes"),
    text_parameter("size_max", "Greatest size in bytes"),
)

_MEMBER_BODY = {
    "type": "object",
    "required": ["member"],
    "properties": {"member": {"type": "string", "minLength": 1, "maxLength": 255}},
}
_STATUS_BODY = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"type": "string", "enum": list(MemberStatus)}},
}

_LOCATION_BODY = {
    "type": "object",
    "required": ["url"],
    "properties": {
        "url": {"type": "string"},
        "validation_data": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "os_hash_algo": {"type": "string", "enum": list(locations.ALGORITHMS)},
                "os_hash_value": {"type": "string", "maxLength": 128},
            },
        },
    },
}

_IMAGE = "/v2/images/{image_id}"
_MEMBER = f"{_IMAGE}/members/{{member_id}}"

OPERATIONS = (
    Operation(
        "GET",
        "/v2/images",
        "List images",
        images.list_images,
        body=Body.IGNORED,
        result="images",
        query=_LIST_QUERY,
        errors=(_S.BAD_REQUEST,),
    ),
    Operation(
        "POST",
        "/v2/images",
        "Register an image",
        images.create_image,
        body=Body.JSON,
        success=_S.CREATED,
        result="image",
        errors=(_S.BAD_REQUEST, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation("GET", _IMAGE, "Show an image", images.show_image, result="image", errors=(_S.NOT_FOUND,)),
    Operation(
        "PATCH",
        _IMAGE,
        "Change an image",
        data_handler=images.edit_image,
        body=Body.PATCH,
        result="image",
        errors=(
            _S.BAD_REQUEST,
            _S.NOT_FOUND,
            _S.CONFLICT,
            _S.REQUEST_ENTITY_TOO_LARGE,
            _S.UNSUPPORTED_MEDIA_TYPE,
        ),
    ),
    Operation(
        "DELETE",
        _IMAGE,
        "Delete an image",
        data_handler=images.delete_image,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND, _S.CONFLICT),
    ),
    Operation(
        "PUT",
        f"{_IMAGE}/file",
        "Upload the data of an image",
        data_handler=data.upload_data,
        body=Body.DATA,
        success=_S.NO_CONTENT,
        errors=(
            _S.BAD_REQUEST,
            _S.NOT_FOUND,
            _S.CONFLICT,
            _S.GONE,
            _S.REQUEST_ENTITY_TOO_LARGE,
            _S.UNSUPPORTED_MEDIA_TYPE,
            _S.SERVICE_UNAVAILABLE,
        ),
    ),
    Operation(
        "GET",
        f"{_IMAGE}/file",
        "Download the data of an image, or a range of it",
        data_handler=data.download_data,
        result="data",
        query=(text_parameter("prefer", "Stores to read from, if the image is there: a,b"),),
        errors=(
            _S.NO_CONTENT,
            _S.PARTIAL_CONTENT,
            _S.NOT_MODIFIED,
            _S.BAD_REQUEST,
            _S.NOT_FOUND,
            _S.REQUESTED_RANGE_NOT_SATISFIABLE,
            _S.SERVICE_UNAVAILABLE,
        ),
    ),
    Operation(
        "GET",
        f"{_IMAGE}/locations",
        "List the places of the data of an image, for services",
        locations.list_locations,
        result="locations",
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "POST",
        f"{_IMAGE}/locations",
        "Give a queued image the place of its data",
        data_handler=locations.add_location,
        body=Body.JSON,
        request_schema=_LOCATION_BODY,
        success=_S.ACCEPTED,
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND, _S.CONFLICT),
    ),
    Operation(
        "POST",
        f"{_IMAGE}/actions/deactivate",
        "Make the data of an image unreadable",
        images.deactivate_image,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND, _S.CONFLICT),
    ),
    Operation(
        "POST",
        f"{_IMAGE}/actions/reactivate",
        "Make the data of an image readable again",
        images.reactivate_image,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND, _S.CONFLICT),
    ),
    Operation(
        "PUT",
        f"{_IMAGE}/tags/{{tag}}",
        "Attach a tag",
        images.add_tag,
        success=_S.NO_CONTENT,
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation(
        "DELETE",
        f"{_IMAGE}/tags/{{tag}}",
        "Detach a tag",
        images.remove_tag,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND, _S.CONFLICT),
    ),
    Operation(
        "GET",
        f"{_IMAGE}/members",
        "List the members of a shared image",
        members.list_members,
        result="members",
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "POST",
        f"{_IMAGE}/members",
        "Share an image with a project",
        members.add_member,
        body=Body.JSON,
        request_schema=_MEMBER_BODY,
        result="member",
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND, _S.CONFLICT, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation("GET", _MEMBER, "Show a member", members.show_member, result="member", errors=(_S.NOT_FOUND,)),
    Operation(
        "PUT",
        _MEMBER,
        "Accept or reject a shared image",
        members.update_member,
        body=Body.JSON,
        request_schema=_STATUS_BODY,
        result="member",
        errors=(_S.BAD_REQUEST, _S.NOT_FOUND, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation(
        "DELETE",
        _MEMBER,
        "Stop sharing an image with a project",
        members.remove_member,
        success=_S.NO_CONTENT,
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "GET",
        "/v2/schemas/{name}",
        "Show a JSON schema: image, images, member, members",
        schemas.show_schema,
        result="schema",
        errors=(_S.NOT_FOUND,),
    ),
    *metadef_routes.OPERATIONS,
    *other_routes.OPERATIONS,
)
