"""Answers on the wire: what is handed to the kernel, and in how many pieces."""

import asyncio
import logging
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from glimpse.api.protocol import SHORT_BODY, _sending


class Wire(asyncio.Transport):
    """A transport that keeps what is written, piece by piece."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: Any) -> None:
        if data:
            self.pieces.append(bytes(data))


def cycle_on(wire: Wire, method: str = "GET") -> RequestResponseCycle:
    log = logging.getLogger(__name__)
    scope: Any = {"type": "http", "method": method, "path": "/", "http_version": "1.1", "headers": []}
    return RequestResponseCycle(
        scope, wire, FlowControl(wire), log, log, False, [], asyncio.Event(), False, True, lambda: None
    )


def start(*headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": 200, "headers": list(headers)}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def answered(*messages: dict[str, Any], method: str = "GET", turns: int = 0) -> list[bytes]:
    """The pieces that went out; `turns` of the event loop pass after each message."""
    wire = Wire()

    async def run() -> None:
        send = _sending(cycle_on(wire, method))
        for message in messages:
            await send(message)
            for _ in range(turns):
                await asyncio.sleep(0)

    asyncio.run(run())
    return wire.pieces


def length(count: int) -> tuple[bytes, bytes]:
    return b"content-length", str(count).encode()


def test_head_and_short_body_are_one_piece() -> None:
    [piece] = answered(start(length(5)), body(b"hello"))
    assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
    assert piece.endswith(b"content-length: 5\r\n\r\nhello")


def test_head_does_not_wait_for_a_body_that_comes_later() -> None:
    head, rest = answered(start(length(5)), body(b"hello"), turns=1)
    assert head.endswith(b"\r\n\r\n")
    assert rest == b"hello"


def test_long_body_is_not_copied() -> None:
    data = bytes(SHORT_BODY + 1)
    assert answered(start(length(len(data))), body(data))[1] == data


def test_body_in_pieces_keeps_its_length() -> None:
    assert b"".join(answered(start(length(6)), body(b"one", more=True), body(b"two"))).endswith(b"onetwo")


def test_chunks_follow_the_head() -> None:
    text = b"".join(answered(start(), body(b"one", more=True), body(b"two")))
    assert text.endswith(b"\r\n\r\n3\r\none\r\n3\r\ntwo\r\n0\r\n\r\n")


def test_answer_to_head_has_no_body() -> None:
    assert b"".join(answered(start(length(5)), body(b"hello"), method="HEAD")).endswith(b"\r\n\r\n")


def test_answer_without_body() -> None:
    assert len(answered(start(length(0)), body(b""))) == 1


def test_body_that_is_longer_than_announced_is_refused() -> None:
    with pytest.raises(RuntimeError, match="longer"):
        answered(start(length(4)), body(b"hello"))


def test_body_that_is_shorter_than_announced_is_refused() -> None:
    with pytest.raises(RuntimeError, match="shorter"):
        answered(start(length(6)), body(b"hello"))
