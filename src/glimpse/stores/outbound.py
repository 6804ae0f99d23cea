"""The one guarded way out: every HTTP request that this program makes for somebody else goes through here.

Where it leads to is judged before anything is connected to, and again at every redirect (`guard`). No source
holds a thread for longer than `Patience` allows, and no error tells a URL, which may hold a secret.
"""

import re
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from itertools import chain, count

import httpx
import orjson

from glimpse.domain.errors import GlimpseError, Invalid, Unavailable
from glimpse.domain.spans import call
from glimpse.domain.url_rules import Rules
from glimpse.stores.base import StoreObjectMissing
from glimpse.stores.guard import Guard, Resolve, check_url, resolve
from glimpse.stores.pace import Deadline

MAX_REDIRECTS = 5
MAX_DOCUMENT_BYTES = 1024 * 1024

# What is read at once where there is as much.
READ_BYTES = 512 * 1024

_HEADERS = {"Accept": "*/*", "Accept-Encoding": "identity", "User-Agent": "glimpse", "Connection": "close"}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410, 416})
# Too early, too often, not in time: these may be answered otherwise the next time.
_PASSING = frozenset({408, 425, 429})
_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-\d+|\*)/(\d+)\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a source may take, in seconds, and how often a broken read goes on where it broke.

    It must connect within `connect`, have answered within `head` (with all redirects), and send something of
    the body every `read` seconds. When `grace` seconds were spent on waiting for it, it must have sent
    `slowest` bytes for each of them.
    """

    connect: float = 10.0
    head: float = 60.0
    read: float = 30.0
    grace: float = 60.0
    slowest: int = 1024
    retries: int = 3


_RULES = Rules()
_PATIENCE = Patience()


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a source sends: how many bytes it announced (None: it did not), and the bytes."""

    size: int | None
    chunks: Iterator[bytes]


@dataclass(frozen=True, slots=True)
class _Ask:
    """What is asked for: `secrets` are headers for the URL's own origin, `refused` makes errors."""

    url: str
    refused: Callable[[str, int], GlimpseError]
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Progress:
    """How far a read has come: the next byte, the one after the last, which version of what size it is of."""

    at: int
    end: int | None
    start: int = field(init=False)
    begun: bool = False
    version: str | None = None
    total: int | None = None
    received: int = 0
    waited: float = 0.0

    def __post_init__(self) -> None:
        self.start = self.at


@dataclass(frozen=True, slots=True)
class _Part:
    """A body that has begun: its bytes from the one that was asked for, the whole's size, and its version."""

    response: HTTPResponse
    deadline: Deadline
    skip: int
    total: int | None
    version: str | None


