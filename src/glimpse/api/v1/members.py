"""Handlers: the projects that an image is shared with (Image API v1).

Sharing on, as members could whose `can_share` was set, is what the rules of policy leave to the owner: the
flag is always false here (decision 018).
"""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.requests import read_json
from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.catalog import images, members
from glimpse.catalog.catalog import Catalog, check_count
from glimpse.domain.attributes import MAX_NAME, check_text
from glimpse.domain.errors import Duplicate, Forbidden, Invalid
from glimpse.domain.image import Visibility


def list_members(service: Service, call: Call) -> Response:
    """GET /v1/images/{image_id}/members"""
    catalog, caller, image_id = service.catalog, call.caller, call.path["image_id"]
    shared = images.show(catalog, caller, image_id).visibility is Visibility.SHARED
    found = members.list_members(catalog, caller, image_id) if shared else []
    return json_response({"members": [{"member_id": one.member_id, "can_share": False} for one in found]})


async def replace_members(service: Service, call: Call, request: Request) -> Response:
    """PUT /v1/images/{image_id}/members"""
    wanted = _read_memberships(await read_json(request))
    await service.transfer.threads.record(_replace, service.catalog, call, wanted)
    return _nothing()


def _read_memberships(body: object) -> dict[str, None]:
    """The members that a document names, in order."""
    rows = body.get("memberships") if isinstance(body, dict) else None
    if not isinstance(rows, list):
        raise Invalid("memberships", "a list of objects is expected")
    names: dict[str, None] = {}
    for row in rows:
        if not isinstance(row, dict) or not isinstance(row.get("member_id"), str):
            raise Invalid("memberships", "each must be an object with a 'member_id'")
        _refuse_sharing_on(row)
        names[_check_name(row["member_id"])] = None
    return names


def _replace(catalog: Catalog, call: Call, wanted: dict[str, None]) -> None:
    image_id = call.path["image_id"]
    check_count("image_member_quota", catalog.limits.image_member_quota, len(wanted))
    present = {one.member_id for one in members.list_members(catalog, call.caller, image_id)}
    for name in present - wanted.keys():
        members.remove_member(catalog, call.caller, image_id, name)
    for name in wanted:
        if name not in present:
            members.add_member(catalog, call.caller, image_id, name)


async def add_member(service: Service, call: Call, request: Request) -> Response:
    """PUT /v1/images/{image_id}/members/{member_id}"""
    if call.headers.get("content-length", "0") != "0" or "transfer-encoding" in call.headers:
        body = await read_json(request)
        member = body.get("member") if isinstance(body, dict) else None
        if not isinstance(member, dict):
            raise Invalid("member", "an object is expected")
        _refuse_sharing_on(member)
    await service.transfer.threads.record(_add, service.catalog, call)
    return _nothing()


def _add(catalog: Catalog, call: Call) -> None:
    name = _check_name(call.path["member_id"])
    try:
        members.add_member(catalog, call.caller, call.path["image_id"], name)
    except Duplicate:
        # This API sets what shall be, and that is so.
        return


def _refuse_sharing_on(row: dict[str, object]) -> None:
    value = row.get("can_share", False)
    if not isinstance(value, bool):
        raise Invalid("can_share", "true or false is expected")
    if value:
        raise Forbidden("Members cannot be allowed to share an image with others.")


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
    return json_response({"shared_images": [{"image_id": one.id, "can_share": False} for one in found]})


def _nothing() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)
