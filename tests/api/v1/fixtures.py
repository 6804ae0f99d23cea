"""A world that answers the Image API v1, and short words for its requests."""

from collections.abc import Mapping

import httpx

from tests.api.world import DATA_TYPE, Client, Json

OPTIONS = """
[DEFAULT]
enable_v1_api = true
[import_filtering_opts]
allowed_hosts = 127.0.0.1
allowed_ports =
"""
RAW = {"disk_format": "raw", "container_format": "bare"}


def meta(**fields: object) -> dict[str, str | bytes]:
    """Headers that say this of an image; text goes as UTF-8, bytes as they are."""
    return {
        f"x-image-meta-{name}": value if isinstance(value, bytes) else str(value).encode()
        for name, value in fields.items()
    }


def post(client: Client, data: bytes | None = None, /, **fields: object) -> httpx.Response:
    """Register an image, with its data if there is some."""
    return send(client, "POST", "/v1/images", data, meta(**{**RAW, "name": "n", **fields}))


def put(client: Client, image_id: str, data: bytes | None = None, /, **fields: object) -> httpx.Response:
    """Change an image, or give it data."""
    return send(client, "PUT", f"/v1/images/{image_id}", data, meta(**fields))


def send(
    client: Client, method: str, path: str, data: bytes | None, headers: Mapping[str, str | bytes]
) -> httpx.Response:
    """A request with data or none."""
    if data is None:
        return client.ask(method, path, headers=headers)
    return client.ask(method, path, content=data, headers={"Content-Type": DATA_TYPE, **headers})


def created(client: Client, data: bytes | None = None, /, **fields: object) -> Json:
    """An image that must have been registered."""
    response = post(client, data, **fields)
    assert response.status_code == 201, response.text
    return dict(response.json()["image"])


def head(client: Client, image_id: str) -> httpx.Response:
    """An image in headers."""
    return client.ask("HEAD", f"/v1/images/{image_id}")
