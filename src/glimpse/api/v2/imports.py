"""Handlers: imports of data into images (Image API v2, "Image import")."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.requests import announced_size, read_data
from glimpse.api.service import Call, Service
from glimpse.api.v2.data import require_data_type
from glimpse.api.v2.documents import json_response
from glimpse.api.v2.images import no_content
from glimpse.domain.attributes import MAX_TEXT, check_text
from glimpse.domain.errors import Invalid, NotEnabled
from glimpse.imports.request import Method, Wanted, begin_import
from glimpse.imports.signed import seal_of_image
from glimpse.transfer.upload import stage


def show_import_methods(service: Service, call: Call) -> Response:
    """GET /v2/info/import"""
    del call
    methods = {
        "description": "Import methods available.",
        "type": "array",
        "value": [method.value for method in service.imports.methods],
    }
    return json_response({"import-methods": methods})


async def stage_image(service: Service, call: Call, request: Request) -> Response:
    """PUT /v2/images/{image_id}/stage"""
    if Method.GLANCE_DIRECT not in service.imports.methods:
        raise NotEnabled("import method glance-direct")
    require_data_type(call)
    await stage(
        service.transfer,
        call.caller,
        call.path["image_id"],
        read_data(request),
        size=announced_size(request),
        apart=any(step.transforms for step in service.imports.steps),
    )
    return no_content()


async def import_image(service: Service, call: Call, request: Request) -> Response:
    """POST /v2/images/{image_id}/import"""
    del request
    wanted = read_import(service, call)
    if "url" in wanted.source and wanted.method is Method.WEB_DOWNLOAD:
        service.imports.outbound.check_url(wanted.source["url"])
    seal = await seal_of_image(service.transfer, call.caller, call.path["image_id"], wanted)
    job = await service.transfer.threads.record(
        begin_import,
        service.catalog,
        service.transfer.stores,
        call.caller,
        call.path["image_id"],
        wanted,
        call.request_id,
        seal,
    )
    if job is not None:
        service.jobs.wake()
    return Response(status_code=HTTPStatus.ACCEPTED)


def read_import(service: Service, call: Call) -> Wanted:
    """What a request asks for. :raises Invalid: names the field that will not do."""
    body: Any = call.body
    described = body.get("method") if isinstance(body, dict) else None
    if not isinstance(described, dict) or not isinstance(described.get("name"), str):
        raise Invalid("method", "an object with a 'name' is expected")
    method = _method(service, described["name"])
    named = body.get("stores", [])
    if not isinstance(named, list) or not all(isinstance(name, str) for name in named):
        raise Invalid("stores", "an array of store names is expected")
    check_text("stores", ",".join(named), MAX_TEXT)
    return Wanted(
        method,
        tuple(named),
        call.headers.get("x-image-meta-store"),
        _flag(body, "all_stores", default=False),
        _flag(body, "all_stores_must_succeed", default=True),
        _source(call, method, described),
        body,
    )


def _method(service: Service, name: str) -> Method:
    enabled = service.imports.methods
    if name not in enabled:
        known = f"enabled are {', '.join(enabled)}" if enabled else "no method is"
        raise Invalid("method", f"'{name[:60]}' is not enabled: {known}")
    return Method(name)


def _flag(body: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise Invalid(name, "true or false is expected")
    return value


def _source(call: Call, method: Method, described: Mapping[str, Any]) -> Mapping[str, str]:
    match method:
        case Method.WEB_DOWNLOAD:
            return {"url": _text(described, "uri")}
        case Method.GLANCE_DOWNLOAD:
            return _remote(call, described)
        case _:
            return {}


def _remote(call: Call, described: Mapping[str, Any]) -> Mapping[str, str]:
    """Where an image of another Glance is, which the caller's catalogue of services knows."""
    region, image_id = (_text(described, name) for name in ("glance_region", "glance_image_id"))
    interface = _text({"glance_service_interface": "public", **described}, "glance_service_interface")
    try:
        UUID(image_id)
    except ValueError:
        # Clients (Tempest) look for these words.
        raise Invalid("glance_image_id", "the image id does not look like a UUID") from None
    for endpoint in call.caller.image_endpoints:
        if (endpoint.region, endpoint.interface) == (region, interface):
            base = endpoint.url.rstrip("/").removesuffix("/v2")
            return {"url": f"{base}/v2/images/{image_id}", "token": call.caller.token or ""}
    # As with Glance, the task tells that there is none.
    return {"url": ""}


def _text(described: Mapping[str, Any], name: str) -> str:
    value = described.get(name)
    if not isinstance(value, str) or not value:
        raise Invalid(name, "a string is expected")
    check_text(name, value, MAX_TEXT)
    return value
