"""Images and members as the API v1 shows them."""

from datetime import datetime

from starlette.responses import Response

from glimpse.api.v1.headers import meta_headers
from glimpse.api.v2.documents import json_response
from glimpse.domain.attributes import RESERVED_PREFIX
from glimpse.domain.image import Image, Visibility
from glimpse.domain.status import GONE, ImageStatus

# This API knows one word for all ways in which data comes in.
SAVING = (ImageStatus.SAVING, ImageStatus.UPLOADING, ImageStatus.IMPORTING)

_BRIEF = ("id", "name", "size", "disk_format", "container_format", "checksum")


def shown_status(image: Image) -> str:
    """The status in the words of this API."""
    return (ImageStatus.SAVING if image.status in SAVING else image.status).value


def fields_of(image: Image) -> dict[str, object]:
    """What is told of an image besides its properties. Never where it is."""
    return {
        "id": image.id,
        "name": image.name,
        "status": shown_status(image),
        "owner": image.owner,
        "size": image.size or 0,
        "virtual_size": image.virtual_size,
        "checksum": image.checksum,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "is_public": image.visibility is Visibility.PUBLIC,
        "protected": image.protected,
        "deleted": image.status in GONE,
        "created_at": _timestamp(image.created_at),
        "updated_at": _timestamp(image.updated_at),
        # A deletion is the last change of an image.
        "deleted_at": _timestamp(image.updated_at) if image.status in GONE else None,
    }


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def image_document(image: Image) -> dict[str, object]:
    """An image in full."""
    properties = {
        name: "" if value is None else value
        for name, value in image.properties.items()
        if not name.startswith(RESERVED_PREFIX)
    }
    return {**fields_of(image), "properties": properties}


def brief_document(image: Image) -> dict[str, object]:
    """An image in a list without details."""
    fields = fields_of(image)
    return {name: fields[name] for name in _BRIEF}


def image_headers(image: Image) -> dict[str, str]:
    """An image in headers."""
    return meta_headers(fields_of(image), image.properties) | _tag(image)


def image_response(image: Image, status: int) -> Response:
    """The answer to whoever registered or changed an image."""
    response = json_response({"image": image_document(image)}, status)
    response.headers.update(_tag(image))
    return response


def _tag(image: Image) -> dict[str, str]:
    return {"ETag": image.checksum} if image.checksum else {}
