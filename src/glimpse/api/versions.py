"""Version discovery, and the prefixes under which the versions are reached."""

import re
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.requests import base_url
from glimpse.api.v2.documents import json_response

# The versions that are listed, in upstream's order; CURRENT, or with a cache the newest, is marked.
_FIRST = tuple(f"v2.{minor}" for minor in range(7, -1, -1))
LISTED = ("v2.15", "v2.9", "v2.17", *_FIRST)
LISTED_FOR_SEVERAL_STORES = ("v2.15", *(f"v2.{minor}" for minor in range(13, 7, -1)), "v2.17", *_FIRST)
_WITH_CACHE = tuple(f"v2.{minor}" for minor in range(18, 13, -1))
LISTED_WITH_CACHE = (*_WITH_CACHE, "v2.9", *_FIRST)
LISTED_WITH_CACHE_FOR_SEVERAL_STORES = (*_WITH_CACHE, *(f"v2.{minor}" for minor in range(13, 7, -1)), *_FIRST)
OLD = ("v1.1", "v1.0")
CURRENT = "v2.17"
CURRENT_WITH_CACHE = "v2.18"

_MEDIA_TYPE = re.compile(r"application/vnd\.openstack\.images-(v[0-9.]+)")


def listed(*, several_stores: bool = False, cache: bool = False, old: bool = False) -> tuple[str, ...]:
    """The versions of a service, in the order in which they are listed; `old` are those of the API v1."""
    if old:
        return (*listed(several_stores=several_stores, cache=cache), *OLD)
    if cache:
        return LISTED_WITH_CACHE_FOR_SEVERAL_STORES if several_stores else LISTED_WITH_CACHE
    return LISTED_FOR_SEVERAL_STORES if several_stores else LISTED


def versions_document(base: str, names: Sequence[str] = LISTED) -> dict[str, object]:
    """The versions of the service at `base`; all of one number are the same (there is no microversioning)."""
    current = CURRENT_WITH_CACHE if CURRENT_WITH_CACHE in names else CURRENT
    return {
        "versions": [
            {
                "id": version,
                "status": "CURRENT" if version == current else "SUPPORTED",
                "links": [{"rel": "self", "href": f"{base}/{version[:2]}/"}],
            }
            for version in names
        ]
    }


def versions(
    request: Request, public_endpoint: str | None, status: int, names: Sequence[str] = LISTED
) -> Response:
    """The answer to somebody who asks for the versions, or for one that does not exist."""
    return json_response(versions_document(base_url(request, public_endpoint), names), status)


def canonical_path(path: str, accept: str, names: Sequence[str] = LISTED) -> str | None:
    """The path below `/v2` or `/v1` that a request means; None if it asks for a version that does not exist.

    `/v2.9/images` and `/images` with `Accept: application/vnd.openstack.images-v2.9` mean `/v2/images`.
    """
    first, slash, rest = path[1:].partition("/")
    root = _root(first, names)
    if root is not None:
        return f"{root}{slash}{rest}"
    match = _MEDIA_TYPE.search(accept)
    root = _root(match[1], names) if match is not None else None
    return None if root is None else f"{root}{path}"


def _root(version: str, names: Sequence[str]) -> str | None:
    """Where a version is answered, whole (`v2`) or with its minor number."""
    known = version in names or f"{version}.0" in names
    return f"/{version[:2]}" if known else None
