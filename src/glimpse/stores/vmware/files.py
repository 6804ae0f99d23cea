"""The bytes of a datastore's files, through vCenter's datastore browser (`/folder`).

Reading is httpx's. An upload speaks HTTP by hand: its bytes come piece by piece from the caller, and it asks
the server whether it will take them (`Expect: 100-continue`) before the first one is sent, so that an ended
session or a full datastore costs nothing.
"""

import http.client
import re
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from glimpse.domain.errors import GlimpseError, SizeMismatch, Unavailable
from glimpse.stores.vmware.places import Account, File
from glimpse.stores.vmware.session import Broken, FileMissing, Full, VcenterSession, pauses

_REDIRECTS = 5
_CONNECT_SECONDS = 10
_READ_SECONDS = 60
# The server may have much to bring to its disks after the last byte.
_FINISH_SECONDS = 300
# Who does not know what is expected of him says nothing: then the bytes are sent anyway (RFC 9110, 10.1.1).
_EXPECT_SECONDS = 1.0
_SMALL = 4096

_CONTENT_RANGE = re.compile(r"bytes (\d{1,20})-\d+/(\d{1,20})\Z", re.ASCII)


class DatastoreFiles:
    """Reads and writes files of datastores, from any thread. `part` is what errors call it."""

    def __init__(self, account: Account, session: VcenterSession, part: str) -> None:
        self._account = account
        self._session = session
        self._part = part
        self._address = account.address()
        self._client = httpx.Client(
            verify=session.context,
            timeout=httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS),
            headers={"Accept-Encoding": "identity", "User-Agent": "glimpse"},
            follow_redirects=True,
            max_redirects=_REDIRECTS,
            event_hooks={"request": [self._authorise]},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            trust_env=False,
        )

    def size(self, file: File) -> int:
        """:raises FileMissing: it is not there."""
        with self._asking("HEAD", file) as response:
            return self._number(response.headers.get("content-length", ""))

    def read_small(self, file: File) -> bytes:
        """All of a file of at most 4 KiB. :raises FileMissing: it is not there, or longer."""
        with self._asking("GET", file) as response:
            if self._number(response.headers.get("content-length", "")) > _SMALL:
                raise FileMissing
            return response.read()

    def write_small(self, file: File, content: bytes) -> None:
        """Make or replace a file. :raises FileMissing: its folder is not there."""
        with self._asking("PUT", file, content=content):
            pass

    def read(self, file: File, offset: int, length: int) -> Iterator[bytes]:
        """At least one byte. The first chunk is empty, and comes when the answer has begun.

        A read that breaks goes on where it broke.

        :raises FileMissing: it is not there, or shorter.
        """
        at, end, begun = offset, offset + length, False
        left = pauses(self._account.retries)
        while True:
            try:
                with self._asking("GET", file, {"Range": f"bytes={at}-{end - 1}"}) as response:
                    skip = self._begin(response, at, end)
                    if not begun:
                        begun = True
                        yield b""
                    for chunk in _clip(response.iter_raw(), skip, end - at):
                        at += len(chunk)
                        yield chunk
                if at == end:
                    return
                raise Broken(self._part, "vCenter ended the file too early")
            except Broken:
                pause = next(left, None) if begun else None
                if pause is None:
                    raise
            time.sleep(pause)

    def open_upload(self, file: File, size: int | None) -> "Upload":
        """Begin to make or replace a file of so many bytes (None: unknown).

        :raises FileMissing: its folder is not there.
        """
        for renewed in (False, True):
            cookie = self._session.cookie()
            with self._telling():
                connection = self._connect()
                try:
                    status = _announce(connection, file, size, cookie)
                except BaseException:
                    connection.close()
                    raise
            if status == 100:
                return Upload(connection, size, self._part)
            connection.close()
            if status != 401 or renewed:
                raise _refusal(status, self._part)
            self._session.renew(cookie)
        raise AssertionError("not reached")

    def _connect(self) -> http.client.HTTPSConnection:
        host, port = self._address
        connection = http.client.HTTPSConnection(
            host, port, timeout=_CONNECT_SECONDS, context=self._session.context
        )
        connection.connect()
        connection.sock.settimeout(_READ_SECONDS)
        return connection

    def _authorise(self, request: httpx.Request) -> None:
        """Only vCenter itself gets the session; a host that it redirects to brings its ticket in the URL."""
        if request.url.scheme != "https":
            raise Unavailable(self._part, "vCenter redirects to what is not HTTPS")
        if (request.url.host, request.url.port or 443) == self._address:
            request.headers["Cookie"] = self._session.cookie()

    @contextmanager
    def _asking(
        self, method: str, file: File, headers: dict[str, str] | None = None, content: bytes | None = None
    ) -> Iterator[httpx.Response]:
        """A good answer. An ended session is renewed; a request that cannot be made is made again."""
        response = self._send(method, file, headers or {}, content)
        try:
            if response.status_code not in (200, 201, 206):
                raise _refusal(response.status_code, self._part)
            with self._telling():
                yield response
        finally:
            response.close()

    def _send(
        self, method: str, file: File, headers: dict[str, str], content: bytes | None
    ) -> httpx.Response:
        host, port = self._address
        url = f"https://{f'[{host}]' if ':' in host else host}:{port}{file.resource()}"
        left, renewed = pauses(self._account.retries), False
        while True:
            request = self._client.build_request(method, url, headers=headers, content=content)
            try:
                with self._telling():
                    response = self._client.send(request, stream=True)
            except Broken:
                pause = next(left, None)
                if pause is None:
                    raise
                time.sleep(pause)
                continue
            if response.status_code != 401 or renewed:
                return response
            renewed = True
            response.close()
            self._session.renew(response.request.headers.get("Cookie", ""))

    def _begin(self, response: httpx.Response, at: int, end: int) -> int:
        """How many bytes of the answer come before the one asked for."""
        if response.status_code == 206:
            match = _CONTENT_RANGE.match(response.headers.get("content-range", ""))
            if match is None or int(match.group(1)) != at:
                raise Unavailable(self._part, "vCenter sends another range than was asked for")
            begin, total = at, int(match.group(2))
        else:
            begin, total = 0, self._number(response.headers.get("content-length", ""))
        if total < end:
            raise FileMissing
        return at - begin

    def _number(self, digits: str) -> int:
        if not digits.isdecimal() or len(digits) > 20:
            raise Unavailable(self._part, "vCenter does not tell the size of a file")
        return int(digits)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except GlimpseError:
            raise
        except (httpx.TimeoutException, TimeoutError):
            raise Broken(self._part, "vCenter does not answer in time") from None
        except (httpx.HTTPError, httpx.InvalidURL, OSError, http.client.HTTPException) as error:
            reason = f"the connection to vCenter failed ({type(error).__name__})"
            raise Broken(self._part, reason) from None


