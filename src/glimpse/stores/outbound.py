"""The one guarded way out: every HTTP request that this program makes for somebody else goes through here.

What clients name is judged before anything is connected to: scheme, host and port by the operator's rules,
and each address that the host's name stands for. The connection is made to an address that was judged, and
every redirect is judged again (`[import_filtering_opts]`; OSSA-2017-001 and its successors).
"""

import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import chain

import httpx

from glimpse.domain.errors import GlimpseError, Invalid, Unavailable
from glimpse.domain.url_rules import Rules
from glimpse.stores.base import StoreObjectMissing

MAX_REDIRECTS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410, 416})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)\Z", re.ASCII)
# What some resolvers take for an address although it is not written as one: 2130706433, 0x7f.1, 0177.0.0.1.
_LIKE_NUMBER = re.compile(r"(0x[0-9a-f]*|\d+)\Z", re.ASCII | re.IGNORECASE)

Address = IPv4Address | IPv6Address
Resolve = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source may take, in seconds, and how often a broken read goes on where it broke.

    After `grace` seconds a source must have sent `slowest` bytes a second.
    """

    connect: float = 10.0
    read: float = 30.0
    grace: float = 60.0
    slowest: int = 1024
    retries: int = 3


_RULES = Rules()
_PATIENCE = Patience()


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


class _GuardedTransport(httpx.BaseTransport):
    """Connects to addresses that were judged, and to no others; TLS is still verified by the name."""

    def __init__(self, rules: Rules, find: Resolve, verify: ssl.SSLContext) -> None:
        self._rules = rules
        self._find = find
        # A connection is never used again: it was verified for one name, and another may share its address.
        limits = httpx.Limits(max_keepalive_connections=0)
        self._plain = httpx.HTTPTransport(verify=verify, trust_env=False, limits=limits)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request. Redirects come back as they are."""
        host = check_url(self._rules, str(request.url)).host
        failure: httpx.TransportError = httpx.ConnectError("the host has no address")
        for address in self._addresses(host, _port(request.url)):
            try:
                return self._plain.handle_request(_directed(request, host, address))
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise failure

    def _addresses(self, host: str, port: int) -> Sequence[str]:
        try:
            found = self._find(host, port)
        except (OSError, UnicodeError):
            raise httpx.ConnectError("the host's name cannot be resolved") from None
        for address in found:
            check_address(self._rules, host, address)
        return found

    def close(self) -> None:
        """Close all connections."""
        self._plain.close()


def _directed(request: httpx.Request, host: str, address: str) -> httpx.Request:
    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": host},
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A body that has begun: its bytes from the one that was asked for, the whole's size, and its version."""

    response: httpx.Response
    skip: int
    total: int | None
    version: str | None


