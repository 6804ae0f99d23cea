"""Sending a file: by the kernel where the server can, in pieces where it cannot."""

import asyncio
from collections.abc import Mapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from glimpse.stores.base import LocalFile

# The ASGI extension with which a server sends a part of an open file itself.
ZERO_COPY = "http.response.zerocopysend"

# Without it the file is read in pieces of this size, each on a worker thread.
PIECE_BYTES = 256 * 1024


class FileResponse(Response):
    """Answers with a part of an open file, and closes it."""

    def __init__(self, data: LocalFile, status: int, headers: Mapping[str, str]) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self._data = data
        self.init_headers(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the head, and then the file."""
        del receive
        with self._data.file:
            await send(
                {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            )
            if self._data.length and ZERO_COPY in scope.get("extensions", {}):
                await send(
                    {
                        "type": ZERO_COPY,
                        "file": self._data.file.fileno(),
                        "offset": self._data.offset,
                        "count": self._data.length,
                    }
                )
            else:
                await self._send_pieces(send)

    async def _send_pieces(self, send: Send) -> None:
        self._data.file.seek(self._data.offset)
        left = self._data.length
        while left > 0:
            piece = await asyncio.to_thread(self._data.file.read, min(left, PIECE_BYTES))
            if not piece:
                raise EOFError("the file of an image became shorter while it was sent")
            left -= len(piece)
            await send({"type": "http.response.body", "body": piece, "more_body": left > 0})
        if self._data.length == 0:
            await send({"type": "http.response.body", "body": b""})
