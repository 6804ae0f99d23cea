"""What MongoDB answers seldom: a server that gives prepared answers stands for it."""

import socketserver
import struct
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import bson
import pytest

from glimpse.domain.errors import Invalid, LimitExceeded, Unavailable
from glimpse.stores.base import ObjectKey, Usage
from glimpse.stores.gridfs import GridFSStore
from tests.server import free_port

KEY = ObjectKey("image", "attempt")
HELLO = {"isWritablePrimary": True, "ismaster": True, "minWireVersion": 0, "maxWireVersion": 25}
HELLO |= {"maxBsonObjectSize": 2**24, "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000}
ANSWERS: Mapping[str, Mapping[str, Any]] = {
    "hello": HELLO,
    "ismaster": HELLO,
    "find": {"cursor": {"id": 0, "ns": "glimpse.x", "firstBatch": [{"_id": str(KEY)}]}},
    "insert": {"n": 1},
    "delete": {"n": 1},
    "dbStats": {"totalSize": 7, "fsTotalSize": 100, "fsUsedSize": 40},
}
_OP_REPLY, _OP_QUERY, _OP_MSG = 1, 2004, 2013

Serve = Callable[..., GridFSStore]


class _Connection(socketserver.StreamRequestHandler):
    server: "_Server"

    def handle(self) -> None:
        while header := self.rfile.read(16):
            length, number, _, operation = struct.unpack("<iiii", header)
            body = self.rfile.read(length - 16)
            if operation == _OP_QUERY:
                begin = body.index(b"\0", 4) + 9
                self._reply(number, _OP_REPLY, struct.pack("<iqii", 8, 0, 0, 1) + self._answer(body[begin:]))
            else:
                self._reply(number, _OP_MSG, bytes(5) + self._answer(body[5:]))

    def _answer(self, command: bytes) -> bytes:
        (size,) = struct.unpack_from("<i", command)
        name = next(iter(bson.decode(command[:size])))
        return bytes(bson.encode({"ok": 1.0} | self.server.answers.get(name, {})))

    def _reply(self, number: int, operation: int, body: bytes) -> None:
        self.wfile.write(struct.pack("<iiii", 16 + len(body), 0, number, operation) + body)


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    answers: dict[str, Any]


@pytest.fixture
def serve() -> Iterator[Serve]:
    servers = []

    def start(user: str = "", **answers: Mapping[str, Any]) -> GridFSStore:
        server = _Server(("127.0.0.1", 0), _Connection)
        server.answers = {**ANSWERS, **answers}
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        uri = f"mongodb://{user}127.0.0.1:{server.server_address[1]}/?directConnection=true"
        return GridFSStore("mongo", uri, "glimpse")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def failure(code: int) -> Mapping[str, Any]:
    return {"ok": 0.0, "code": code, "codeName": "Failed", "errmsg": "it failed, secret"}


def test_a_password_that_is_refused_is_not_told(serve: Serve) -> None:
    store = serve("glance:geheim@", saslStart=failure(18))
    with pytest.raises(Unavailable) as caught:
        store.stat("gridfs://x")
    assert caught.value.reason == "MongoDB refuses the user or the password of mongodb_store_uri"
    assert "geheim" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    "uri",
    [
        "mongodb://glance:geheim@",
        "mongodb://glance:geheim@host:99999/",
        "mongodb://glance:geh@eim@host/",
        "mongodb://glance:geheim@host/?tls=true&tlsCAFile=/nowhere",
        "mongodb://glance:geheim@host/?w=geheim&authMechanism=x",
    ],
)
def test_an_address_that_cannot_be_used_is_not_told(uri: str) -> None:
    with pytest.raises(Unavailable) as caught:
        GridFSStore("mongo", uri, "glimpse").stat("gridfs://x")
    assert "mongodb_store_uri" in caught.value.reason
    assert "geh" not in "".join(traceback.format_exception(caught.value))


def test_no_server() -> None:
    uri = f"mongodb://127.0.0.1:{free_port()}/?serverSelectionTimeoutMS=100"
    with pytest.raises(Unavailable, match="no server of mongodb_store_uri that takes writes answers"):
        GridFSStore("mongo", uri, "glimpse").usage()


def test_a_database_that_is_full(serve: Serve) -> None:
    store = serve(insert={"n": 0, "writeErrors": [{"index": 0, "code": 14031, "errmsg": "no space"}]})
    with pytest.raises(LimitExceeded) as caught:
        store.open_writer(KEY, None)
    assert caught.value.limit == "store capacity"


def test_a_disk_that_is_too_small_is_known_beforehand(serve: Serve) -> None:
    store = serve()
    assert store.usage() == Usage(7, 60)
    store.open_writer(KEY, 60)
    with pytest.raises(LimitExceeded):
        store.open_writer(KEY, 61)


@pytest.mark.parametrize("code", [13, 59])
def test_a_server_that_does_not_tell_how_full_it_is(serve: Serve, code: int) -> None:
    store = serve(dbStats=failure(code))
    assert store.usage() == Usage(None, None)
    store.open_writer(KEY, 61)


def test_a_user_who_may_not_write(serve: Serve) -> None:
    with pytest.raises(Unavailable, match="may not do this in the database"):
        serve(insert=failure(13)).open_writer(KEY, None)


def test_other_failures_are_told_by_their_codes(serve: Serve) -> None:
    with pytest.raises(Unavailable) as caught:
        serve(find=failure(4711)).stat("gridfs://x")
    assert caught.value.reason == "MongoDB reports the errors ['4711']"


def test_names_that_cannot_be() -> None:
    store = GridFSStore("mongo", "mongodb://127.0.0.1/", "glimpse")
    with pytest.raises(Invalid):
        store.open_writer(ObjectKey("a\0b", "1"), None)
    with pytest.raises(Invalid):
        store.check_url("gridfs://x")
    assert not store.owns("gridfs://")
    assert store.owns("gridfs://x")
