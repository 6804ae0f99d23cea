"""Handlers: the members of a shared image."""

from http import HTTPStatus

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response, member_document
from glimpse.catalog import members
from glimpse.domain.attributes import MAX_NAME, check_text
from glimpse.domain.errors import Invalid
from glimpse.domain.image import MemberStatus


def list_members(service: Service, call: Call) -> Response:
    """GET /v2/images/{image_id}/members"""
    found = members.list_members(service.catalog, call.caller, call.path["image_id"])
    documents = [member_document(member) for member in found]
    return json_response({"members": documents, "schema": "/v2/schemas/members"})


def add_member(service: Service, call: Call) -> Response:
    """POST /v2/images/{image_id}/members"""
    member_id = _text(call.body, "member")
    if not member_id:
        raise Invalid("member", "it is empty")
    check_text("member", member_id, MAX_NAME)
    member = members.add_member(service.catalog, call.caller, call.path["image_id"], member_id)
    return json_response(member_document(member))


def show_member(service: Service, call: Call) -> Response:
    """GET /v2/images/{image_id}/members/{member_id}"""
    member = members.show_member(service.catalog, call.caller, call.path["image_id"], call.path["member_id"])
    return json_response(member_document(member))


def update_member(service: Service, call: Call) -> Response:
    """PUT /v2/images/{image_id}/members/{member_id}"""
    status = _text(call.body, "status")
    if status not in list(MemberStatus):
        raise Invalid("status", f"'{status[:60]}' is not one of {', '.join(MemberStatus)}")
    member = members.answer(
        service.catalog, call.caller, call.path["image_id"], call.path["member_id"], MemberStatus(status)
    )
    return json_response(member_document(member))


def remove_member(service: Service, call: Call) -> Response:
    """DELETE /v2/images/{image_id}/members/{member_id}"""
    members.remove_member(service.catalog, call.caller, call.path["image_id"], call.path["member_id"])
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _text(document: object, name: str) -> str:
    if not isinstance(document, dict):
        raise Invalid("body", "a JSON object is expected")
    value = document.get(name)
    if not isinstance(value, str):
        raise Invalid(name, "a string is expected")
    return value
