"""Handlers: what this service offers, and the doors of what it does not offer."""

from dataclasses import asdict
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.catalog import quotas
from glimpse.catalog.catalog import require_rule
from glimpse.domain.errors import Invalid, NotEnabled


def show_import_methods(service: Service, call: Call) -> Response:
    """GET /v2/info/import"""
    del call
    methods = {
        "description": "Import methods available.",
        "type": "array",
        "value": list(service.import_methods),
    }
    return json_response({"import-methods": methods})


def show_usage(service: Service, call: Call) -> Response:
    """GET /v2/info/usage"""
    found = quotas.usage(service.catalog, call.caller)
    return json_response({"usage": {name: asdict(usage) for name, usage in found.items()}})


def import_image(service: Service, call: Call) -> Response:
    """POST /v2/images/{image_id}/import"""
    method: Any = call.body.get("method") if isinstance(call.body, dict) else None
    name = method.get("name") if isinstance(method, dict) else None
    if not isinstance(name, str):
        raise Invalid("method", "an object with a 'name' is expected")
    raise Invalid("method", f"'{name[:60]}' is not enabled: {_named(service)}")


def _named(service: Service) -> str:
    return f"enabled are {', '.join(service.import_methods)}" if service.import_methods else "no method is"


async def stage_image(service: Service, call: Call, request: Request) -> Response:
    """PUT /v2/images/{image_id}/stage"""
    del service, call, request
    raise NotEnabled("import method glance-direct")


def list_cache(service: Service, call: Call) -> Response:
    """GET /v2/cache"""
    return _without_cache(service, call, "cache_list")


def empty_cache(service: Service, call: Call) -> Response:
    """DELETE /v2/cache"""
    return _without_cache(service, call, "cache_delete")


def cache_image(service: Service, call: Call) -> Response:
    """PUT /v2/cache/{image_id}"""
    return _without_cache(service, call, "cache_image")


def remove_from_cache(service: Service, call: Call) -> Response:
    """DELETE /v2/cache/{image_id}"""
    return _without_cache(service, call, "cache_delete")


def list_cache_nodes(service: Service, call: Call) -> Response:
    """GET /v2/cache/nodes/{image_id}"""
    return _without_cache(service, call, "list_cached_nodes")


def clean_cache(service: Service, call: Call) -> Response:
    """POST /v2/cache/clean"""
    return _without_cache(service, call, "cache_clean")


def prune_cache(service: Service, call: Call) -> Response:
    """POST /v2/cache/prune"""
    return _without_cache(service, call, "cache_prune")


def _without_cache(service: Service, call: Call, rule: str) -> Response:
    """:raises Forbidden: policy. :raises NotEnabled: there is no cache."""
    require_rule(service.catalog, call.caller, rule, {})
    raise NotEnabled("image cache")
