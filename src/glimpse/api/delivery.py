"""Answers that are the data of an image, for all versions of the API."""

import time
from collections.abc import AsyncGenerator, Callable, Collection, Mapping
from contextlib import aclosing

from starlette.responses import Response, StreamingResponse

from glimpse.api.files import FileResponse, PiecesResponse
from glimpse.api.service import Service
from glimpse.catalog.events import tell_sent
from glimpse.domain.caller import Caller
from glimpse.domain.image import Image
from glimpse.stores.base import LocalFile
from glimpse.transfer.download import Window, open_data
from glimpse.transfer.reading import stream
from glimpse.transfer.telling import tell_transfer

DATA_TYPE = "application/octet-stream"


async def deliver(
    service: Service,
    caller: Caller,
    image: Image,
    window: Window,
    status: int,
    headers: Mapping[str, str],
    prefer: Collection[str] = (),
) -> Response | None:
    """The answer with a window of the data, from the cache or a store; None if no location has it.

    :raises Unavailable: at least one store that may have the data does not answer.
    """
    cached = await service.cache.open(image, window) if service.cache else None
    data = cached if cached is not None else await open_data(service.transfer, image, window, prefer)
    if data is None:
        return None
    head = {**headers, "Content-Length": str(window.length)}
    begun = time.monotonic()

    def told(sent: int) -> None:
        tell_transfer(image.id, "read", sent, time.monotonic() - begun)
        tell_sent(service.catalog, caller, image, sent, window.length)

    if isinstance(data, LocalFile):
        return FileResponse(data, status, head, told)
    if isinstance(data, AsyncGenerator):
        return PiecesResponse(data, status, head, told)
    chunks = _counted(stream(service.transfer.threads, data), told)
    return StreamingResponse(chunks, status, head, media_type=DATA_TYPE)


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
