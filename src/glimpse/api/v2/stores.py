"""Handlers: the stores among which clients choose."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.api.v2.images import no_content
from glimpse.catalog.catalog import require_rule
from glimpse.catalog.locations import leave_store
from glimpse.domain.errors import Conflict, NotEnabled
from glimpse.transfer.removal import remove
from glimpse.transfer.transfer import Stores


def list_stores(service: Service, call: Call) -> Response:
    """GET /v2/info/stores"""
    del call
    stores = _several(service)
    return json_response({"stores": [_document(stores, name) for name in stores.by_id]})


def list_stores_detail(service: Service, call: Call) -> Response:
    """GET /v2/info/stores/detail"""
    stores = _several(service)
    require_rule(service.catalog, call.caller, "stores_info_detail", {})
    return json_response({"stores": [_detailed(stores, name) for name in stores.by_id]})


async def remove_from_store(service: Service, call: Call, request: Request) -> Response:
    """DELETE /v2/stores/{store_id}/{image_id}"""
    del request
    transfer, stores, name = service.transfer, _several(service), call.path["store_id"]
    if name not in stores.by_id:
        raise Conflict(f"No store is called '{name}'.")
    intents = await transfer.threads.record(
        leave_store,
        service.catalog,
        transfer.worker,
        call.caller,
        call.path["image_id"],
        lambda location: stores.holder(location) == name,
    )
    await remove(transfer, intents)
    return no_content()


def _several(service: Service) -> Stores:
    """:raises NotEnabled: there is only one."""
    if not service.transfer.stores.several:
        raise NotEnabled("choice between several stores")
    return service.transfer.stores


def _document(stores: Stores, name: str) -> dict[str, Any]:
    """A store as everybody sees it. What is true is written as text, and what is not is left out."""
    listing = stores.listing(name)
    document = {"id": name}
    if listing.description:
        document["description"] = listing.description
    if name == stores.default:
        document["default"] = "true"
    if listing.read_only:
        document["read-only"] = "true"
    return document


def _detailed(stores: Stores, name: str) -> dict[str, Any]:
    listing = stores.listing(name)
    return {
        **_document(stores, name),
        "type": listing.type,
        "properties": dict(listing.properties),
        "weight": listing.weight,
    }
