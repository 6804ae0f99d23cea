"""An image on its way into a pool of Ceph."""

import threading
from collections.abc import Sequence
from contextlib import AbstractContextManager, suppress
from typing import Any, Protocol

import rbd

from glimpse.domain.errors import Conflict, GlimpseError, LimitExceeded
from glimpse.stores.base import ObjectKey
from glimpse.stores.rbd.cluster import Cluster
from glimpse.stores.rbd.places import SNAPSHOT, Place, incoming
from glimpse.stores.rbd.streams import Outflow

# In the metadata of an image: the attempt that wrote it.
ATTEMPT = "glimpse.attempt"

_GIVEN_UP = "The upload was given up meanwhile."


class _Discards(Protocol):
    @property
    def id(self) -> str: ...

    def discard(self, key: ObjectKey) -> None: ...


class RbdWriter:
    """An image on its way into an `RbdStore`. Another thread may give it up at any time."""

    def __init__(
        self,
        store: _Discards,
        cluster: Cluster,
        key: ObjectKey,
        image: Any,
        outflow: Outflow,
        size: int | None,
    ) -> None:
        self._store = store
        self._cluster = cluster
        self._key = key
        self._size = size
        self._lock = threading.Lock()
        self._image: Any = image
        self._outflow = outflow

    def write(self, chunks: Sequence[bytes]) -> None:
        """Append chunks. After the attempt was discarded they go nowhere."""
        with self._lock, self._answering():
            if self._image is not None:
                self._outflow.write(chunks)

    def commit(self) -> str:
        """Wait for all bytes, make the snapshot, and give the image its name."""
        try:
            with self._lock:
                return self._commit()
        except (Conflict, LimitExceeded):
            self.abort()
            raise

    def abort(self) -> None:
        """Remove what was written."""
        self.give_up()
        with suppress(GlimpseError):
            self._store.discard(self._key)

    def give_up(self) -> None:
        """Let the image go as it is. What is written or committed after goes nowhere."""
        with self._lock:
            self._close()

    def _commit(self) -> str:
        cluster = self._cluster
        place = Place(self._key.image_id, SNAPSHOT, cluster.fsid(), cluster.pool)
        try:
            if self._image is None:
                raise Conflict(_GIVEN_UP)
            with self._answering():
                self._outflow.finish()
                self._image.create_snap(SNAPSHOT)
                self._image.protect_snap(SNAPSHOT)
        finally:
            self._close()
        with self._answering():
            try:
                rbd.RBD().rename(cluster.ioctx(), incoming(self._key), place.image)
            except rbd.ImageExists as error:
                raise Conflict("The store holds data of this image already.") from error
            except rbd.ImageNotFound as error:
                raise Conflict(_GIVEN_UP) from error
        return place.url()

    def _answering(self) -> AbstractContextManager[None]:
        return self._cluster.answering(size=self._size, fitted=lambda: self._outflow.offset)

    def _close(self) -> None:
        image, self._image = self._image, None
        if image is not None:
            # It waits for what is on its way. Whatever fails there is of no interest any more.
            with suppress(rbd.Error):
                image.close()


def drop_snapshot(image: Any, name: str) -> None:
    """Remove a snapshot, protected or not.

    :raises rbd.ImageNotFound: there is none of that name.
    :raises rbd.ImageBusy: it has clones that rely on its name; nothing was changed.
    """
    if image.is_protected_snap(name):
        image.unprotect_snap(name)
    image.remove_snap(name)
