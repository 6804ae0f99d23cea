"""Handlers: what this service offers, and the doors of what it does not offer."""

from dataclasses import asdict

from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.catalog import quotas
from glimpse.catalog.catalog import require_rule
from glimpse.domain.errors import NotEnabled


def show_usage(service: Service, call: Call) -> Response:
    """GET /v2/info/usage"""
    found = quotas.usage(service.catalog, call.caller)
    return json_response({"usage": {name: asdict(usage) for name, usage in found.items()}})


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
