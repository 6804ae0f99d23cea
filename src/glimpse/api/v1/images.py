"""Handlers: images, their metadata and their data (Image API v1)."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.delivery import DATA_TYPE, deliver
from glimpse.api.service import Call, Service
from glimpse.api.v1.documents import brief_document, image_document, image_headers, image_response
from glimpse.api.v1.edits import read_changes, read_draft, require_formats
from glimpse.api.v1.headers import read_flag, read_meta
from glimpse.api.v1.query import read_page_query
from glimpse.api.v1.sources import Source, bring, read_source, require_open
from glimpse.api.v2 import images as current
from glimpse.api.v2.documents import json_response
from glimpse.catalog import images
from glimpse.catalog.catalog import seen_by
from glimpse.catalog.data import readable
from glimpse.domain.errors import Conflict, GlimpseError, NotFound
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus
from glimpse.transfer.download import Window

PURGE = "x-glance-registry-purge-props"


def list_images(service: Service, call: Call) -> Response:
    """GET /v1/images"""
    return _listed(service, call, brief_document)


def list_details(service: Service, call: Call) -> Response:
    """GET /v1/images/detail"""
    return _listed(service, call, image_document)


def _listed(service: Service, call: Call, document: Callable[[Image], dict[str, object]]) -> Response:
    catalog, caller = service.catalog, call.caller
    query, marker_id = read_page_query(call.query, catalog.limits, is_admin=caller.is_admin)
    if marker_id is not None:
        query = replace(
            query, marker=images.find_marker(catalog, caller, marker_id, deleted=query.deleted is None)
        )
    page = images.page(catalog, caller, query)
    return json_response({"images": [document(image) for image in page.images]})


def show_image(service: Service, call: Call) -> Response:
    """HEAD /v1/images/{image_id}"""
    image = images.show(service.catalog, call.caller, call.path["image_id"])
    return Response(headers=image_headers(image))


async def download_image(service: Service, call: Call, request: Request) -> Response:
    """GET /v1/images/{image_id}"""
    del request
    image, headers = await service.transfer.threads.record(_readable, service, call)
    size = image.size or 0
    if not image.locations and size == 0:
        return Response(headers=headers, media_type=DATA_TYPE)
    window = Window(0, size)
    response = await deliver(service, call.caller, image, window, HTTPStatus.OK, headers)
    if response is None:
        raise NotFound("data of an image", image.id)
    return response


def _readable(service: Service, call: Call) -> tuple[Image, dict[str, str]]:
    image = readable(service.catalog, call.caller, call.path["image_id"])
    if image.status not in (ImageStatus.ACTIVE, ImageStatus.DEACTIVATED):
        raise NotFound("active image", image.id)
    return image, {
        **image_headers(seen_by(service.catalog, call.caller)(image)),
        "Content-Type": DATA_TYPE,
    }


async def create_image(service: Service, call: Call, request: Request) -> Response:
    """POST /v1/images"""
    catalog, record = service.catalog, service.transfer.threads.record
    meta = read_meta(call.headers.items(), catalog.attributes)
    source = read_source(service, call, meta)
    draft = read_draft(catalog, meta, reserving=source is Source.NOTHING)
    if source is not Source.NOTHING:
        require_formats(draft)
    image = await record(images.create, catalog, call.caller, draft)
    try:
        await bring(service, call, request, image, meta, source)
    except GlimpseError:
        with suppress(NotFound, Conflict):
            await record(images.kill, catalog, image.id)
        raise
    shown = await record(images.show, catalog, call.caller, image.id)
    response = image_response(shown, HTTPStatus.CREATED)
    response.headers["Location"] = f"{call.base_url}/v1/images/{image.id}"
    return response


async def change_image(service: Service, call: Call, request: Request) -> Response:
    """PUT /v1/images/{image_id}"""
    catalog, record, image_id = service.catalog, service.transfer.threads.record, call.path["image_id"]
    meta = read_meta(call.headers.items(), catalog.attributes)
    source = read_source(service, call, meta)
    # What is not asked for goes, unless the request is about data.
    purge = read_flag(PURGE, call.headers.get(PURGE) or str(source is Source.NOTHING))
    changes = read_changes(catalog, call.caller, meta, purge=purge)
    require_open(await record(images.show, catalog, call.caller, image_id), source)
    image = await record(images.edit, catalog, call.caller, image_id, changes)
    if source is not Source.NOTHING:
        await bring(service, call, request, image, meta, source)
        image = await record(images.show, catalog, call.caller, image_id)
    return image_response(image, HTTPStatus.OK)


async def delete_image(service: Service, call: Call, request: Request) -> Response:
    """DELETE /v1/images/{image_id}"""
    await current.delete_image(service, call, request)
    return Response()
