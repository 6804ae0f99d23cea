"""Sending files, and parts of files: by the kernel where the server can, in pieces where it cannot."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glimpse.stores.base import LocalFile

# The ASGI extension with which a server sends a part of an open file itself.
ZERO_COPY = "http.response.zerocopysend"

# Without it the file is read in pieces of this size, each on a worker thread.
PIECE_BYTES = 256 * 1024


class FileResponse(Response):
    """Answers with a part of an open file, and closes it. `told` is called with how many bytes were sent."""

    def __init__(
        self, data: LocalFile, status: int, headers: Mapping[str, str], told: Callable[[int], None]
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self._data = data
        self._told = told
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, and then the file."""
        del receive
        with self._data.file:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            try:
                await _send_file(scope, send, self._data, more=False)
            finally:
                self._told(_sent(self._data))


class PiecesResponse(Response):
    """Answers with parts of files and with chunks, as they come. The files belong to who gives them.

    `told` is called with how many bytes were sent.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[LocalFile | bytes, None],
        status: int,
        headers: Mapping[str, str],
        told: Callable[[int], None],
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self._pieces = pieces
        self._told = told
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, and then the pieces, until they end or the client has gone."""
        gone = asyncio.ensure_future(_disconnected(receive))
        sent = 0
        try:
            async with aclosing(self._pieces) as pieces:
                await send(
                    {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
                )
                async for piece in pieces:
                    if gone.done():
                        return
                    if isinstance(piece, bytes):
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                        sent += len(piece)
                    else:
                        await _send_file(scope, send, piece, more=True)
                        sent += _sent(piece)
            await send({"type": "http.response.body", "body": b""})
        finally:
            gone.cancel()
            self._told(sent)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _send_file(scope: Scope, send: Send, data: LocalFile, *, more: bool) -> None:
    if data.length and ZERO_COPY in scope.get("extensions", {}):
        await send(
            {
                "type": ZERO_COPY,
                "file": data.file.fileno(),
                "offset": data.offset,
                "count": data.length,
                "more_body": more,
            }
        )
        return
    data.file.seek(data.offset)
    left = data.length
    while left > 0:
        piece = await asyncio.to_thread(data.file.read, min(left, PIECE_BYTES))
        if not piece:
            raise EOFError("the file of an image became shorter while it was sent")
        left -= len(piece)
        await send({"type": "http.response.body", "body": piece, "more_body": more or left > 0})
    if data.length == 0:
        await send({"type": "http.response.body", "body": b"", "more_body": more})


def _sent(data: LocalFile) -> int:
    # A file is left behind the last byte that went out, also when the client went away.
    return max(0, data.file.tell() - data.offset)
