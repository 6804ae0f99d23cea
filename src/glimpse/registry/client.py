"""The registry's client: the ports of the records, each call of which is one request to a registry."""

import logging
from collections.abc import Callable, Mapping
from http.client import HTTPException
from typing import Any

from glimpse.catalog.records import Records
from glimpse.config.registry import RegistryLink
from glimpse.domain import spans
from glimpse.domain.errors import Unavailable
from glimpse.registry.connections import Connections
from glimpse.registry.wire import (
    CONTENT_TYPE,
    ERROR_STATUS,
    PORTS,
    UNAVAILABLE_STATUS,
    Call,
    decode_error,
    decode_result,
    encode_arguments,
)

# The headers by which this node is known to the registry; new ones if the last were refused (True).
Credentials = Callable[[bool], Mapping[str, str]]

LOG = logging.getLogger(__name__)


class Registry:
    """A registry, with connections to it that are kept and shared by all threads."""

    def __init__(self, link: RegistryLink, credentials: Credentials) -> None:
        """:raises Invalid: a file of `link` cannot be used."""
        self._link = link
        self._credentials = credentials
        self._connections = Connections(link)
        host = f"[{link.host}]" if ":" in link.host else link.host
        self._base = f"{'https' if link.tls else 'http'}://{host}:{link.port}"

    def call(self, call: Call, arguments: object) -> Any:
        """What the call returns; what it raises is raised.

        :raises Unavailable: the registry does not answer, refuses this node, or is of another release.
        """
        body = encode_arguments(call, arguments)
        status, answer = self._ask(call.path, body, renew=False)
        if status == 401:
            status, answer = self._ask(call.path, body, renew=True)
        if status == 200:
            try:
                return decode_result(call, answer)
            except ValueError as error:
                raise self._trouble(f"its answer to {call} cannot be read: {error}") from None
        raise self._refusal(call, status, answer)

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def _ask(self, path: str, body: bytes, *, renew: bool) -> tuple[int, bytes]:
        headers = {"content-type": CONTENT_TYPE, **self._credentials(renew)}
        try:
            with spans.call(f"registry {path}", {"server.address": self._link.host}):
                return self._connections.post(path, headers, body)
        except (OSError, HTTPException) as error:
            raise Unavailable("registry", f"{self._base}: {_describe(error)}") from None

    def _refusal(self, call: Call, status: int, answer: bytes) -> Exception:
        try:
            error = decode_error(answer)
        except ValueError:
            return self._trouble(f"it answered {call} with the status {status}")
        if status in (ERROR_STATUS, UNAVAILABLE_STATUS):
            return error
        if status in (401, 403):
            return self._trouble(f"it refuses this node: {error}")
        return self._trouble(f"it answered {call} with the status {status}: {error}")

    def _trouble(self, reason: str) -> Unavailable:
        # Somebody must mend it: waiting does not help.
        LOG.error("registry %s: %s", self._base, reason)
        return Unavailable("registry", reason)


def records_behind(registry: Registry) -> Records:
    """The records behind a registry."""
    ports: dict[str, Any] = {name: _Port(registry, calls) for name, calls in PORTS.items()}
    return Records(**ports)


class _Port:
    """A port, whose methods are those that the wire knows."""

    def __init__(self, registry: Registry, calls: Mapping[str, Call]) -> None:
        for verb, call in calls.items():
            setattr(self, verb, _method(registry, call))


def _method(registry: Registry, call: Call) -> Callable[..., Any]:
    def method(*args: object, **kwargs: object) -> Any:
        return registry.call(call, call.arguments(*args, **kwargs))

    return method


def _describe(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
