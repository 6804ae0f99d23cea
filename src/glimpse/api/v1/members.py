"""Handlers: the projects that an image is shared with (Image API v1)."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.requests import read_json
from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.catalog import images, members
from glimpse.catalog.catalog import Catalog, check_count
from glimpse.domain.attributes import MAX_NAME, check_text
from glimpse.domain.errors import Duplicate, Invalid
from glimpse.domain.image import Visibility


def list_members(service: Service, call: Call) -> Response:
    """GET /v1/images/{image_id}/members"""
    catalog, caller, image_id = service.catalog, call.caller, call.path["image_id"]
    shared = images.show(catalog, caller, image_id).visibility is Visibility.SHARED
    found = members.list_members(catalog, caller, image_id) if shared else []
    return json_response(
        {"members": [{"member_id": one.member_id, "can_share": one.can_share} for one in found]}
    )


async def replace_members(service: Service, call: Call, request: Request) -> Response:
    """PUT /v1/images/{image_id}/members"""
    wanted = _read_memberships(await read_json(request))
    await service.transfer.threads.record(_replace, service.catalog, call, wanted)
    return _nothing()


def _read_memberships(body: object) -> dict[str, bool | None]:
    """The members that a document names, in order, and whether they may share."""
    rows = body.get("memberships") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise Invalid("memberships", "a list of objects is expected")
    wanted: dict[str, bool | None] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("member_id"), str):
            raise Invalid("memberships", "each must be an object with a 'member_id'")
        wanted[_check_name(row["member_id"])] = _read_can_share(row)
    return wanted


def _replace(catalog: Catalog, call: Call, wanted: dict[str, bool | None]) -> None:
    image_id = call.path["image_id"]
    check_count("image_member_quota", catalog.limits.image_member_quota, len(wanted))
    present = {one.member_id for one in members.list_members(catalog, call.caller, image_id)}
    for name in present - wanted.keys():
        members.remove_member(catalog, call.caller, image_id, name)
    for name, can_share in wanted.items():
        _set(catalog, call, name, can_share)


async def add_member(service: Service, call: Call, request: Request) -> Response:
    """PUT /v1/images/{image_id}/members/{member_id}"""
    name, can_share = _check_name(call.path["member_id"]), None
    if call.headers.get("content-length", "0") != "0" or "transfer-encoding" in call.headers:
        body = await read_json(request)
        member = body.get("member") if isinstance(body, dict) else None
        if not isinstance(member, dict):
            raise Invalid("member", "an object is expected")
        can_share = _read_can_share(member)
    await service.transfer.threads.record(_set, service.catalog, call, name, can_share)
    return _nothing()


def _set(catalog: Catalog, call: Call, name: str, can_share: bool | None) -> None:
    """Make a project a member that may share or not; None leaves that as it is."""
    image_id = call.path["image_id"]
    try:
        members.add_member(catalog, call.caller, image_id, name, can_share=bool(can_share))
    except Duplicate:
        if can_share is not None:
            members.let_share(catalog, call.caller, image_id, name, can_share=can_share)


def _read_can_share(row: dict[str, object]) -> bool | None:
    value = row.get("can_share")
    if value is not None and not isinstance(value, bool):
        raise Invalid("can_share", "true or false is expected")
    return value


def _check_name(name: str) -> str:
    if not name:
        raise Invalid("member_id", "it is empty")
    check_text("member_id", name, MAX_NAME)
    return name


def remove_member(service: Service, call: Call) -> Response:
    """DELETE /v1/images/{image_id}/members/{member_id}"""
    members.remove_member(service.catalog, call.caller, call.path["image_id"], call.path["member_id"])
    return _nothing()


def list_shared_images(service: Service, call: Call) -> Response:
    """GET /v1/shared-images/{member_id}"""
    member_id = _check_name(call.path["member_id"])
    found = members.shared_with(service.catalog, call.caller, member_id)
    return json_response(
        {"shared_images": [{"image_id": one.id, "can_share": sharing} for one, sharing in found]}
    )


def _nothing() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)
