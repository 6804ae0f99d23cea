"""The registry's client: the ports of the records, each call of which is one request to a registry."""

import logging
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import httpcore

from glimpse.catalog.records import Records
from glimpse.config.registry import RegistryLink
from glimpse.domain import spans
from glimpse.domain.errors import Invalid, Unavailable
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

# The registry closes connections that are not used for 75 seconds; this side is the first to do so.
_IDLE_SECONDS = 30
_IDLE_CONNECTIONS = 32
_CONNECT_SECONDS = 5

# The headers by which this node is known to the registry; new ones if the last were refused (True).
Credentials = Callable[[bool], Mapping[str, str]]

LOG = logging.getLogger(__name__)


class Registry:
    """A registry, with connections to it that are kept and shared by all threads."""

    def __init__(self, link: RegistryLink, credentials: Credentials) -> None:
        """:raises Invalid: a file of `link` cannot be used."""
        self._link = link
        self._credentials = credentials
        self._pool = httpcore.ConnectionPool(
            ssl_context=_trust(link) if link.tls else None,
            max_connections=None,
            max_keepalive_connections=_IDLE_CONNECTIONS,
            keepalive_expiry=_IDLE_SECONDS,
        )
        host = f"[{link.host}]" if ":" in link.host else link.host
        self._base = f"{'https' if link.tls else 'http'}://{host}:{link.port}"
        patience = {"connect": min(_CONNECT_SECONDS, link.timeout), "pool": link.timeout}
        self._timeout = {"read": link.timeout, "write": link.timeout, **patience}

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
        self._pool.close()

    def _ask(self, path: str, body: bytes, *, renew: bool) -> tuple[int, bytes]:
        headers = [("content-type", CONTENT_TYPE), *self._credentials(renew).items()]
        try:
            with spans.call(f"registry {path}", {"server.address": self._link.host}):
                answer = self._pool.request(
                    "POST",
                    self._base + path,
                    headers=headers,
                    content=body,
                    extensions={"timeout": self._timeout},
                )
        except (httpcore.TimeoutException, httpcore.NetworkError, httpcore.ProtocolError, OSError) as error:
            raise Unavailable("registry", f"{self._base}: {_describe(error)}") from None
        return answer.status, answer.content

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


def _trust(link: RegistryLink) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=link.ca_file)
        if link.cert_file:
            context.load_cert_chain(link.cert_file, link.key_file)
    except OSError as error:
        files = ", ".join(filter(None, (link.ca_file, link.cert_file, link.key_file)))
        raise Invalid("registry_client_cert_file", f"{files}: {error.strerror or error}") from None
    if link.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _describe(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
