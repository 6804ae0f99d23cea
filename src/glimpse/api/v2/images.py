"""Handlers: images, their tags, and the actions on them."""

from dataclasses import replace
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import image_document, json_response, read_draft
from glimpse.api.v2.patch import as_change, read_steps
from glimpse.api.v2.query import page_path, read_page_query
from glimpse.catalog import images
from glimpse.domain.attributes import check_tag
from glimpse.transfer.removal import remove


def create_image(service: Service, call: Call) -> Response:
    """POST /v2/images"""
    draft = read_draft(service.catalog.attributes, call.body, service.catalog.known)
    image = images.create(service.catalog, call.caller, draft)
    response = json_response(image_document(image), HTTPStatus.CREATED)
    response.headers["Location"] = f"{call.base_url}/v2/images/{image.id}"
    if service.import_methods:
        response.headers["OpenStack-image-import-methods"] = ",".join(service.import_methods)
    return response


def list_images(service: Service, call: Call) -> Response:
    """GET /v2/images"""
    query, marker_id = read_page_query(call.query, service.catalog.limits)
    if marker_id is not None:
        query = replace(query, marker=images.find_marker(service.catalog, call.caller, marker_id))
    page = images.page(service.catalog, call.caller, query)
    document: dict[str, object] = {
        "images": [image_document(image) for image in page.images],
        "first": page_path(call.query, None),
        "schema": "/v2/schemas/images",
    }
    if page.next_marker is not None:
        document["next"] = page_path(call.query, page.next_marker)
    return json_response(document)


def show_image(service: Service, call: Call) -> Response:
    """GET /v2/images/{image_id}"""
    return json_response(image_document(images.show(service.catalog, call.caller, call.path["image_id"])))


def edit_image(service: Service, call: Call) -> Response:
    """PATCH /v2/images/{image_id}"""
    steps = read_steps(*call.body)
    changes = [as_change(service.catalog, call.caller, step) for step in steps]
    image = images.edit(service.catalog, call.caller, call.path["image_id"], changes)
    return json_response(image_document(image))


async def delete_image(service: Service, call: Call, request: Request) -> Response:
    """DELETE /v2/images/{image_id}"""
    del request
    transfer = service.transfer
    intents = await transfer.threads.record(
        images.delete, service.catalog, transfer.worker, call.caller, call.path["image_id"]
    )
    await remove(transfer, intents)
    return no_content()


def add_tag(service: Service, call: Call) -> Response:
    """PUT /v2/images/{image_id}/tags/{tag}"""
    images.add_tag(service.catalog, call.caller, call.path["image_id"], check_tag(call.path["tag"]))
    return no_content()


def remove_tag(service: Service, call: Call) -> Response:
    """DELETE /v2/images/{image_id}/tags/{tag}"""
    images.remove_tag(service.catalog, call.caller, call.path["image_id"], call.path["tag"])
    return no_content()


def deactivate_image(service: Service, call: Call) -> Response:
    """POST /v2/images/{image_id}/actions/deactivate"""
    images.deactivate(service.catalog, call.caller, call.path["image_id"])
    return no_content()


def reactivate_image(service: Service, call: Call) -> Response:
    """POST /v2/images/{image_id}/actions/reactivate"""
    images.reactivate(service.catalog, call.caller, call.path["image_id"])
    return no_content()


def no_content() -> Response:
    """204, with the media type that upstream sends."""
    return Response(status_code=HTTPStatus.NO_CONTENT, media_type="text/html")
