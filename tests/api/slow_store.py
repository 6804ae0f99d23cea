"""A store whose reads wait for the test."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

from glimpse.domain.errors import Unavailable
from glimpse.stores.base import ObjectKey, Usage, Writer
from glimpse.stores.memory import MemoryStore

WAIT_SECONDS = 30.0


@dataclass
class SlowStore:
    """A store in memory that counts reads of data and gives out of each as many bytes as the test allows.

    What comes after `breaks` bytes of a read is an error; `replaced` is read instead of what was written.
    """

    memory: MemoryStore = field(default_factory=lambda: MemoryStore("slow"))
    piece: int = 1000
    reads: list[tuple[int, int]] = field(default_factory=list)
    breaks: int | None = None
    replaced: bytes | None = None
    _allowed: int = 0
    _news: threading.Condition = field(default_factory=threading.Condition)

    id = "slow"
    schemes = MemoryStore.schemes

    def allow(self, count: int) -> None:
        """Let each read come to this byte."""
        with self._news:
            self._allowed = count
            self._news.notify_all()

    def open_writer(self, key: ObjectKey, size: int | None) -> Writer:
        return self.memory.open_writer(key, size)

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        data = b"".join(self.memory.open_reader(url, offset, length))
        self.reads.append((offset, length))
        return self._pieces(self.replaced if self.replaced is not None else data)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        for at in range(0, len(data), self.piece):
            if self.breaks is not None and at >= self.breaks:
                raise Unavailable("store", "it broke")
            with self._news:
                while self._allowed <= at:
                    assert self._news.wait(WAIT_SECONDS)
            yield data[at : at + self.piece]

    def owns(self, url: str) -> bool:
        return self.memory.owns(url)

    def stat(self, url: str) -> int:
        return self.memory.stat(url)

    def delete(self, url: str) -> None:
        self.memory.delete(url)

    def discard(self, key: ObjectKey) -> None:
        self.memory.discard(key)

    def check_url(self, url: str) -> None:
        self.memory.check_url(url)

    def usage(self) -> Usage:
        return self.memory.usage()
