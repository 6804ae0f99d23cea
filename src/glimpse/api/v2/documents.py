"""Documents: images and members as the API shows them, and as clients send them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson
from starlette.responses import Response

from glimpse.catalog.images import Draft
from glimpse.domain.attributes import Attribute, check_attribute, check_tags, check_writable
from glimpse.domain.errors import Forbidden, Invalid, ReadOnly
from glimpse.domain.image import Image, Member
from glimpse.domain.properties import NOTHING_KNOWN, KnownProperties, check_custom, check_required

# Written by the service, but accepted and ignored when a client sends them back.
_IGNORED_ON_CREATE = frozenset({"os_hash_algo", "os_hash_value"})

# Runtime properties that are nobody's business.
_HIDDEN = frozenset({"os_glance_stage_host", "os_glance_hash_op_host"})

NO_LOCATIONS: Mapping[str, Any] = {}


def timestamp(moment: datetime) -> str:
    """UTC seconds, as the API writes times."""
    return f"{moment.isoformat(timespec='seconds')}Z"


def image_document(image: Image, locations: Mapping[str, Any] = NO_LOCATIONS) -> dict[str, Any]:
    """An image as clients see it, with these fields about its locations; the order of keys is upstream's."""
    path = f"/v2/images/{image.id}"
    document: dict[str, Any] = {
        name: "" if value is None else value
        for name, value in image.properties.items()
        if name not in _HIDDEN
    }
    document.update(
        name=image.name,
        disk_format=image.disk_format,
        container_format=image.container_format,
        visibility=image.visibility.value,
        size=image.size,
        virtual_size=image.virtual_size,
        status=image.status.value,
        checksum=image.checksum,
        protected=image.protected,
        min_ram=image.min_ram,
        min_disk=image.min_disk,
        owner=image.owner,
        os_hidden=image.os_hidden,
        os_hash_algo=image.os_hash_algo,
        os_hash_value=image.os_hash_value,
        id=image.id,
        created_at=timestamp(image.created_at),
        updated_at=timestamp(image.updated_at),
        **locations,
        tags=sorted(image.tags),
        self=path,
        file=f"{path}/file",
        schema="/v2/schemas/image",
    )
    if "stores" in document:
        # The last key.
        document["stores"] = document.pop("stores")
    return document


def member_document(member: Member) -> dict[str, Any]:
    """A member as clients see it."""
    return {
        "member_id": member.member_id,
        "image_id": member.image_id,
        "status": member.status.value,
        "created_at": timestamp(member.created_at),
        "updated_at": timestamp(member.updated_at),
        "schema": "/v2/schemas/member",
    }


def json_response(document: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def read_draft(
    attributes: Mapping[str, Attribute], document: object, known: KnownProperties = NOTHING_KNOWN
) -> Draft:
    """The image that a client wants to create.

    :raises Invalid: not an object, or a value breaks a rule, or a property is missing that `known` requires.
    :raises ReadOnly, Reserved, Forbidden: names that clients may not set.
    """
    if not isinstance(document, dict):
        raise Invalid("body", "a JSON object is expected")
    for name in document:
        if name in attributes and attributes[name].read_only and attributes[name].derived:
            raise ReadOnly(name)
    base: dict[str, object] = {}
    properties: dict[str, str | None] = {}
    tags: frozenset[str] = frozenset()
    for name, value in document.items():
        attribute = attributes.get(name)
        if attribute is None:
            properties[name] = check_custom(known, name, value)
        elif name == "tags":
            tags = check_tags(value)
        elif name == "locations":
            raise Forbidden("Attribute 'locations' is reserved.")
        else:
            check_attribute(attribute, value)
            if name in _IGNORED_ON_CREATE:
                continue
            check_writable(attributes, name)
            base[name] = value
    check_required(known, properties.keys())
    return Draft(base, properties, tags)
