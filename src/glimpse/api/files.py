"""Sending a file: by the kernel where the server can, in pieces where it cannot."""

import asyncio
import os
from collections.abc import Callable, Mapping

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
            if self._data.length and ZERO_COPY in scope.get("extensions", {}):
                await self._send_at_once(send)
            else:
                await self._send_pieces(send)

    async def _send_at_once(self, send: Send) -> None:
        descriptor, offset = self._data.file.fileno(), self._data.offset
        message = {"type": ZERO_COPY, "file": descriptor, "offset": offset, "count": self._data.length}
        try:
            await send(message)
        finally:
            # The file is left behind the last byte that went out, also when the client went away.
            self._told(max(0, os.lseek(descriptor, 0, os.SEEK_CUR) - offset))

    async def _send_pieces(self, send: Send) -> None:
        self._data.file.seek(self._data.offset)
        length, sent = self._data.length, 0
        try:
            while sent < length:
                piece = await asyncio.to_thread(self._data.file.read, min(length - sent, PIECE_BYTES))
                if not piece:
                    raise EOFError("the file of an image became shorter while it was sent")
                more = sent + len(piece) < length
                await send({"type": "http.response.body", "body": piece, "more_body": more})
                sent += len(piece)
            if length == 0:
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._told(sent)
