"""The list of cached images: the port's `CacheRecords` in SQL, in Glance's own tables."""

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, bindparam, case, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from glimpse.catalog.cache_ports import CachedImage, Hits
from glimpse.records.database import Database
from glimpse.records.failures import Collision
from glimpse.records.tables import cached_images, images, is_present, node_reference

_BY_NODE = cached_images.c.node_reference_id == node_reference.c.node_reference_id
_NODE = node_reference.c.node_reference_url == bindparam("node")
# The order of `CachedImage`'s fields.
_COLUMNS = tuple(
    cached_images.c[name]
    for name in ("image_id", "size", "checksum", "last_modified", "last_accessed", "hits", "id")
)
_HELD = select(*_COLUMNS).join(node_reference, _BY_NODE).where(_NODE)
_GET = _HELD.where(cached_images.c.image_id == bindparam("image"))
_OF_NODE = _HELD.order_by(cached_images.c.last_accessed, cached_images.c.id)
_NODES = (
    select(node_reference.c.node_reference_url)
    .join(cached_images, _BY_NODE)
    .where(cached_images.c.image_id == bindparam("image"))
    .order_by(node_reference.c.node_reference_url)
)
_GONE = (
    select(cached_images.c.image_id)
    .join(node_reference, _BY_NODE)
    .where(
        _NODE,
        ~select(images.c.id).where(images.c.id == cached_images.c.image_id, is_present(images)).exists(),
    )
    .order_by(cached_images.c.image_id)
)
_NODE_ID = select(node_reference.c.node_reference_id).where(_NODE)
_MINE = cached_images.c.node_reference_id == bindparam("node_id")
_ROW = select(cached_images.c.id).where(_MINE, cached_images.c.image_id == bindparam("image"))
_CHANGE = update(cached_images).where(cached_images.c.id == bindparam("row"))
_LATER = case(
    (cached_images.c.last_accessed < bindparam("last"), bindparam("last")),
    else_=cached_images.c.last_accessed,
)
_COUNT = (
    update(cached_images)
    .where(_MINE, cached_images.c.image_id == bindparam("image"))
    .values(hits=cached_images.c.hits + bindparam("more"), last_accessed=_LATER)
)
_REMOVE = delete(cached_images).where(_MINE, cached_images.c.image_id.in_(bindparam("some", expanding=True)))


class SqlCacheRecords:
    """Rows of `cached_images` and `node_reference`. The promises are the port's."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._get = database.prepare(_GET)
        self._of_node = database.prepare(_OF_NODE)
        self._nodes = database.prepare(_NODES)
        self._gone = database.prepare(_GONE)

    def get(self, node: str, image_id: str) -> CachedImage | None:
        """See the port."""
        rows = self._database.read(self._get, {"node": node, "image": image_id})
        return _image_of(rows[0]) if rows else None

    def of_node(self, node: str) -> list[CachedImage]:
        """See the port."""
        return [_image_of(row) for row in self._database.read(self._of_node, {"node": node})]

    def nodes(self, image_id: str) -> list[str]:
        """See the port."""
        return [url for (url,) in self._database.read(self._nodes, {"image": image_id})]

    def gone(self, node: str) -> list[str]:
        """See the port."""
        return [image_id for (image_id,) in self._database.read(self._gone, {"node": node})]

    def put(self, node: str, image: CachedImage) -> None:
        """See the port."""
        values = {
            "size": image.size,
            "checksum": image.checksum,
            "last_modified": _moment(image.last_modified),
            "last_accessed": _moment(image.last_accessed),
        }

        def work(connection: Connection) -> None:
            try:
                note(connection)
            except IntegrityError as error:
                # Another process of the node was quicker: now the row is there.
                raise Collision from error

        def note(connection: Connection) -> None:
            node_id = _node_id(connection, node)
            row = connection.scalar(_ROW, {"node_id": node_id, "image": image.image_id})
            if row is not None:
                connection.execute(_CHANGE, {"row": row, **values})
                return
            new = {**values, "image_id": image.image_id, "hits": image.hits, "node_reference_id": node_id}
            connection.execute(insert(cached_images), new)

        self._database.write(work)

    def count(self, node: str, hits: Mapping[str, Hits]) -> None:
        """See the port."""

        def work(connection: Connection) -> None:
            node_id = connection.scalar(_NODE_ID, {"node": node})
            for image_id, hit in sorted(hits.items()):
                values = {"node_id": node_id, "image": image_id, "more": hit.count, "last": _moment(hit.last)}
                connection.execute(_COUNT, values)

        if hits:
            self._database.write(work)

    def remove(self, node: str, image_ids: Collection[str]) -> int:
        """See the port."""

        def work(connection: Connection) -> int:
            node_id = connection.scalar(_NODE_ID, {"node": node})
            return connection.execute(_REMOVE, {"node_id": node_id, "some": list(image_ids)}).rowcount

        return self._database.write(work) if image_ids else 0


def _node_id(connection: Connection, node: str) -> int:
    found = connection.scalar(_NODE_ID, {"node": node})
    if found is None:
        connection.execute(insert(node_reference), {"node_reference_url": node})
        found = connection.scalar(_NODE_ID, {"node": node})
    return int(found or 0)


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)


def _image_of(row: Any) -> CachedImage:
    image_id, size, checksum, modified, accessed, hits, number = row
    return CachedImage(image_id, size, checksum, _seconds(modified), _seconds(accessed), hits, number)


def _seconds(moment: datetime | str) -> int:
    # SQLite's driver gives what it has: text.
    if isinstance(moment, str):
        moment = datetime.fromisoformat(moment)
    return int(moment.replace(tzinfo=UTC).timestamp())
