"""One request, sent to both services, and what is compared of the two answers."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

# Of the headers, those that clients act on. Hosts and ids are made equal before.
HEADERS = (
    "accept-patch",
    "allow",
    "content-md5",
    "content-range",
    "content-type",
    "location",
    "openstack-image-import-methods",
    "openstack-image-store-ids",
    "retry-after",
    "www-authenticate",
)

# Stands for a connection that ended without an answer.
NO_ANSWER = 599

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z?")
_ORIGIN = re.compile(r"https?://127\.0\.0\.1:\d+")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request by a persona; `body` is sent as JSON unless it is bytes."""

    name: str
    persona: str
    method: str
    path: str
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)

    def send(self, client: httpx.Client, token: str | None) -> httpx.Response:
        """The answer of the service that `client` speaks to."""
        # Upstream ends a connection whose body it did not read, which would meet the next request.
        headers = {"Connection": "close", **self.headers}
        if token is not None:
            headers.setdefault("X-Auth-Token", token)
        content = self.body
        if self.body is not None and not isinstance(self.body, bytes):
            content = json.dumps(self.body).encode()
            headers.setdefault("Content-Type", "application/json")
        try:
            return client.request(self.method, self.path, content=content, headers=headers)
        except httpx.RemoteProtocolError:
            return httpx.Response(NO_ANSWER)


def differences(theirs: httpx.Response, ours: httpx.Response) -> Iterator[tuple[str, object, object]]:
    """What differs: the aspect ("code", "header NAME" or "body") and its two values."""
    if theirs.status_code != ours.status_code:
        yield "code", theirs.status_code, ours.status_code
        return
    for name in HEADERS:
        pair = _header(theirs, name), _header(ours, name)
        if pair[0] != pair[1]:
            yield f"header {name}", *pair
    bodies = _body(theirs), _body(ours)
    if bodies[0] != bodies[1]:
        yield "body", *bodies


def _header(answer: httpx.Response, name: str) -> str | None:
    value = answer.headers.get(name)
    if value is None:
        return None
    if name == "allow":
        return ", ".join(sorted(part.strip() for part in value.split(",")))
    if name == "content-type":
        return str(value).lower().replace(" ", "")
    return _plain(value)


def _body(answer: httpx.Response) -> object:
    """A document with times and made ids taken out; of an error only its form."""
    if answer.status_code >= 400:
        return _form(answer)
    if "json" not in answer.headers.get("content-type", ""):
        return answer.content
    document = _even(answer.json())
    return _without_words(document) if "/schemas/" in answer.request.url.path else document


def _without_words(schema: object) -> object:
    """A schema without its descriptions, which everybody writes in words of their own."""
    match schema:
        case dict():
            kept = {k: v for k, v in schema.items() if k != "description" or not isinstance(v, str)}
            return {key: _without_words(item) for key, item in kept.items()}
        case list():
            return [_without_words(item) for item in schema]
    return schema


def _form(answer: httpx.Response) -> object:
    kind = answer.headers.get("content-type", "")
    if "json" in kind:
        document = answer.json()
        return {key: document[key] if key != "message" else "…" for key in sorted(document)}
    if "html" in kind:
        return re.sub(
            r"</h1>.*</body>", "</h1>…</body>", re.sub(r">\s+<", "><", answer.text), flags=re.DOTALL
        )
    return answer.text.partition("\n")[0]


def _even(value: object) -> object:
    match value:
        case dict():
            return {key: _even(item) for key, item in value.items()}
        case list():
            items = [_even(item) for item in value]
            texts = [item for item in items if isinstance(item, str)]
            return sorted(texts) if len(texts) == len(items) else items
        case str():
            return _plain(value)
    return value


def _plain(text: str) -> str:
    return _UUID.sub("UUID", _TIME.sub("TIME", _ORIGIN.sub("", text)))
