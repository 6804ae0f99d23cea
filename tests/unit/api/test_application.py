"""The front: what happens to a request before, beside and after its operation. The service is not needed."""

from typing import cast

import orjson
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Message, Receive, Scope, Send

from glimpse.access.identity import NoIdentity
from glimpse.api.application import Front
from glimpse.api.service import Options, Service
from tests.unit.api.http import ask, make_scope


class _Parts:
    public_endpoint = "https://cloud.example/image"
    identity = NoIdentity()
    options = Options()


SERVICE = cast(Service, _Parts())


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse(scope["path"])(scope, receive, send)


async def _broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise ZeroDivisionError("a secret")


FRONT = Front(_echo, SERVICE)


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "FOO"])
@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 300),
        ("/v1/images", 300),
        ("/v2.19/x", 300),
        ("/foo", 300),
        ("/versions", 200),
        ("/versions/", 200),
    ],
)
def test_version_discovery(method: str, path: str, status: int) -> None:
    answer = ask(FRONT, make_scope(method, path))
    assert answer.status == status
    document = orjson.loads(answer.body)
    assert document["versions"][0]["links"][0]["href"] == "https://cloud.example/image/v2/"


@pytest.mark.parametrize("path", ["/v2", "/v2.9"])
def test_the_root_of_a_version_gets_its_slash(path: str) -> None:
    answer = ask(FRONT, make_scope("GET", path))
    assert answer.status == 302
    assert answer.headers["location"] == f"https://cloud.example/image{path}/"


def test_all_versions_are_one() -> None:
    assert ask(FRONT, make_scope("GET", "/v2.3/images")).body == b"/v2/images"
    accept = ("Accept", "application/vnd.openstack.images-v2.3")
    assert ask(FRONT, make_scope("GET", "/images", headers=[accept])).body == b"/v2/images"


@pytest.mark.parametrize("path", ["/healthcheck", "/openapi.json", "/docs"])
def test_paths_beside_the_versions(path: str) -> None:
    assert ask(FRONT, make_scope("GET", path)).body == path.encode()


def test_request_ids_come_back() -> None:
    given = ask(FRONT, make_scope("GET", "/v2/images", headers=[("X-Openstack-Request-ID", "abc")]))
    assert given.headers["x-openstack-request-id"] == "req-abc"
    made = ask(FRONT, make_scope("GET", "/v2/images"))
    assert made.headers["x-openstack-request-id"].startswith("req-")


def test_too_long_request_ids_are_refused() -> None:
    answer = ask(FRONT, make_scope("GET", "/v2/images", headers=[("X-Openstack-Request-ID", "x" * 65)]))
    assert answer.status == 431
    assert b"64" in answer.body


def test_what_is_unforeseen_tells_no_secrets() -> None:
    answer = ask(Front(_broken, SERVICE), make_scope("GET", "/v2/images"))
    assert answer.status == 500
    assert b"secret" not in answer.body
    assert answer.headers["x-openstack-request-id"].startswith("req-")


def test_what_fails_after_the_head_is_not_answered_twice() -> None:
    async def halfway(scope: Scope, receive: Receive, send: Send) -> None:
        head: Message = {"type": "http.response.start", "status": 200, "headers": []}
        await send(head)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        ask(Front(halfway, SERVICE), make_scope("GET", "/v2/images"))
