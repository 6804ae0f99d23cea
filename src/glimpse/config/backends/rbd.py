"""Stores in pools of Ceph."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store

_MIB = 1024 * 1024
# RBD's own limit for the size of an object.
_LARGEST_CHUNK = 32

OPTIONS = (
    cfg.IntOpt(
        "rbd_store_chunk_size",
        default=8,
        help="Size in MiB of the objects that new images consist of: a power of two, 32 at most.",
    ),
    cfg.StrOpt("rbd_store_pool", default="images", help="Pool of the images. It must be there."),
    cfg.StrOpt(
        "rbd_store_user",
        help="Ceph user, without `client.`; its keyring is found by ceph.conf. Default: admin.",
    ),
    cfg.StrOpt("rbd_store_ceph_conf", default="", help="Path of ceph.conf. Default: where librados looks."),
    cfg.IntOpt(
        "rados_connect_timeout",
        default=-1,
        help="Seconds for connecting, and for each call after. "
        "0 or less: what ceph.conf says, and 60 where it says nothing (Glance: no limit).",
    ),
    cfg.BoolOpt(
        "rbd_thin_provisioning",
        default=True,
        help="Leave stretches of zeros out, which occupy nothing (Glance: False).",
    ),
)


@dataclass(frozen=True, slots=True)
class RbdBackend:
    """The pool, by whose ceph.conf and as which user, and how images are written."""

    pool: str = "images"
    user: str = "admin"
    conf: str = ""
    patience: int = 0
    order: int = 23
    thin: bool = True

    def open(self, store_id: str) -> Store:
        """The store. :raises Invalid: the bindings of Ceph are not installed."""
        try:
            from glimpse.stores.rbd.cluster import Access
            from glimpse.stores.rbd.store import RbdStore
        except ModuleNotFoundError as error:
            if error.name not in ("rados", "rbd"):
                raise
            reason = f"the store '{store_id}' needs the modules rados and rbd of this host's Ceph packages"
            raise Invalid("enabled_backends", reason) from None
        access = Access(self.conf, self.user, self.pool, self.patience)
        return RbdStore(store_id, access, order=self.order, thin=self.thin)

    def properties(self) -> Mapping[str, object]:
        """As Glance tells them."""
        return {
            "chunk_size": 1 << self.order,
            "pool": self.pool,
            "user": self.user,
            "thin_provisioning": self.thin,
        }


def _read(options: Any, _: cfg.ConfigOpts, __: Path) -> RbdBackend:
    chunk, pool = options.rbd_store_chunk_size, options.rbd_store_pool
    if not 1 <= chunk <= _LARGEST_CHUNK or chunk & (chunk - 1):
        raise Invalid("rbd_store_chunk_size", f"{chunk} is no power of two between 1 and {_LARGEST_CHUNK}")
    if not pool or not pool.isascii() or not pool.isprintable():
        raise Invalid("rbd_store_pool", "it must be the name of a pool")
    user = (options.rbd_store_user or "admin").removeprefix("client.")
    order = (chunk * _MIB).bit_length() - 1
    conf, patience = options.rbd_store_ceph_conf, max(options.rados_connect_timeout, 0)
    return RbdBackend(pool, user, conf, patience, order, options.rbd_thin_provisioning)


KIND = Kind("rbd", frozenset({"rbd", "glance.store.rbd.Store"}), OPTIONS, _read)
