"""Connections to a registry that are kept, and used by any thread.

`http.client` sends the head and the body of a request at once, and takes half the processor time of a library
that speaks more than one version of HTTP: of that a call has little else.
"""

import ssl
import time
from collections import deque
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPSConnection
from select import POLLIN, poll

from glimpse.config.registry import RegistryLink
from glimpse.domain.errors import Invalid

# The registry closes connections that are not used for 75 seconds; this side is the first to do so.
_IDLE_SECONDS = 30.0
_IDLE_CONNECTIONS = 32
_CONNECT_SECONDS = 5


class Connections:
    """The way to one registry."""

    def __init__(self, link: RegistryLink) -> None:
        """:raises Invalid: a file of `link` cannot be used."""
        self._link = link
        self._trust = _trust(link) if link.tls else None
        # The last that was used is the first to be used again; with the time when it was put here.
        self._idle: deque[tuple[float, HTTPConnection]] = deque()

    def post(self, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, bytes]:
        """The status and the body of what is answered.

        :raises OSError, http.client.HTTPException: nothing is, or not in time.
        """
        connection = self._idle_one() or self._new()
        try:
            connection.request("POST", path, body, dict(headers))
            with connection.getresponse() as response:
                status, answer = response.status, response.read()
        except BaseException:
            connection.close()
            raise
        self._keep(connection)
        return status, answer

    def close(self) -> None:
        """Close all that are idle."""
        while self._idle:
            self._idle.pop()[1].close()

    def _new(self) -> HTTPConnection:
        link, patience = self._link, min(_CONNECT_SECONDS, self._link.timeout)
        connection = (
            HTTPConnection(link.host, link.port, timeout=patience)
            if self._trust is None
            else HTTPSConnection(link.host, link.port, timeout=patience, context=self._trust)
        )
        connection.connect()
        connection.sock.settimeout(link.timeout)
        return connection

    def _idle_one(self) -> HTTPConnection | None:
        """One that may be used again, if there is any; those that may not are closed."""
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:  # another thread was quicker
                return None
            if time.monotonic() - since < _IDLE_SECONDS and _is_alive(connection):
                return connection
            connection.close()
        return None

    def _keep(self, connection: HTTPConnection) -> None:
        if connection.sock is None:  # the registry wanted it closed
            return
        self._idle.append((time.monotonic(), connection))
        if len(self._idle) > _IDLE_CONNECTIONS:
            # The one that was used least.
            self._idle.popleft()[1].close()


def _is_alive(connection: HTTPConnection) -> bool:
    """Whether the other side has said nothing since its last answer, such as that it is gone."""
    waiting = poll()
    waiting.register(connection.sock, POLLIN)
    return not waiting.poll(0)


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
