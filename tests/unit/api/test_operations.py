"""What is the same for all operations: methods, bodies, errors, challenges."""

from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, cast

import orjson
import pytest
from starlette.requests import Request
from starlette.responses import Response

from glimpse.access.identity import NoIdentity
from glimpse.api.operations import PATCH_TYPES, Body, Operation, Resource
from glimpse.api.service import Call, Service
from glimpse.domain.errors import Conflict
from glimpse.transfer.threads import Crew, Threads
from tests.unit.api.http import Answer, Headers, ask, make_scope


class _Transfer:
    def __init__(self) -> None:
        self.threads = Threads(Crew(1, "records"), ThreadPoolExecutor(1))


def _service() -> Service:
    return Service(cast(Any, None), cast(Any, _Transfer()), NoIdentity(), cast(Any, None), cast(Any, None))


def _echo(service: Service, call: Call) -> Response:
    return Response(orjson.dumps(call.body), HTTPStatus.OK)


def _refuse(service: Service, call: Call) -> Response:
    raise Conflict("not now")


async def _stream(service: Service, call: Call, request: Request) -> Response:
    return Response(b"".join([chunk async for chunk in request.stream()]))


OPERATIONS = [
    Operation("GET", "/x", "", _echo),
    Operation("DELETE", "/x", "", _refuse),
    Operation("POST", "/x", "", _echo, body=Body.JSON),
    Operation("PATCH", "/x", "", _echo, body=Body.PATCH),
    Operation("PUT", "/x", "", data_handler=_stream, body=Body.DATA),
]


def _ask(method: str, body: bytes = b"", headers: Headers = ()) -> Answer:
    length = [("Content-Length", str(len(body)))] if body else []
    return ask(Resource(_service(), OPERATIONS), make_scope(method, "/x", headers=[*length, *headers]), body)


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "FOO"])
def test_methods_that_are_not_there(method: str) -> None:
    answer = _ask(method)
    assert (answer.status, answer.headers["allow"]) == (405, "DELETE, GET, PATCH, POST, PUT")


def test_bodies_by_operation() -> None:
    assert (_ask("GET").status, _ask("GET", b"{}").status) == (200, 400)
    assert (_ask("POST", b'{"a": 1}').body, _ask("POST").status) == (b'{"a":1}', 400)
    assert _ask("PUT", b"bytes").body == b"bytes"


@pytest.mark.parametrize("media", [*PATCH_TYPES, f"{PATCH_TYPES[1].upper()} ; charset=utf-8"])
def test_patches(media: str) -> None:
    answer = _ask("PATCH", b"[]", [("Content-Type", media)])
    assert orjson.loads(answer.body) == [media.partition(";")[0].strip().lower(), []]


@pytest.mark.parametrize("media", ["", "application/json", "application/json-patch+json"])
def test_patches_of_an_unknown_kind(media: str) -> None:
    answer = _ask("PATCH", b"[]", [("Content-Type", media)] if media else [])
    assert answer.status == 415
    assert answer.headers["accept-patch"] == (
        "application/openstack-images-v2.0-json-patch, application/openstack-images-v2.1-json-patch"
    )


def test_errors_are_answers() -> None:
    answer = _ask("DELETE", headers=[("Accept", "application/json")])
    assert answer.status == 409
    assert orjson.loads(answer.body)["message"].startswith("not now")
