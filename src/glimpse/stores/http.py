"""Images that rest on a web server: they are read there, and never written or removed."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from glimpse.domain.errors import Gone, Invalid, Unavailable
from glimpse.stores.base import ObjectKey, Usage, Writer
from glimpse.stores.outbound import Outbound


@dataclass(frozen=True, slots=True)
class HttpStore:
    """The contract of a store, for reading alone."""

    id: str
    outbound: Outbound
    schemes: tuple[str, ...] = ("http", "https")

    def open_writer(self, key: ObjectKey, size: int | None) -> Writer:  # noqa: ARG002 - as the contract
        """:raises Gone: always."""
        raise Gone("The store of HTTP locations takes no data.")

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """See the contract. A read that breaks goes on where it broke."""
        with self._judging():
            return self.outbound.read(url, offset, length)

    def owns(self, url: str) -> bool:
        """Whatever is on the web."""
        return url.partition("://")[0].lower() in self.schemes

    def stat(self, url: str) -> int:
        """See the contract."""
        with self._judging():
            return self.outbound.size(url)

    @contextmanager
    def _judging(self) -> Iterator[None]:
        # The rules, or where the source redirects to, may have changed since the image got the location.
        try:
            yield
        except Invalid as error:
            raise Unavailable(self.id, f"the location is forbidden: {error.reason}") from None

    def delete(self, url: str) -> None:
        """The data is somebody else's and stays."""

    def discard(self, key: ObjectKey) -> None:
        """Nothing was written."""

    def check_url(self, url: str) -> None:
        """:raises Invalid: the operator's rules forbid it."""
        self.outbound.check_url(url)

    def usage(self) -> Usage:
        """Nobody knows."""
        return Usage(None, None)
