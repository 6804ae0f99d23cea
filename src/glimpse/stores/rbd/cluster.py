"""The connection to a Ceph cluster, and what its failures mean."""

import errno
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import rados
import rbd

from glimpse.domain.errors import GlimpseError, LimitExceeded, Unavailable
from glimpse.stores.base import StoreObjectMissing, Usage

# Seconds for each call, where neither the option nor ceph.conf limits them. An OSD that fails is replaced
# after 20 to 30 s, and the calls that wait for it must not give up before.
_PATIENCE = 60

_LIMITS = ("client_mount_timeout", "rados_mon_op_timeout", "rados_osd_op_timeout")

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_REASONS = {
    errno.ETIMEDOUT: "the cluster does not answer",
    errno.EPERM: "the cluster does not allow it to this user",
    errno.EACCES: "the cluster does not allow it to this user",
    errno.ESHUTDOWN: "the cluster has shut this client out",
}


@dataclass(frozen=True, slots=True)
class Access:
    """Which cluster, by its `conf` (empty: where librados looks), whose keyring, which pool.

    `patience` is in seconds, for each call; 0 leaves it to ceph.conf.
    """

    conf: str
    user: str
    pool: str
    patience: int = 0


class Cluster:
    """A cluster, connected to when it is needed, with one handle for all calls; a new one if that breaks."""

    def __init__(self, store_id: str, access: Access) -> None:
        self.pool = access.pool
        self._store_id = store_id
        self._access = access
        self._lock = threading.Lock()
        self._handle: Any = None
        self._pool: Any = None
        self._fsid = ""

    def ioctx(self) -> Any:
        """The pool, to be handed to librbd. :raises Unavailable: there is no way to it."""
        with self._lock:
            if self._pool is None:
                self._connect()
            return self._pool

    def fsid(self) -> str:
        """The cluster's id. :raises Unavailable: there is no way to it."""
        self.ioctx()
        return self._fsid

    def known_fsid(self) -> str:
        """The cluster's id without asking it: empty before the first call, if ceph.conf does not tell."""
        with self._lock, suppress(GlimpseError), self._connecting():
            if not self._fsid:
                written = str(self._configured().conf_get("fsid") or "")
                self._fsid = written if written.strip("0-") else ""
        return self._fsid

    def features(self) -> int:
        """The features of new images: those of the cluster's configuration, and what clones need."""
        self.ioctx()
        written = str(self._handle.conf_get("rbd_default_features") or "0")
        chosen = int(written) if written.isdecimal() else rbd.RBD().features_from_string(written)
        return int(chosen) | int(rbd.RBD_FEATURE_LAYERING)

    def usage(self) -> Usage:
        """What the pool's objects hold, and what its OSDs and its quota let come; nothing without a mgr."""
        self.ioctx()
        command = json.dumps({"prefix": "df", "detail": "detail", "format": "json"})
        with self.answering():
            code, answer, _ = self._handle.mon_command(command, b"")
            if code:
                raise failure(self._store_id, -code)
        told = json.loads(answer)
        pool = next((pool["stats"] for pool in told["pools"] if pool["name"] == self.pool), None)
        if pool is None or not told["stats"]["total_bytes"]:
            return Usage(None, None)
        used, free, quota = int(pool["stored"]), int(pool["max_avail"]), int(pool["quota_bytes"])
        return Usage(used, min(free, max(quota - used, 0)) if quota else free)

    @contextmanager
    def answering(
        self, url: str | None = None, size: int | None = None, fitted: Callable[[], int] = int
    ) -> Iterator[None]:
        """Failures of librados and librbd as our own.

        :raises StoreObjectMissing: if it is about `url`, and no such image or snapshot is there.
        :raises LimitExceeded: the pool is full, with `fitted()` of `size` bytes in it.
        :raises Unavailable: all else.
        """
        try:
            yield
        except rbd.ImageNotFound as error:
            if url is None:
                raise Unavailable(f"store {self._store_id}", "an image disappeared") from error
            raise StoreObjectMissing(url) from error
        except (rbd.Error, rados.Error) as error:
            if getattr(error, "errno", None) == errno.ESHUTDOWN or isinstance(error, rados.RadosStateError):
                self._forget()
            raise failure(self._store_id, getattr(error, "errno", None), size, fitted()) from error

    def _forget(self) -> None:
        # What still uses the old handle keeps it alive, and fails by itself.
        with self._lock:
            self._handle = self._pool = None

    def _connect(self) -> None:
        with self._connecting():
            handle = self._configured()
            handle.connect()
            self._fsid = str(handle.get_fsid())
        try:
            pool = handle.open_ioctx(self.pool)
        except rados.ObjectNotFound as error:
            raise self._unavailable(f"the pool '{self.pool}' does not exist") from error
        except rados.Error as error:
            raise failure(self._store_id, getattr(error, "errno", None)) from error
        # A full pool must answer. Else writes wait for room, and the deletions that would make room wait too.
        pool.set_osdmap_full_try()
        self._handle, self._pool = handle, pool

    def _configured(self) -> Any:
        access = self._access
        handle = rados.Rados(conffile=access.conf, rados_id=access.user)
        for name in _LIMITS:
            # 300 is librados's own limit for connecting; the others have none.
            written = float(handle.conf_get(name) or 0)
            if access.patience > 0:
                handle.conf_set(name, str(access.patience))
            elif written in (0, 300):
                handle.conf_set(name, str(_PATIENCE))
        # Data passes once. A cache would only copy it, and report failures later.
        handle.conf_set("rbd_cache", "false")
        return handle

    @contextmanager
    def _connecting(self) -> Iterator[None]:
        access = self._access
        try:
            yield
        except rados.ObjectNotFound as error:
            raise self._unavailable("its ceph.conf, or the keyring of its user, is not there") from error
        except (rados.PermissionError, rados.PermissionDeniedError) as error:
            reason = f"the cluster refuses the user '{access.user}' with this key"
            raise self._unavailable(reason) from error
        except rados.Error as error:
            raise failure(self._store_id, getattr(error, "errno", None)) from error

    def _unavailable(self, reason: str) -> Unavailable:
        return Unavailable(f"store {self._store_id}", reason)


def failure(store_id: str, code: int | None, size: int | None = None, fitted: int = 0) -> GlimpseError:
    """The error for a number as of `errno`."""
    if code in _FULL:
        return LimitExceeded("store capacity", fitted, size, "bytes")
    reason = _REASONS.get(code or 0) or (os.strerror(code) if code else "input/output error")
    return Unavailable(f"store {store_id}", reason)
