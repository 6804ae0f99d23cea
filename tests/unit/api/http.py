"""Requests without sockets: an ASGI application is called, and what it sends is kept."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Scope

from glimpse.api.requests import CALLER, REQUEST_ID
from glimpse.domain.caller import Caller
from tests.unit.world import run

Headers = Sequence[tuple[str, str]]


def make_scope(
    method: str = "GET", path: str = "/", query: bytes = b"", headers: Headers = ()
) -> dict[str, Any]:
    """The scope of a request to `http://glimpse.test`."""
    raw = [(b"host", b"glimpse.test"), *((n.lower().encode(), v.encode("latin-1")) for n, v in headers)]
    return {
        "type": "http",
        "method": method,
        "scheme": "http",
        "server": ("glimpse.test", 80),
        "path": path,
        "root_path": "",
        "query_string": query,
        "headers": raw,
        CALLER: Caller(),
        REQUEST_ID: "req-test",
    }


def make_request(
    body: Sequence[bytes] = (), *, headers: Headers = (), query: bytes = b"", cut: bool = False
) -> Request:
    """A request whose body comes in these chunks; `cut`: the client goes away after them."""
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": cut or index < len(body) - 1}
        for index, chunk in enumerate(body)
    ]
    if cut:
        messages.append({"type": "http.disconnect"})
    elif not messages:
        messages.append({"type": "http.request", "body": b"", "more_body": False})
    waiting = iter(messages)

    async def receive() -> Message:
        return next(waiting)

    return Request(make_scope("POST", headers=headers, query=query), receive)


@dataclass
class Answer:
    """What an application sent."""

    messages: list[Message] = field(default_factory=list)

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode().lower(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages[1:])


def ask(application: ASGIApp, scope: Scope, body: bytes = b"") -> Answer:
    """Call the application."""
    answer = Answer()

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        answer.messages.append(message)

    run(application(scope, receive, send))  # type: ignore[arg-type]
    return answer
