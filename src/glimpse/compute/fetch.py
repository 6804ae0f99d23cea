"""An image's data into a file: by several ranges at once, going on where an earlier try ended."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from glimpse.compute.images import Body, ImageService
from glimpse.domain.errors import Unavailable

PIECE = 16 * 1024 * 1024
_STREAMS = 4
# So many times in a row a range may bring nothing; the waits between are 0.5, 1, 2 and 4 s.
_TRIES = 5
_WAIT = 0.5
_ZEROS = bytes(1024 * 1024)


class _NoRanges(Exception):
    """The service sends all there is, whatever is asked for."""


def fetch(service: ImageService, image_id: str, size: int, path: Path) -> None:
    """Fetch the `size` bytes of an image. What a call that failed left at `path` is not fetched again.

    Whether it is the right data is for the caller to say. Nothing of it is durable before this returns.

    :raises Unavailable: the service does not send it, or the file cannot be written.
    :raises GlimpseError: the service refuses.
    """
    finished = path.with_name(f"{path.name}.finished")
    try:
        if not finished.exists():
            path.unlink(missing_ok=True)
        with ExitStack() as stack:
            file = stack.enter_context(_opened(path, os.O_RDWR))
            log = stack.enter_context(_opened(finished, os.O_WRONLY | os.O_APPEND))
            os.truncate(file, size)
            lines = frozenset(finished.read_text().split("\n"))
            _Download(service, image_id, size, file, log, lines).run()
            os.fsync(file)
        finished.unlink()
    except OSError as error:
        raise Unavailable("state folder", error.strerror or "it cannot be written") from error


@contextmanager
def _opened(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class _Download:
    """One image on its way into `file`. Each piece that has come is a line `first-last` of `log`."""

    service: ImageService
    image_id: str
    size: int
    file: int
    log: int
    finished: frozenset[str]
    stopped: Event = field(default_factory=Event)

    def run(self) -> None:
        pieces = [piece for piece in self._pieces() if _line(*piece) not in self.finished]
        try:
            # The first one tells whether the service knows ranges.
            for piece in pieces[:1]:
                self._fetch(*piece)
            self._fetch_side_by_side(pieces[1:])
        except _NoRanges:
            self._fetch_whole()

    def _pieces(self) -> Iterator[tuple[int, int]]:
        for first in range(0, self.size, PIECE):
            yield first, min(first + PIECE, self.size) - 1

    def _fetch_side_by_side(self, pieces: list[tuple[int, int]]) -> None:
        with ThreadPoolExecutor(_STREAMS) as pool:
            running = [pool.submit(self._fetch, *piece) for piece in pieces]
            try:
                for one in as_completed(running):
                    one.result()
            finally:
                self.stopped.set()
                pool.shutdown(cancel_futures=True)

    def _fetch(self, first: int, last: int) -> None:
        at, tries = first, 0
        while at <= last:
            start = at
            try:
                with self.service.read(self.image_id, at, last) as body:
                    if not body.partial and (at, last) != (0, self.size - 1):
                        raise _NoRanges
                    for chunk in body.chunks:
                        if self.stopped.is_set():
                            return
                        at = self._write(chunk, at, last + 1)
                self._must_have_come(at, last + 1)
            except Unavailable:
                tries = 0 if at > start else tries + 1
                if tries == _TRIES or self.stopped.wait(_WAIT * 2 ** max(0, tries - 1)):
                    raise
        os.write(self.log, f"{_line(first, last)}\n".encode())

    def _fetch_whole(self) -> None:
        for left in reversed(range(_TRIES)):
            try:
                with self.service.read(self.image_id, 0, self.size - 1) as body:
                    self._write_all(body)
                return
            except Unavailable:
                if not left:
                    raise
                time.sleep(_WAIT)

    def _write_all(self, body: Body) -> None:
        at = 0
        for chunk in body.chunks:
            at = self._write(chunk, at, self.size)
        self._must_have_come(at, self.size)

    def _write(self, chunk: bytes, at: int, end: int) -> int:
        if at + len(chunk) > end:
            raise Unavailable("image service", "it sends more bytes than it announced")
        # The file is one hole at first, which zeros need not fill.
        if chunk != _ZEROS[: len(chunk)]:
            os.pwrite(self.file, chunk, at)
        return at + len(chunk)

    def _must_have_come(self, at: int, end: int) -> None:
        if at < end:
            raise Unavailable("image service", f"the data ends {end - at} bytes too early")


def _line(first: int, last: int) -> str:
    return f"{first}-{last}"
