import asyncio
from pathlib import Path

import pytest
from starlette.types import Message

from glimpse.api.files import PIECE_BYTES, ZERO_COPY, FileResponse
from glimpse.stores.base import LocalFile
from tests.unit.api.http import Answer, ask, make_scope

DATA = bytes(range(256)) * 2100


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.write_bytes(DATA)
    return path


def _answer(local: LocalFile, *, zero_copy: bool, sent: list[int] | None = None) -> Answer:
    told: list[int] = [] if sent is None else sent
    response = FileResponse(local, 206, {"Content-Length": str(local.length), "ETag": '"x"'}, told.append)
    extensions: dict[str, object] = {ZERO_COPY: {}} if zero_copy else {}
    return ask(response, {**make_scope(), "extensions": extensions})


def test_the_server_sends_the_file_where_it_can(path: Path) -> None:
    local = LocalFile(path.open("rb"), 10, 20)
    number = local.file.fileno()
    answer = _answer(local, zero_copy=True)
    assert answer.status == 206
    assert answer.headers["content-length"] == "20"
    assert answer.headers["etag"] == '"x"'
    message = {"type": ZERO_COPY, "file": number, "offset": 10, "count": 20, "more_body": False}
    assert answer.messages[1:] == [message]
    assert local.file.closed


@pytest.mark.parametrize(
    ("offset", "length"), [(0, len(DATA)), (5, 1), (100, PIECE_BYTES), (1, PIECE_BYTES + 1), (len(DATA), 0)]
)
def test_pieces_where_it_cannot(path: Path, offset: int, length: int) -> None:
    local, sent = LocalFile(path.open("rb"), offset, length), list[int]()
    answer = _answer(local, zero_copy=False, sent=sent)
    assert sent == [length]
    assert answer.body == DATA[offset : offset + length]
    assert all(len(message["body"]) <= PIECE_BYTES for message in answer.messages[1:])
    assert [message.get("more_body", False) for message in answer.messages[1:]][-1] is False
    assert local.file.closed


def test_no_bytes_are_an_ordinary_body_even_with_zero_copy(path: Path) -> None:
    answer = _answer(LocalFile(path.open("rb"), 0, 0), zero_copy=True)
    assert [message["type"] for message in answer.messages] == ["http.response.start", "http.response.body"]


def test_a_file_that_became_shorter_is_no_complete_answer(path: Path) -> None:
    local, sent = LocalFile(path.open("rb"), len(DATA) - 5, 6), list[int]()
    with pytest.raises(EOFError):
        _answer(local, zero_copy=False, sent=sent)
    assert sent == [5]
    assert local.file.closed


def test_the_file_is_closed_when_the_client_is_gone(path: Path) -> None:
    local = LocalFile(path.open("rb"), 0, 5)
    response = FileResponse(local, 200, {}, lambda _: None)

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        asyncio.run(response(make_scope(), receive, send))
    assert local.file.closed
