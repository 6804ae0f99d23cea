"""What may be connected to: URLs and addresses are judged here, and connections made to no others.

What clients name is judged before anything is connected to: scheme, host and port by the operator's rules,
and each address that the host's name stands for. The connection is made to an address that was judged
(`[import_filtering_opts]`; OSSA-2017-001 and its successors).
"""

import re
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

import httpcore
import httpx

from glimpse.domain.errors import Invalid
from glimpse.domain.url_rules import Rules
from glimpse.stores.pace import Deadline, PacedNetwork

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


class GuardedTransport(httpx.BaseTransport):
    """Connects to addresses that were judged, and to no others; TLS is still verified by the name.

    A connection is never used again: it was verified for one name, and another may share its address.
    Each request brings its `Deadline` among its extensions, and has no body.
    """

    def __init__(self, rules: Rules, find: Resolve, verify: ssl.SSLContext) -> None:
        self._rules = rules
        self._find = find
        self._verify = verify

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Redirects come back as they are.

        :raises Invalid: the rules forbid it. Failures come as errors of httpcore.
        """
        host = check_url(self._rules, str(request.url)).host
        failure: Exception = httpcore.ConnectError("the host has no address")
        for address in self._addresses(host, _port(request.url)):
            try:
                return self._ask(request, host, address)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = self._find(host, port)
        except (OSError, UnicodeError):
            raise httpcore.ConnectError("the host's name cannot be resolved") from None
        for address in found:
            check_address(self._rules, host, address)
        return found

    def _ask(self, request: httpx.Request, host: str, address: str) -> httpx.Response:
        url = request.url
        target = httpcore.URL(
            scheme=url.raw_scheme, host=address.encode(), port=_port(url), target=url.raw_path
        )
        deadline: Deadline = request.extensions["deadline"]
        connection = httpcore.HTTPConnection(
            target.origin, ssl_context=self._verify, network_backend=PacedNetwork(deadline)
        )
        extensions = {**request.extensions, "sni_hostname": host}
        response = connection.handle_request(
            httpcore.Request(request.method, target, headers=request.headers.raw, extensions=extensions)
        )
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response, connection))


@dataclass(frozen=True, slots=True)
class _Body(httpx.SyncByteStream):
    """A body, with which its connection ends."""

    response: httpcore.Response
    connection: httpcore.HTTPConnection

    def __iter__(self) -> Iterator[bytes]:
        return self.response.iter_stream()

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()
