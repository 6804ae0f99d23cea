"""Stores in MongoDB's GridFS."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store

OPTIONS = (
    cfg.StrOpt(
        "mongodb_store_uri",
        secret=True,
        help="The MongoDB servers of a `gridfs` store: mongodb://[user:password@]host[:port][,...][/?options].",
    ),
    cfg.StrOpt(
        "mongodb_store_db", help="The database of a `gridfs` store, in whose bucket `fs` images are kept."
    ),
)

# What MongoDB allows in a database's name on no platform, and how long one may be.
_FORBIDDEN = frozenset('/\\. "$*<>:|?\0')
_LONGEST = 63


@dataclass(frozen=True, slots=True)
class GridFSBackend:
    """The servers, with what is needed to sign in there, and the database."""

    uri: str = field(repr=False)
    database: str

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.gridfs import GridFSStore

        return GridFSStore(store_id, self.uri, self.database)

    def properties(self) -> Mapping[str, object]:
        """The database; never the URI, which may hold a password."""
        return {"database": self.database}


def _read(options: Any, _: cfg.ConfigOpts, __: Path) -> GridFSBackend:
    uri, database = options.mongodb_store_uri, options.mongodb_store_db
    if not uri or not uri.startswith(("mongodb://", "mongodb+srv://")):
        raise Invalid(
            "mongodb_store_uri", "a gridfs store needs it, beginning with mongodb:// or mongodb+srv://"
        )
    if not database or len(database) > _LONGEST or _FORBIDDEN & set(database):
        raise Invalid("mongodb_store_db", "a gridfs store needs it, and MongoDB must allow the name")
    return GridFSBackend(uri, database)


KIND = Kind("gridfs", frozenset({"gridfs", "glance.store.gridfs.Store"}), OPTIONS, _read)
