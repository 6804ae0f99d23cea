"""Handlers: the bytes of an image."""

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from glimpse.api.files import FileResponse, PiecesResponse
from glimpse.api.requests import announced_size, read_data
from glimpse.api.service import Call, Service
from glimpse.api.v2.images import no_content
from glimpse.catalog.data import readable
from glimpse.catalog.events import tell_sent
from glimpse.domain.errors import Invalid, UnsupportedContent
from glimpse.domain.image import Image
from glimpse.stores.base import LocalFile
from glimpse.transfer.download import Window, open_data, plan_content_range, plan_range
from glimpse.transfer.reading import stream
from glimpse.transfer.telling import tell_transfer
from glimpse.transfer.upload import upload

DATA_TYPE = "application/octet-stream"


async def upload_data(service: Service, call: Call, request: Request) -> Response:
    """PUT /v2/images/{image_id}/file"""
    require_data_type(call)
    await upload(
        service.transfer,
        call.caller,
        call.path["image_id"],
        read_data(request),
        size=announced_size(request),
        store_id=call.headers.get("x-image-meta-store") if service.transfer.stores.several else None,
    )
    return no_content()


def require_data_type(call: Call) -> None:
    """:raises UnsupportedContent: the body of the request is not said to be data."""
    media = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != DATA_TYPE:
        raise UnsupportedContent(f"The Content-Type of image data must be {DATA_TYPE}.")


async def download_data(service: Service, call: Call, request: Request) -> Response:
    """GET /v2/images/{image_id}/file"""
    del request
    transfer, prefer = service.transfer, _preferred(service, call)
    image = await transfer.threads.record(
        readable, service.catalog, call.caller, call.path["image_id"], choosing=prefer is not None
    )
    if not image.locations:
        return _no_data()
    headers = _headers(image)
    if {"*", headers.get("ETag")}.intersection(_tags(call.headers.get("if-none-match", ""))):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    size = image.size or 0
    window = _window(call, size, headers.get("ETag"))
    wanted = window or Window(0, size)
    cached = await service.cache.open(image, wanted) if service.cache else None
    data = cached if cached is not None else await open_data(transfer, image, wanted, prefer or ())
    if data is None:
        return _no_data()
    status = HTTPStatus.OK
    if window is not None:
        status = HTTPStatus.PARTIAL_CONTENT
        headers["Content-Range"] = f"bytes {window.offset}-{window.offset + window.length - 1}/{size}"
    length = window.length if window else size
    headers["Content-Length"] = str(length)

    begun = time.monotonic()

    def told(sent: int) -> None:
        tell_transfer(image.id, "read", sent, time.monotonic() - begun)
        tell_sent(service.catalog, call.caller, image, sent, length)

    if isinstance(data, LocalFile):
        return FileResponse(data, status, headers, told)
    if isinstance(data, AsyncGenerator):
        return PiecesResponse(data, status, headers, told)
    chunks = _counted(stream(transfer.threads, data), told)
    return StreamingResponse(chunks, status, headers, media_type=DATA_TYPE)


async def _counted(
    chunks: AsyncGenerator[bytes, None], told: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    sent = 0
    try:
        async with aclosing(chunks):
            async for chunk in chunks:
                yield chunk
                sent += len(chunk)
    finally:
        told(sent)


def _preferred(service: Service, call: Call) -> list[str] | None:
    """The stores that the query prefers; None if it prefers none. :raises Invalid: they cannot be chosen."""
    asked = [value for name, value in call.query if name == "prefer"]
    if not asked:
        return None
    stores = service.transfer.stores
    if not stores.several:
        raise Invalid("prefer", "this service has only one store")
    return [stores.named(name.strip()).id for name in ",".join(asked).split(",") if name.strip()]


def _no_data() -> Response:
    return Response(status_code=HTTPStatus.NO_CONTENT)


def _headers(image: Image) -> dict[str, str]:
    """What describes the whole image. `Content-MD5` is hexadecimal, as clients of this API expect."""
    headers = {"Content-Type": DATA_TYPE, "Accept-Ranges": "bytes"}
    if image.checksum:
        headers["Content-MD5"] = image.checksum
    if image.os_hash_value or image.checksum:
        headers["ETag"] = f'"{image.os_hash_value or image.checksum}"'
    return headers


def _tags(header: str) -> list[str]:
    return [tag.strip().removeprefix("W/") for tag in header.split(",")]


def _window(call: Call, size: int, tag: str | None) -> Window | None:
    asked = call.headers.get("range")
    condition = call.headers.get("if-range")
    if asked is not None and (condition is None or condition == tag):
        return plan_range(asked, size)
    legacy = call.headers.get("content-range")
    return plan_content_range(legacy, size) if legacy is not None else None