@dataclass(eq=False)
class GivenUp(Unavailable):
    """A source that it is of no use to ask again."""


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
        self._guard = Guard(rules, find, context)

    def check_url(self, url: str) -> None:
        """Judge a URL before it is used. :raises Invalid: the rules forbid it, or it carries a password."""
        if check_url(self.rules, url).userinfo:
            raise Invalid("url", "names and passwords do not belong into a location")

    def size(self, url: str) -> int:
        """How many bytes the source holds.

        :raises StoreObjectMissing: nothing is there. :raises Unavailable: it does not tell, or not in time.
        :raises Invalid: the rules forbid it.
        """
        ask = _Ask(url, _missing)
        with self._answer("HEAD", ask, {}, Deadline(self._patience.head)) as response:
            if response.status == 200 and "content-length" in response.headers:
                return _number(response.headers["content-length"])
        with self._begin(ask, _Progress(0, 1)) as part:
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
        end = None if length is None else offset + length
        chunks = self._read(_Ask(url, _missing), _Progress(offset, end))
        next(chunks)
        return chain((next(chunks, b""),), chunks)

    def fetch(self, url: str, secrets: Mapping[str, str] | None = None) -> Fetched:
        """All bytes of one version of the source, of which the size may be unknown before they have come.

        The head of the answer has arrived when this function returns; the chunks go on raising. A read that
        breaks goes on where it broke, if the source can do that. `secrets` are headers for the URL's own
        origin.

        :raises Invalid: the rules forbid the URL or where it redirects to, or the source answers that it is
            the request's fault (4xx).
        :raises Unavailable: it answers anything else but data, not in time, too slowly, with fewer or more
            bytes than it announced, or has changed meanwhile.
        """
        progress = _Progress(0, None)
        chunks = self._read(_Ask(url, _unusable, secrets or {}), progress)
        next(chunks)
        return Fetched(progress.total, chunks)

    def get_json(self, url: str, secrets: Mapping[str, str] | None = None) -> object:
        """A JSON document of at most `MAX_DOCUMENT_BYTES`, which arrives within `Patience.head`.

        :raises Invalid, Unavailable: as `fetch`; what it sends is no JSON, or too long.
        """
        ask, deadline = _Ask(url, _unusable, secrets or {}), Deadline(self._patience.head)
        with self._answer("GET", ask, {"Accept": "application/json"}, deadline) as response:
            _part(ask, response, deadline, 0)
            body = bytearray()
            while chunk := response.read1(READ_BYTES):
                body += chunk
                if len(body) > MAX_DOCUMENT_BYTES:
                    raise GivenUp("source", "its document is too long")
        try:
            return orjson.loads(body)
        except ValueError:
            raise GivenUp("source", "it sends no JSON") from None

    def _read(self, ask: _Ask, progress: _Progress) -> Iterator[bytes]:
        """The bytes of a read. The first chunk is empty, and comes when the first answer has begun."""
        for failures in count(1):
            try:
                yield from self._go_on(ask, progress)
                return
            except GivenUp:
                raise
            except Unavailable:
                stuck = progress.at > progress.start and progress.version is None
                if stuck or failures > self._patience.retries:
                    raise

    def _go_on(self, ask: _Ask, progress: _Progress) -> Iterator[bytes]:
        with self._begin(ask, progress) as part:
            if not progress.begun:
                progress.begun, progress.version, progress.total = True, part.version, part.total
                yield b""
            skip = part.skip
            for chunk in self._timed(part, progress):
                skip, wanted = max(0, skip - len(chunk)), chunk[skip:]
                if progress.end is not None:
                    wanted = wanted[: progress.end - progress.at]
                elif part.total is not None and progress.at + len(wanted) > part.total:
                    raise GivenUp("source", "it sends more than it announced")
                progress.at += len(wanted)
                if wanted:
                    yield wanted
                if progress.at == progress.end:
                    return
            if progress.at < (progress.end or part.total or 0):
                raise Unavailable("source", "it ended too early")

    def _timed(self, part: _Part, progress: _Progress) -> Iterator[bytes]:
        """The chunks of a body, at the pace asked for; the time that their receiver takes is not counted."""
        while True:
            began = time.monotonic()
            part.deadline.extend(self._patience.read)
            chunk = part.response.read1(READ_BYTES)
            if not chunk:
                return
            progress.waited += time.monotonic() - began
            progress.received += len(chunk)
            too_slow = progress.received < progress.waited * self._patience.slowest
            if too_slow and progress.waited > self._patience.grace:
                raise GivenUp("source", "it is too slow")
            yield chunk

    @contextmanager
    def _begin(self, ask: _Ask, progress: _Progress) -> Iterator[_Part]:
        headers: dict[str, str] = {}
        if progress.at or progress.end is not None:
            headers["Range"] = f"bytes={progress.at}-{'' if progress.end is None else progress.end - 1}"
            if progress.version is not None:
                headers["If-Range"] = progress.version
        deadline = Deadline(self._patience.head)
        with self._answer("GET", ask, headers, deadline) as response:
            part = _part(ask, response, deadline, progress.at)
            if progress.begun and (
                part.version != progress.version or progress.total not in (None, part.total)
            ):
                raise GivenUp("source", "it was changed while it was read")
            yield part

    @contextmanager
    def _answer(
        self, method: str, ask: _Ask, headers: Mapping[str, str], deadline: Deadline
    ) -> Iterator[HTTPResponse]:
        with _telling():
            target = check_url(self.rules, ask.url)
            home, secrets = _origin(target), ask.secrets
            for _ in range(MAX_REDIRECTS + 1):
                sent = {**_HEADERS, **headers, **secrets}
                with (
                    call(f"outbound {method}", {"server.address": target.host}),
                    self._guard.answer(method, target, sent, deadline, self._patience.connect) as response,
                ):
                    if response.status not in _REDIRECTS:
                        yield response
                        return
                    target = check_url(self.rules, str(target.join(response.headers.get("location", ""))))
                if _origin(target) != home:
                    secrets = {}
        raise GivenUp("source", f"it redirects more than {MAX_REDIRECTS} times")


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _missing(url: str, status: int) -> GlimpseError:
    return StoreObjectMissing(url) if status in _GONE else Unavailable("source", f"it answers {status}")


def _unusable(_: str, status: int) -> GlimpseError:
    if 400 <= status < 500 and status not in _PASSING:
        return Invalid("url", f"the source answers {status}")
    return Unavailable("source", f"it answers {status}")


@contextmanager
def _telling() -> Iterator[None]:
    """Errors of the client as errors of ours; the URL, which may hold a secret, is in none of them."""
    try:
        yield
    except GlimpseError:
        raise
    except TimeoutError:
        raise Unavailable("source", "it does not answer in time") from None
    except httpx.InvalidURL:
        raise Invalid("url", "the source redirects to what is no URL") from None
    except (OSError, HTTPException) as error:
        raise Unavailable("source", f"the connection failed ({type(error).__name__})") from None


def _part(ask: _Ask, response: HTTPResponse, deadline: Deadline, at: int) -> _Part:
    if response.status not in (200, 206):
        raise ask.refused(ask.url, response.status)
    if response.headers.get("content-encoding", "identity") != "identity":
        raise GivenUp("source", "it sends another encoding than was asked for")
    version = _version(response.headers)
    if response.status == 200:
        length = response.headers.get("content-length")
        return _Part(response, deadline, at, None if length is None else _number(length), version)
    match = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
    if match is None or match.group(1) is None or _number(match.group(1)) != at:
        raise GivenUp("source", "it sends another range than was asked for")
    return _Part(response, deadline, 0, _number(match.group(2)), version)


def _version(headers: Message) -> str | None:
    """What tells one version of the source from every other; None if nothing does (RFC 9110, 8.8)."""
    tag = headers.get("etag", "")
    if tag.startswith('"'):
        return tag
    changed = headers.get("last-modified")
    try:
        sent = parsedate_to_datetime(headers.get("date", ""))
        # What was changed in the second of the answer may be changed once more in it.
        lasting = changed is not None and sent - parsedate_to_datetime(changed) >= timedelta(seconds=1)
    except (TypeError, ValueError):
        return None
    return changed if lasting else None


def _number(digits: str) -> int:
    if not digits.isdecimal() or len(digits) > 20:
        raise Unavailable("source", "it tells a size that is no number")
    return int(digits)
