"""What may be connected to: URLs and addresses are judged here, and connections made to no others.

What clients name is judged before anything is connected to: scheme, host and port by the operator's rules,
and each address that the host's name stands for. The connection is made to an address that was judged
(`[import_filtering_opts]`; OSSA-2017-001 and its successors).
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import httpx

from glimpse.domain.errors import Invalid
from glimpse.domain.url_rules import Rules
from glimpse.stores.pace import Deadline, PacedSocket

# What some resolvers take for an address although it is not written as one: 2130706433, 0x7f.1, 0177.0.0.1.
_LIKE_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)\Z", re.ASCII | re.IGNORECASE)

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses that a name stands for. :raises OSError: none."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def check_url(rules: Rules, url: str) -> httpx.URL:
    """Judge a URL by what is written. :raises Invalid: the rules forbid it, or it is none."""
    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, ValueError):
        raise Invalid("url", "it is no URL") from None
    if parsed.scheme not in ("http", "https") or not rules.schemes.admits(parsed.scheme):
        raise _filtered(f"the scheme '{parsed.scheme[:20]}' is not allowed")
    host = parsed.host
    if not host or not rules.hosts.admits(host):
        raise _filtered("the host is not allowed")
    if _LIKE_NUMBER.match(host.rstrip(".").rpartition(".")[2]) and not _is_address(host):
        raise _filtered("the host is an address in disguise")
    port = str(_port(parsed))
    if not rules.ports.admits(port):
        raise _filtered(f"the port {port} is not allowed")
    return parsed


def _filtered(reason: str) -> Invalid:
    # Clients (Tempest) look for these words.
    return Invalid("url", f"it does not pass filtering: {reason}")


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def check_address(rules: Rules, host: str, text: str) -> None:
    """Judge an address of a host. :raises Invalid: it leads to this machine or link, or is forbidden."""
    if host in rules.hosts.allowed:
        return
    address: Address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    inward = address.is_loopback or address.is_link_local or address.is_unspecified
    if inward or address.is_multicast or (not rules.hosts.admits(str(address)) and not rules.hosts.allowed):
        raise _filtered("the host's address is not allowed")


@dataclass(frozen=True, slots=True)
class Guard:
    """Connects to addresses that were judged, and to no others; TLS is still verified by the name.

    A connection is never used again: it was verified for one name, and another may share its address.
    """

    rules: Rules
    find: Resolve
    verify: ssl.SSLContext

    @contextmanager
    def answer(
        self, method: str, url: httpx.URL, headers: Mapping[str, str], deadline: Deadline, connect: float
    ) -> Iterator[HTTPResponse]:
        """What is answered to one request without a body; redirects come back as they are.

        To connect may take `connect` seconds.

        :raises Invalid: the rules forbid it. :raises OSError, http.client.HTTPException: it fails.
        """
        host = check_url(self.rules, str(url)).host
        with self._connected(url, host, deadline, connect) as plain:
            # Its own sockets would know neither the address nor the deadline.
            connection: Any = HTTPConnection(host)
            connection.sock = PacedSocket(plain, deadline)
            named = {"Host": url.netloc.decode(), **headers}
            connection.request(method, url.raw_path.decode(), headers=named)
            with connection.getresponse() as response:
                yield response

    def _connected(self, url: httpx.URL, host: str, deadline: Deadline, most: float) -> socket.socket:
        failure: OSError = ConnectionError("the host has no address")
        for address in self._addresses(host, _port(url)):
            try:
                plain = socket.create_connection((address, _port(url)), deadline.left(most))
                return self._secured(plain, host, deadline) if url.scheme == "https" else plain
            except OSError as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = self.find(host, port)
        except (OSError, UnicodeError):
            raise ConnectionError("the host's name cannot be resolved") from None
        for address in found:
            check_address(self.rules, host, address)
        return found

    def _secured(self, plain: socket.socket, host: str, deadline: Deadline) -> socket.socket:
        try:
            plain.settimeout(deadline.left())
            return self.verify.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise
