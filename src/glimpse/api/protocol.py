"""Uvicorn's HTTP protocol, made for big bodies in both directions.

Downloads: the ASGI extension `http.response.zerocopysend`. A download costs what it costs nginx: the kernel
copies from the page cache to the socket, no byte passes through Python, and a slow reader takes neither a
thread nor a buffer. Over TLS, where the kernel cannot, asyncio reads and writes in small pieces instead.

Uploads: the chunks of a body are handed on as they came from the socket. Uvicorn would join them in a
bytearray and copy that, which costs a tenth of an upload's processor time besides the digests.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from glimpse.api.files import ZERO_COPY


class ZeroCopyProtocol(HttpToolsProtocol):
    """Gives every request a `send` that knows the extension and a `receive` that does not copy."""

    def on_headers_complete(self) -> None:
        """Prepare the request that has just begun."""
        previous = self.cycle
        super().on_headers_complete()
        cycle = self.cycle
        if cycle is None or cycle is previous:
            return
        cycle.scope.setdefault("extensions", {})[ZERO_COPY] = {}
        # The application starts in the next turn of the loop, and finds these functions then.
        cycle.send = _sending(cycle)  # type: ignore[method-assign]
        cycle.receive = _receiving(cycle)  # type: ignore[method-assign]
        cycle.body = b""  # type: ignore[assignment]


def _receiving(cycle: RequestResponseCycle) -> Any:
    receive = cycle.receive

    async def receive_uncopied() -> Any:
        # Where the body is `bytes`, appending the first chunk to it and taking it out are free.
        message = await receive()
        cycle.body = b""  # type: ignore[assignment]
        return message

    return receive_uncopied


def _sending(cycle: RequestResponseCycle) -> Any:
    send = cycle.send

    async def send_or_copy(message: Any) -> None:
        if message["type"] != ZERO_COPY:
            await send(message)
            return
        if cycle.disconnected:
            return
        await _copy(cycle, message)
        cycle.expected_content_length -= message["count"]
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_or_copy


async def _copy(cycle: RequestResponseCycle, message: Any) -> None:
    loop = asyncio.get_running_loop()
    with open(message["file"], "rb", closefd=False) as file:
        try:
            sent = await loop.sendfile(cycle.transport, file, message["offset"], message["count"])
        except (ConnectionError, RuntimeError):
            # The client went away, or the connection was being closed: there is nobody to answer.
            cycle.transport.abort()
            cycle.disconnected = True
            return
    if sent < message["count"]:
        cycle.transport.abort()
        raise EOFError("the file of an image became shorter while it was sent")
