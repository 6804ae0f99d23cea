"""Uvicorn's HTTP protocol, made for big bodies in both directions.

Downloads: the ASGI extension `http.response.zerocopysend`. A download costs what it costs nginx: the kernel
copies from the page cache to the socket, no byte passes through Python, and a slow reader takes neither a
thread nor a buffer. Over TLS, where the kernel cannot, asyncio reads and writes in small pieces instead.

Uploads: the chunks of a body are handed on as they came from the socket. Uvicorn would join them in a
bytearray and copy that, which costs a tenth of an upload's processor time besides the digests.

Short answers: head and body go to the kernel together. Uvicorn would hand it two packets, each of which wakes
the client up.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from glimpse.api.files import ZERO_COPY

# A longer body is not copied to stand behind its head.
SHORT_BODY = 64 * 1024


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
    head = _Head(cycle)

    async def send_or_copy(message: Any) -> None:
        if message["type"] == "http.response.start":
            with head.held():
                await send(message)
            return
        if message["type"] != ZERO_COPY:
            await send(head.before(message))
            return
        head.flush()
        if cycle.disconnected:
            return
        await _copy(cycle, message)
        cycle.expected_content_length -= message["count"]
        if not message.get("more_body"):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_or_copy


class _Head:
    """The head of an answer, which waits for the body until the next turn of the event loop at most."""

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._transport = cycle.transport
        self._text = b""

    def write(self, data: bytes) -> None:
        """Take the head from Uvicorn, in the place of the transport."""
        self._text += data

    @contextmanager
    def held(self) -> Iterator[None]:
        """Meanwhile what is written is kept."""
        self._cycle.transport = self  # type: ignore[assignment]
        try:
            yield
        finally:
            self._cycle.transport = self._transport
        asyncio.get_running_loop().call_soon(self.flush)

    def before(self, message: Any) -> Any:
        """The body, behind the head if that still waits and one write can take both."""
        cycle, body = self._cycle, message.get("body", b"")
        if not self._text:
            return message
        if cycle.chunked_encoding or cycle.scope["method"] == "HEAD" or not 0 < len(body) <= SHORT_BODY:
            self.flush()
            return message
        text, self._text = self._text, b""
        cycle.expected_content_length += len(text)
        return {**message, "body": text + body}

    def flush(self) -> None:
        """Send the head now, if it still waits."""
        text, self._text = self._text, b""
        if text:
            self._transport.write(text)


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
