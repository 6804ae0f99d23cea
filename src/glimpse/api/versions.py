"""Version discovery, and the prefixes under which the one version is reached."""

import re

from starlette.requests import Request
from starlette.responses import Response

from glimpse.api.requests import base_url
from glimpse.api.v2.documents import json_response

# The versions that are listed, in upstream's order for a single store without a cache; CURRENT is marked.
LISTED = ("v2.15", "v2.9", "v2.17", *(f"v2.{minor}" for minor in range(7, -1, -1)))
CURRENT = "v2.17"
ACCEPTED = frozenset({"v2", *LISTED})

_MEDIA_TYPE = re.compile(r"application/vnd\.openstack\.images-(v[0-9.]+)")


def versions_document(base: str) -> dict[str, object]:
    """The versions of the service at `base`; every one is the same (there is no microversioning)."""
    return {
        "versions": [
            {
                "id": version,
                "status": "CURRENT" if version == CURRENT else "SUPPORTED",
                "links": [{"rel": "self", "href": f"{base}/v2/"}],
            }
            for version in LISTED
        ]
    }


def versions(request: Request, public_endpoint: str | None, status: int) -> Response:
    """The answer to somebody who asks for the versions, or for one that does not exist."""
    return json_response(versions_document(base_url(request, public_endpoint)), status)


def canonical_path(path: str, accept: str) -> str | None:
    """The path below `/v2` that a request means; None if it asks for a version that does not exist.

    `/v2.9/images` and `/images` with `Accept: application/vnd.openstack.images-v2.9` mean `/v2/images`.
    """
    first, slash, rest = path[1:].partition("/")
    if first in ACCEPTED:
        return f"/v2{slash}{rest}"
    match = _MEDIA_TYPE.search(accept)
    if match is not None and match[1] in ACCEPTED:
        return f"/v2{path}"
    return None