class Upload:
    """A file on its way in, over a connection of its own."""

    def __init__(self, connection: http.client.HTTPSConnection, size: int | None, part: str) -> None:
        self._connection = connection
        self._size = size
        self._part = part
        self.sent = 0

    def send(self, chunks: Sequence[bytes]) -> None:
        """:raises Unavailable: the server does not take them. :raises SizeMismatch: more than announced."""
        length = sum(map(len, chunks))
        if self._size is not None and self.sent + length > self._size:
            raise SizeMismatch(self._size, self.sent + length)
        if length:
            frame = (b"%x\r\n" % length, *chunks, b"\r\n") if self._size is None else chunks
            self._send(b"".join(frame))
            self.sent += length

    def finish(self) -> None:
        """All was sent; return when the server has it.

        :raises Unavailable: it has not. :raises SizeMismatch: it is less than was announced.
        """
        if self._size not in (None, self.sent):
            raise SizeMismatch(self._size or 0, self.sent)
        if self._size is None:
            self._send(b"0\r\n\r\n")
        status = self._answer(_FINISH_SECONDS)
        self.close()
        if status not in (200, 201, 204):
            raise _refusal(status, self._part)

    def close(self) -> None:
        """End the connection; an unfinished file stays behind."""
        self._connection.close()

    def _send(self, content: bytes) -> None:
        try:
            self._connection.sock.sendall(content)
        except OSError:
            # The server may have said why before it closed the connection.
            raise _refusal(self._answer(_EXPECT_SECONDS), self._part) from None

    def _answer(self, seconds: float) -> int:
        """The status, or 0 if there is none."""
        try:
            self._connection.sock.settimeout(seconds)
            return self._connection.getresponse().status
        except (OSError, http.client.HTTPException, AttributeError):
            return 0


def _announce(connection: http.client.HTTPSConnection, file: File, size: int | None, cookie: str) -> int:
    """Send the head of an upload: 100 if the bytes may follow, else the status of the answer."""
    connection.putrequest("PUT", file.resource(), skip_accept_encoding=True)
    connection.putheader("Cookie", cookie)
    connection.putheader("Content-Type", "application/octet-stream")
    if size is None:
        connection.putheader("Transfer-Encoding", "chunked")
    else:
        connection.putheader("Content-Length", str(size))
    if size != 0:
        connection.putheader("Expect", "100-continue")
    connection.endheaders()
    return 100 if size == 0 else _interim(connection.sock)


def _interim(connection: socket.socket) -> int:
    """The status of the next answer, or 100 if there is none. Of 100, the whole answer is read."""
    connection.settimeout(_EXPECT_SECONDS)
    try:
        # Unbuffered: what follows belongs to the final answer.
        with connection.makefile("rb", buffering=0) as lines:
            words = lines.readline(_SMALL).split(None, 2)
            if len(words) < 2 or not words[1].isdigit():
                raise http.client.BadStatusLine("")
            while words[1] == b"100" and lines.readline(_SMALL).strip():
                pass
    except TimeoutError:
        return 100
    finally:
        connection.settimeout(_READ_SECONDS)
    return int(words[1])


def _refusal(status: int, part: str) -> Exception:
    if status in (404, 410, 416):
        return FileMissing()
    if status == 507:
        return Full(part, "the datastore is full")
    reasons = {
        0: "vCenter broke off the upload",
        401: "vCenter ends the session at once",
        403: "the user of vCenter may not use files of the datastore",
    }
    return Unavailable(part, reasons.get(status, f"vCenter answers {status} for a file of the datastore"))


def _clip(chunks: Iterator[bytes], skip: int, length: int) -> Iterator[bytes]:
    """`length` bytes after the first `skip`."""
    for chunk in chunks:
        wanted = chunk[skip : skip + length]
        skip = max(0, skip - len(chunk))
        length -= len(wanted)
        if wanted:
            yield wanted
        if not length:
            return
