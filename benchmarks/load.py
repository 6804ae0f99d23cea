"""A load generator that costs little: one thread, prepared requests, a few keep-alive connections.

It knows as much HTTP/1.1 as the two services speak: Content-Length, chunked bodies, "Connection: close".
"""

import selectors
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

Address = tuple[str, int]


@dataclass(slots=True)
class Outcome:
    """What came of one run."""

    seconds: float = 0.0
    statuses: Counter[int] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return self.statuses.total()

    @property
    def failures(self) -> int:
        return sum(count for status, count in self.statuses.items() if not 200 <= status < 300)

    @property
    def rate(self) -> float:
        return self.requests / self.seconds if self.seconds else 0.0

    @property
    def median_latency(self) -> float:
        return statistics.median(self.latencies) if self.latencies else 0.0


def encode(method: str, path: str, headers: Mapping[str, str], body: bytes = b"", length: int = 0) -> bytes:
    """One request, ready to be sent; or only its head, when the length of a later body is given."""
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if method in ("POST", "PUT", "PATCH"):
        lines.append(f"Content-Length: {length or len(body)}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


def run(
    address: Address,
    requests: Iterator[bytes],
    seconds: float,
    connections: int,
    collect: Callable[[bytes], None] | None = None,
) -> Outcome:
    """Sends requests until the time is over or there are no more of them, then waits for the last answers.

    The bodies of the answers that tell success are handed to `collect`.
    """
    outcome = Outcome()
    begun = time.perf_counter()
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            Connection(address, selector).send_next(requests)
        while selector.get_map():
            for key, _ in selector.select(30):
                connection: Connection = key.data
                if (answer := connection.receive()) is None:
                    continue
                outcome.statuses[answer.status] += 1
                outcome.latencies.append(answer.seconds)
                if collect is not None and answer.status < 300:
                    collect(answer.body)
                over = time.perf_counter() - begun >= seconds
                connection.send_next(iter(()) if over else requests)
    outcome.seconds = time.perf_counter() - begun
    return outcome


def fetch(address: Address, request: bytes, timeout: float = 30) -> "Answer":
    """One request and its answer on a connection of its own."""
    with selectors.DefaultSelector() as selector:
        connection = Connection(address, selector, timeout)
        connection.send_next(iter([request]))
        while (answer := connection.receive()) is None:
            pass
        connection.close()
        return answer


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    seconds: float


class Connection:
    """One client: it has at most one request under way, and connects again when the server hangs up."""

    def __init__(self, address: Address, selector: selectors.BaseSelector, timeout: float = 30) -> None:
        self._address = address
        self._timeout = timeout
        self._selector = selector
        self._socket: socket.socket | None = None
        self._received = bytearray()
        self._sent_at = 0.0

    def send_next(self, requests: Iterator[bytes]) -> None:
        """Sends the next request; without one the connection is closed."""
        request = next(requests, None)
        if request is None:
            self.close()
            return
        self._received.clear()
        self._sent_at = time.perf_counter()
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=self._timeout)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(self._socket, selectors.EVENT_READ, self)
        self._socket.sendall(request)

    def receive(self) -> Answer | None:
        """Reads what has come; the answer, once it is whole."""
        assert self._socket is not None
        data = self._socket.recv(262_144)
        self._received += data
        body = whole_body(self._received)
        if body is None:
            if not data:
                raise ConnectionError(f"the server hung up after {bytes(self._received[:200])!r}")
            return None
        seconds = time.perf_counter() - self._sent_at
        if b"onnection: close" in self._received[: self._received.index(b"\r\n\r\n")]:
            self.close()
        return Answer(int(self._received[9:12]), body, seconds)

    def close(self) -> None:
        if self._socket is not None:
            self._selector.unregister(self._socket)
            self._socket.close()
            self._socket = None


def whole_body(received: bytearray) -> bytes | None:
    """The body of an answer, or None as long as some of it is missing."""
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    head, rest = bytes(received[:end]).lower(), received[end + 4 :]
    if b"\r\ncontent-length:" in head:
        length = int(head.split(b"\r\ncontent-length:")[1].split(b"\r\n")[0])
        return bytes(rest) if len(rest) >= length else None
    if b"\r\ntransfer-encoding: chunked" in head:
        return unchunked(bytes(rest)) if rest.endswith(b"0\r\n\r\n") else None
    return b""


def unchunked(data: bytes) -> bytes:
    body = b""
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        body += data[:length]
        data = data[length + 2 :]
        if length == 0:
            break
    return body
