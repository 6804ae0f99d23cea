"""What the image cache needs from the outside: somebody who keeps the list of what is cached where.

The promises of `catalog/ports.py` hold here too: calls are synchronous, thread-safe and transactional.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class CachedImage:
    """An image whose data a node has in its cache. Times are whole seconds since the epoch.

    `last_modified` is the time that the cache gave to its file, `checksum` the image's when it was cached;
    `id` is the row's number, which nothing but clients look at.
    """

    image_id: str
    size: int
    checksum: str | None
    last_modified: int
    last_accessed: int
    hits: int = 0
    id: int = 0


@dataclass(frozen=True, slots=True)
class Hits:
    """How often an image was read from a cache, and when last, in seconds since the epoch."""

    count: int
    last: int


class CacheRecords(Protocol):
    """Which node has which images in its cache. A node is known by its address or name."""

    def get(self, node: str, image_id: str) -> CachedImage | None:
        """What the node has of an image, if it has it."""

    def of_node(self, node: str) -> list[CachedImage]:
        """All that the node has, the longest unread first."""

    def nodes(self, image_id: str) -> list[str]:
        """The nodes that have an image, in the order of their names."""

    def gone(self, node: str) -> list[str]:
        """The ids of what the node has of images that were deleted."""

    def put(self, node: str, image: CachedImage) -> None:
        """Note that the node has an image. What was noted of it before goes, but for its hits."""

    def count(self, node: str, hits: Mapping[str, Hits]) -> None:
        """Add to the hits of images, by their ids; those that the node does not have are left out."""

    def remove(self, node: str, image_ids: Collection[str]) -> int:
        """Forget that the node has these images; how many of them it had."""
