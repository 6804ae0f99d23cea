"""Handlers: the image cache of the host that answers."""

from collections.abc import Sequence
from dataclasses import asdict
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.service import Call, Service
from glimpse.api.v2.documents import json_response
from glimpse.api.v2.images import no_content
from glimpse.catalog.cache_ports import CachedImage
from glimpse.catalog.catalog import find_image, require_rule
from glimpse.domain.errors import Invalid, NotEnabled, NotFound
from glimpse.domain.status import ImageStatus
from glimpse.transfer.cache.cache import Cache
from glimpse.transfer.cache.folder import is_image_id
from glimpse.transfer.cache.prefetch import queue, queued, unqueue
from glimpse.transfer.cache.upkeep import clean

_TARGETS = ("", "cache", "queue")


def list_cache(service: Service, call: Call) -> Response:
    """GET /v2/cache"""
    cache = _cache(service, call, "cache_list")
    return json_response({"cached_images": _documents(cache.listed()), "queued_images": queued(cache)})


def empty_cache(service: Service, call: Call) -> Response:
    """DELETE /v2/cache"""
    cache = _cache(service, call, "cache_delete")
    target = call.headers.get("x-image-cache-clear-target", "").lower()
    if target not in _TARGETS:
        raise Invalid("x-image-cache-clear-target", "must be 'cache', 'queue' or empty")
    if target != "queue":
        _evict_all(cache)
    if target != "cache":
        unqueue(cache)
    return no_content()


async def cache_image(service: Service, call: Call, request: Request) -> Response:
    """PUT /v2/cache/{image_id}"""
    del request
    await service.transfer.threads.record(_queue_active, service, call)
    service.jobs.wake()
    return Response(status_code=HTTPStatus.ACCEPTED)


def _queue_active(service: Service, call: Call) -> None:
    cache = _cache(service, call, "cache_image")
    image = find_image(service.catalog, call.caller, call.path["image_id"])
    if image.status is not ImageStatus.ACTIVE:
        raise Invalid("image", f"it is {image.status}, and only an active image can be cached")
    queue(cache, image.id)


def remove_from_cache(service: Service, call: Call) -> Response:
    """DELETE /v2/cache/{image_id}"""
    cache, image_id = _cache(service, call, "cache_delete"), call.path["image_id"]
    if not (cache.evict(image_id) | (unqueue(cache, image_id) > 0)):
        find_image(service.catalog, call.caller, image_id)
    return no_content()


def list_cache_nodes(service: Service, call: Call) -> Response:
    """GET /v2/cache/nodes/{image_id}"""
    cache = _cache(service, call, "list_cached_nodes")
    image = find_image(service.catalog, call.caller, call.path["image_id"])
    return json_response(cache.records.nodes(image.id))


async def clean_cache(service: Service, call: Call, request: Request) -> Response:
    """POST /v2/cache/clean"""
    del request
    threads = service.transfer.threads
    cache = await threads.record(_cache, service, call, "cache_clean")
    await threads.bulk(clean, cache)
    return Response()


async def prune_cache(service: Service, call: Call, request: Request) -> Response:
    """POST /v2/cache/prune"""
    del request
    threads = service.transfer.threads
    cache = await threads.record(_cache, service, call, "cache_prune")
    files, freed = await threads.bulk(cache.prune)
    return json_response({"total_files_pruned": files, "total_bytes_pruned": freed})


def list_cached_images(service: Service, call: Call) -> Response:
    """GET /v2/cached_images"""
    return json_response({"cached_images": _documents(_managed(service, call).listed())})


def delete_cached_images(service: Service, call: Call) -> Response:
    """DELETE /v2/cached_images"""
    return json_response({"num_deleted": _evict_all(_managed(service, call))})


def delete_cached_image(service: Service, call: Call) -> Response:
    """DELETE /v2/cached_images/{image_id}"""
    _managed(service, call).evict(call.path["image_id"])
    return json_response(None)


def list_queued_images(service: Service, call: Call) -> Response:
    """GET /v2/queued_images"""
    return json_response({"queued_images": queued(_managed(service, call))})


def delete_queued_images(service: Service, call: Call) -> Response:
    """DELETE /v2/queued_images"""
    return json_response({"num_deleted": unqueue(_managed(service, call))})


async def queue_image(service: Service, call: Call, request: Request) -> Response:
    """PUT /v2/queued_images/{image_id}"""
    del request
    await service.transfer.threads.record(_queue_any, service, call)
    service.jobs.wake()
    return json_response(None)


def _queue_any(service: Service, call: Call) -> None:
    # Whether there is such an image is seen when its turn comes, as in Glance.
    cache, image_id = _managed(service, call), call.path["image_id"]
    if not is_image_id(image_id):
        raise NotFound("image", image_id)
    queue(cache, image_id)


def delete_queued_image(service: Service, call: Call) -> Response:
    """DELETE /v2/queued_images/{image_id}"""
    unqueue(_managed(service, call), call.path["image_id"])
    return json_response(None)


def _cache(service: Service, call: Call, rule: str) -> Cache:
    """:raises Forbidden: policy. :raises NotEnabled: there is no cache."""
    require_rule(service.catalog, call.caller, rule, {})
    if service.cache is None:
        raise NotEnabled("image cache")
    return service.cache


def _managed(service: Service, call: Call) -> Cache:
    """For the older routes, which are not there at all without a cache.

    :raises NotEnabled: there is no cache. :raises Forbidden: policy.
    """
    if service.cache is None:
        raise NotEnabled("image cache")
    require_rule(service.catalog, call.caller, "manage_image_cache", {})
    return service.cache


def _evict_all(cache: Cache) -> int:
    return sum(cache.evict(row.image_id) for row in cache.listed())


def _documents(rows: Sequence[CachedImage]) -> list[dict[str, object]]:
    times = ("last_accessed", "last_modified")
    return [
        {name: float(value) if name in times else value for name, value in asdict(row).items()}
        for row in rows
    ]
