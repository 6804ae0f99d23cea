"""How images are named in RBD, and where their URLs lead."""

from dataclasses import dataclass
from urllib.parse import quote, unquote

from glimpse.domain.errors import Invalid
from glimpse.stores.base import ObjectKey, StoreObjectMissing

# What Nova and Cinder clone is this snapshot of the image.
SNAPSHOT = "snap"

# Images of this ending were never committed. No URL leads to them.
_INCOMING = ".incoming"


@dataclass(frozen=True, slots=True)
class Place:
    """An image and perhaps a snapshot; and the cluster and pool, unless the URL leaves them to the store."""

    image: str
    snapshot: str | None = None
    fsid: str | None = None
    pool: str | None = None

    @classmethod
    def of(cls, url: str) -> "Place":
        """Read `rbd://fsid/pool/image/snapshot` or `rbd://image`, percent-encoded.

        :raises StoreObjectMissing: it is something else.
        """
        scheme, _, text = url.partition("://")
        parts = [unquote(part) for part in text.split("/")]
        if scheme != "rbd" or not all(part.isascii() and part.isprintable() and part for part in parts):
            raise StoreObjectMissing(url)
        if len(parts) == 1 and not is_incoming(parts[0]):
            return cls(parts[0])
        if len(parts) != 4 or is_incoming(parts[2]):
            raise StoreObjectMissing(url)
        fsid, pool, image, snapshot = parts
        return cls(image, snapshot, fsid, pool)

    def url(self) -> str:
        """The inverse of `of`, for places that are complete."""
        parts = (self.fsid or "", self.pool or "", self.image, self.snapshot or "")
        return "rbd://" + "/".join(quote(part, safe="") for part in parts)


def incoming(key: ObjectKey) -> str:
    """The name of an attempt until it is committed. :raises Invalid: RBD takes no such name."""
    image_id = key.image_id
    if not (image_id.isascii() and image_id.isprintable()) or not image_id or set(image_id) & set("/@ "):
        raise Invalid("image id", "it cannot be the name of an image of RBD.")
    return f"{key}{_INCOMING}"


def is_incoming(name: str) -> bool:
    """Whether this is the name of an attempt."""
    return name.endswith(_INCOMING)