class Outbound:
    """The guarded client. Its calls block; they may be made from any thread."""

    def __init__(
        self,
        rules: Rules = _RULES,
        patience: Patience = _PATIENCE,
        *,
        ca_file: str | None = None,
        insecure: bool = False,
        find: Resolve = resolve,
    ) -> None:
        self.rules = rules
        self._patience = patience
        context = ssl.create_default_context(cafile=ca_file)
        if insecure and not ca_file:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self._client = httpx.Client(
            transport=_GuardedTransport(rules, find, context),
            timeout=httpx.Timeout(patience.read, connect=patience.connect),
            headers={"Accept-Encoding": "identity", "User-Agent": "glimpse"},
            trust_env=False,
        )

    def check_url(self, url: str) -> None:
        """Judge a URL before it is used. :raises Invalid: the rules forbid it, or it carries a password."""
        if check_url(self.rules, url).userinfo:
            raise Invalid("url", "names and passwords do not belong into a location")

    def size(self, url: str) -> int:
        """How many bytes the source holds.

        :raises StoreObjectMissing: nothing is there. :raises Unavailable: it does not tell, or not in time.
        :raises Invalid: the rules forbid it.
        """
        with self._answer("HEAD", url, {}) as response:
            if response.status_code == 200 and "content-length" in response.headers:
                return _number(response.headers["content-length"])
        with self._begin(url, 0, 1, None) as part:
            if part.total is None:
                raise Unavailable("source", "it does not tell its size")
            return part.total

    def read(self, url: str, offset: int = 0, length: int | None = None) -> Iterator[bytes]:
        """Bytes `offset` to `offset + length` (None: to the end), of one version of the source.

        The first of them have arrived when this function returns. A read that breaks goes on where it broke.

        :raises StoreObjectMissing: nothing is there, or less than that.
        :raises Unavailable: it does not answer in time, or has changed. :raises Invalid: the rules forbid it.
        """
        if length == 0:
            return iter(())
        chunks = self._read(url, offset, length)
        return chain((next(chunks, b""),), chunks)

    def _read(self, url: str, offset: int, length: int | None) -> Iterator[bytes]:
        at, end, version = offset, None if length is None else offset + length, None
        began, failures = time.monotonic(), 0
        while end is None or at < end:
            try:
                with self._begin(url, at, None if end is None else end - at, version) as part:
                    version = part.version
                    if end is None:
                        end = part.total
                    for chunk in _window(part, None if end is None else end - at):
                        at += len(chunk)
                        self._check_pace(at - offset, began)
                        yield chunk
                    if end is None:
                        return
                    if at < end:
                        raise Unavailable("source", "it ended too early")
            except GivenUp:
                raise
            except Unavailable:
                failures += 1
                if failures > self._patience.retries or (at > offset and version is None):
                    raise

    def _check_pace(self, received: int, began: float) -> None:
        elapsed = time.monotonic() - began
        if elapsed > self._patience.grace and received < elapsed * self._patience.slowest:
            raise GivenUp("source", "it is too slow")

    @contextmanager
    def _begin(self, url: str, at: int, length: int | None, version: str | None) -> Iterator[_Part]:
        headers = {"Range": f"bytes={at}-{'' if length is None else at + length - 1}"}
        if version is not None:
            headers["If-Range"] = version
        with self._answer("GET", url, headers) as response:
            part = _part(response, at)
            if version is not None and part.version != version:
                raise GivenUp("source", "it was changed while it was read")
            yield part

    @contextmanager
    def _answer(self, method: str, url: str, headers: dict[str, str]) -> Iterator[httpx.Response]:
        with _telling():
            target = check_url(self.rules, url)
            for _ in range(MAX_REDIRECTS + 1):
                with self._client.stream(method, target, headers=headers) as response:
                    if response.status_code not in _REDIRECTS:
                        yield response
                        return
                    target = check_url(self.rules, str(target.join(response.headers.get("location", ""))))
        raise GivenUp("source", f"it redirects more than {MAX_REDIRECTS} times")


@dataclass(eq=False)
class GivenUp(Unavailable):
    """A source that it is of no use to ask again."""


@contextmanager
def _telling() -> Iterator[None]:
    """Errors of the client as errors of ours; the URL, which may hold a secret, is in none of them."""
    try:
        yield
    except GlimpseError:
        raise
    except httpx.TimeoutException:
        raise Unavailable("source", "it does not answer in time") from None
    except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError) as error:
        raise Unavailable("source", f"the connection failed ({type(error).__name__})") from None


def _part(response: httpx.Response, at: int) -> _Part:
    if response.status_code in _GONE:
        raise StoreObjectMissing(str(response.url))
    if response.status_code not in (200, 206):
        raise Unavailable("source", f"it answers {response.status_code}")
    if response.headers.get("content-encoding", "identity") != "identity":
        raise GivenUp("source", "it sends another encoding than was asked for")
    tag = response.headers.get("etag", "")
    version = tag if tag.startswith('"') else response.headers.get("last-modified")
    if response.status_code == 200:
        length = response.headers.get("content-length")
        return _Part(response, at, None if length is None else _number(length), version)
    match = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
    if match is None or match.group(1) is None or _number(match.group(1)) != at:
        raise GivenUp("source", "it sends another range than was asked for")
    return _Part(response, 0, _number(match.group(2)), version)


def _number(digits: str) -> int:
    if not digits.isdecimal() or len(digits) > 20:
        raise Unavailable("source", "it tells a size that is no number")
    return int(digits)


def _window(part: _Part, length: int | None) -> Iterator[bytes]:
    """The bytes of a body from the one that was asked for; never more than `length`."""
    skip = part.skip
    for chunk in part.response.iter_raw():
        if skip:
            skip, chunk = max(0, skip - len(chunk)), chunk[skip:]
        if length is not None:
            chunk = chunk[:length]
            length -= len(chunk)
        if chunk:
            yield chunk
        if length == 0:
            return
