"""The operations of the Image API v1, which are answered with `enable_v1_api`."""

from http import HTTPStatus

from glimpse.api.operations import Body, Operation, text_parameter
from glimpse.api.v1 import images, members

_S = HTTPStatus

_IMAGE = "/v1/images/{image_id}"
_MEMBERS = f"{_IMAGE}/members"
_MEMBER = f"{_MEMBERS}/{{member_id}}"

_LIST_QUERY = (
    text_parameter("limit", "Most images in the page"),
    text_parameter("marker", "Id of the image after which the page starts"),
    text_parameter("sort_key", "A key to sort by"),
    text_parameter("sort_dir", "A direction", "asc", "desc"),
    text_parameter("name", "Name"),
    text_parameter("status", "Status"),
    text_parameter("disk_format", "Disk format"),
    text_parameter("container_format", "Container format"),
    text_parameter("min_ram", "Memory needed, in MiB"),
    text_parameter("min_disk", "Disk needed, in GiB"),
    text_parameter("size_min", "Least size in bytes"),
    text_parameter("size_max", "Greatest size in bytes"),
    text_parameter("protected", "Whether the image is protected"),
    text_parameter("is_public", "For administrators: true, false, or none for all"),
    text_parameter("changes-since", "Only what was changed after this time, deleted images included"),
    text_parameter("deleted", "For administrators: true lists deleted images"),
    text_parameter("property-*", "Value of a custom property"),
)

_DATA_ERRORS = (
    _S.BAD_REQUEST,
    _S.FORBIDDEN,
    _S.CONFLICT,
    _S.GONE,
    _S.REQUEST_ENTITY_TOO_LARGE,
    _S.UNSUPPORTED_MEDIA_TYPE,
    _S.SERVICE_UNAVAILABLE,
)

OPERATIONS = (
    Operation(
        "GET",
        "/v1/images",
        "List images (v1)",
        images.list_images,
        body=Body.IGNORED,
        query=_LIST_QUERY,
        errors=(_S.BAD_REQUEST,),
    ),
    Operation(
        "GET",
        "/v1/images/detail",
        "List images in full (v1)",
        images.list_details,
        body=Body.IGNORED,
        query=_LIST_QUERY,
        errors=(_S.BAD_REQUEST,),
    ),
    Operation(
        "POST",
        "/v1/images",
        "Register an image, with or without its data (v1)",
        data_handler=images.create_image,
        body=Body.DATA,
        success=_S.CREATED,
        errors=_DATA_ERRORS,
    ),
    Operation(
        "HEAD",
        _IMAGE,
        "Show an image in headers (v1)",
        images.show_image,
        body=Body.IGNORED,
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "GET",
        _IMAGE,
        "Download an image (v1)",
        data_handler=images.download_image,
        body=Body.IGNORED,
        errors=(_S.FORBIDDEN, _S.NOT_FOUND, _S.SERVICE_UNAVAILABLE),
    ),
    Operation(
        "PUT",
        _IMAGE,
        "Change an image, or give it data (v1)",
        data_handler=images.change_image,
        body=Body.DATA,
        errors=(*_DATA_ERRORS, _S.NOT_FOUND),
    ),
    Operation(
        "DELETE",
        _IMAGE,
        "Delete an image (v1)",
        data_handler=images.delete_image,
        body=Body.IGNORED,
        errors=(_S.FORBIDDEN, _S.NOT_FOUND, _S.CONFLICT),
    ),
    Operation(
        "GET",
        _MEMBERS,
        "List the members of an image (v1)",
        members.list_members,
        body=Body.IGNORED,
        errors=(_S.NOT_FOUND,),
    ),
    Operation(
        "PUT",
        _MEMBERS,
        "Replace the members of an image (v1)",
        data_handler=members.replace_members,
        body=Body.DATA,
        success=_S.NO_CONTENT,
        errors=(_S.BAD_REQUEST, _S.FORBIDDEN, _S.NOT_FOUND, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation(
        "PUT",
        _MEMBER,
        "Share an image with a project (v1)",
        data_handler=members.add_member,
        body=Body.DATA,
        success=_S.NO_CONTENT,
        errors=(_S.BAD_REQUEST, _S.FORBIDDEN, _S.NOT_FOUND, _S.REQUEST_ENTITY_TOO_LARGE),
    ),
    Operation(
        "DELETE",
        _MEMBER,
        "Stop sharing an image with a project (v1)",
        members.remove_member,
        body=Body.IGNORED,
        success=_S.NO_CONTENT,
        errors=(_S.FORBIDDEN, _S.NOT_FOUND),
    ),
    Operation(
        "GET",
        "/v1/shared-images/{member_id}",
        "List the images that are shared with a project (v1)",
        members.list_shared_images,
        body=Body.IGNORED,
    ),
)
