"""Handlers: images, their tags, and the actions on them."""

from dataclasses import replace
from http import HTTPStatus
from itertools import chain, islice

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import image_document, json_response, read_draft
from glimpse.api.v2.locations import location_fields
from glimpse.api.v2.patch import Step, as_change, read_offers, read_steps
from glimpse.api.v2.query import page_path, read_page_query
from glimpse.catalog import images
from glimpse.catalog.locations import change_locations
from glimpse.catalog.ports import Intent
from glimpse.domain.attributes import check_tag
from glimpse.domain.errors import Forbidden
from glimpse.transfer.locations import survey
from glimpse.transfer.removal import remove


def create_image(service: Service, call: Call) -> Response:
    """POST /v2/images"""
    draft = read_draft(service.catalog.attributes, call.body, service.catalog.known)
    image = images.create(service.catalog, call.caller, draft)
    fields = location_fields(service, call.caller, image)
    response = json_response(image_document(image, fields), HTTPStatus.CREATED)
    response.headers["Location"] = f"{call.base_url}/v2/images/{image.id}"
    if service.imports.methods:
        response.headers["OpenStack-image-import-methods"] = ",".join(service.imports.methods)
    if service.transfer.stores.several:
        response.headers["OpenStack-image-store-ids"] = ",".join(service.transfer.stores.by_id)
    return response


def list_images(service: Service, call: Call) -> Response:
    """GET /v2/images"""
    query, marker_id = read_page_query(call.query, service.catalog.limits)
    if marker_id is not None:
        query = replace(query, marker=images.find_marker(service.catalog, call.caller, marker_id))
    page = images.page(service.catalog, call.caller, query)
    document: dict[str, object] = {
        "images": [
            image_document(image, location_fields(service, call.caller, image)) for image in page.images
        ],
        "first": page_path(call.query, None),
        "schema": "/v2/schemas/images",
    }
    if page.next_marker is not None:
        document["next"] = page_path(call.query, page.next_marker)
    return json_response(document)


def show_image(service: Service, call: Call) -> Response:
    """GET /v2/images/{image_id}"""
    image = images.show(service.catalog, call.caller, call.path["image_id"])
    return json_response(image_document(image, location_fields(service, call.caller, image)))


async def edit_image(service: Service, call: Call, request: Request) -> Response:
    """PATCH /v2/images/{image_id}"""
    del request
    steps = read_steps(*call.body)
    if not any(step.name == "locations" for step in steps):
        return await service.transfer.threads.record(_edit_attributes, service, call, steps)
    if not service.options.show_multiple_locations:
        raise Forbidden("It is not allowed to change the locations of an image.")
    return await _edit_locations(service, call, steps)


def _edit_attributes(service: Service, call: Call, steps: list[Step]) -> Response:
    changes = [as_change(service.catalog, call.caller, step) for step in steps]
    image = images.edit(service.catalog, call.caller, call.path["image_id"], changes)
    return json_response(image_document(image, location_fields(service, call.caller, image)))


async def _edit_locations(service: Service, call: Call, steps: list[Step]) -> Response:
    transfer, image_id = service.transfer, call.path["image_id"]
    offered = [read_offers(step, transfer.hashing_algorithm) for step in steps]
    surveyed = iter(await survey(transfer, call.caller, image_id, list(chain.from_iterable(offered))))
    offers = [list(islice(surveyed, len(some))) for some in offered]

    def edit() -> tuple[Response, list[Intent]]:
        changes = [
            as_change(service.catalog, call.caller, step, some, transfer.stores.ordered)
            for step, some in zip(steps, offers, strict=True)
        ]
        plain = any(step.name != "locations" for step in steps)
        image, intents = change_locations(
            service.catalog,
            transfer.worker,
            call.caller,
            image_id,
            changes,
            "modify_image" if plain else "get_image",
        )
        return json_response(image_document(image, location_fields(service, call.caller, image))), intents

    response, intents = await transfer.threads.record(edit)
    await remove(transfer, intents)
    return response


async def delete_image(service: Service, call: Call, request: Request) -> Response:
    """DELETE /v2/images/{image_id}"""
    del request
    transfer = service.transfer
    intents = await transfer.threads.record(
        images.delete, service.catalog, transfer.worker, call.caller, call.path["image_id"]
    )
    await remove(transfer, intents)
    if service.cache is not None:
        await transfer.threads.bulk(service.cache.forget, call.path["image_id"])
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
