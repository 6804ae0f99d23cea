"""Images in a pool of Ceph, as block devices that Nova and Cinder clone.

A committed image is called by its id, and has a protected snapshot `snap`: its URL is
`rbd://<fsid>/<pool>/<image_id>/snap`, as Glance writes it. Until then it is called
`<image_id>.<attempt>.incoming`, and carries the attempt in its metadata from before its first byte.

An attempt is given up by moving it to the pool's trash, which takes its name away. librbd does that although
a writer has it open; and a commit, which makes the image's name out of this name, finds it no more. What is
in the trash and still open is removed by a later call, of whatever process.
"""

import random
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any
from weakref import WeakValueDictionary

import rados
import rbd

from glimpse.domain.errors import GlimpseError, Invalid, LimitExceeded, StoreObjectInUse, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing, Usage
from glimpse.stores.rbd.cluster import Access, Cluster
from glimpse.stores.rbd.places import SNAPSHOT, Place, incoming, is_incoming
from glimpse.stores.rbd.streams import Outflow, inflow, open_for_reading
from glimpse.stores.rbd.writer import ATTEMPT, RbdWriter, drop_snapshot

# In the metadata of an image that was deleted and could not be removed yet.
_DELETED = "glimpse.deleted"

# So many images of the trash are looked at in one call. They are drawn, so that no one is always in the way.
_MOST_PURGED = 8


class RbdStore:
    """Images in one pool. Nothing is connected to before the first call that needs it.

    :param order: new images consist of objects of 2**order bytes.
    :param thin: leave stretches of zeros out, which occupy nothing in the pool.
    """

    schemes = ("rbd",)

    def __init__(self, id: str, access: Access, *, order: int = 23, thin: bool = True) -> None:  # noqa: A002
        self.id = id
        self._order = order
        self._thin = thin
        self._cluster = Cluster(id, access)
        self._lock = threading.Lock()
        self._writers: WeakValueDictionary[ObjectKey, RbdWriter] = WeakValueDictionary()

    def open_writer(self, key: ObjectKey, size: int | None) -> RbdWriter:
        """Begin an image. A `size` beyond the free space is refused, though some of it may be zeros."""
        name = incoming(key)
        free = self.usage().free
        if size is not None and free is not None and size > free:
            raise LimitExceeded("store capacity", free, size, "bytes")
        cluster, ioctx = self._cluster, self._cluster.ioctx()
        self._purge(ioctx)
        with cluster.answering(size=size):
            features = cluster.features()
            rbd.RBD().create(ioctx, name, size or 0, order=self._order, old_format=False, features=features)
            image = rbd.Image(ioctx, name)
            image.metadata_set(ATTEMPT, key.attempt)
            outflow = Outflow(self.id, image, size or 0, free, thin=self._thin)
        writer = RbdWriter(self, cluster, key, image, outflow, size)
        with self._lock:
            self._writers[key] = writer
        return writer

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        """Pieces of 4 MiB at most, read ahead."""
        place = self._place(url)
        with self._cluster.answering(url):
            image, size = open_for_reading(self._cluster.ioctx(), place.image, place.snapshot)
            if size < offset + length:
                image.close()
                raise StoreObjectMissing(url)
            image_id = image.id()
        return inflow(self.id, image, offset, length, lambda: self._let_go(image_id))

    def owns(self, url: str) -> bool:
        """Whether the URL names the pool, and no other cluster as far as this is known."""
        try:
            place = Place.of(url)
        except StoreObjectMissing:
            return False
        known = self._cluster.known_fsid()
        return place.pool in (None, self._cluster.pool) and (not known or place.fsid in (None, known))

    def stat(self, url: str) -> int:
        """The image's size, holes included."""
        place = self._place(url)
        with self._cluster.answering(url):
            image, size = open_for_reading(self._cluster.ioctx(), place.image, place.snapshot)
            image.close()
        return size

    def delete(self, url: str) -> None:
        """Remove the image with its snapshot.

        What has clones of the old format stays as it is. What has others, or snapshots of somebody else, or
        is open, goes to the trash, and from there when nothing needs it any more.

        :raises StoreObjectInUse: it has clones, or somebody keeps it locked.
        """
        place = self._place(url)
        ioctx = self._cluster.ioctx()
        with self._cluster.answering(url):
            try:
                with closing(rbd.Image(ioctx, place.image)) as image:
                    _take_snapshot_away(image, place, url)
            except rbd.ImageNotFound:
                _remove_name(ioctx, place.image)
                raise
            try:
                rbd.RBD().remove(ioctx, place.image)
            except (rbd.ImageBusy, rbd.ImageHasSnapshots):
                _put_into_trash(ioctx, place)
            except rbd.ImageNotFound:
                # It was there just now. In a full pool librbd says so when it has removed all but the name.
                _remove_name(ioctx, place.image)
        self._purge(ioctx)

    def discard(self, key: ObjectKey) -> None:
        """Take the attempt's name away, and the image's too if it has that; then remove it.

        A crash may fall anywhere. In the middle of a commit both names may be there, and both go.
        """
        name = incoming(key)
        with self._lock:
            writer = self._writers.pop(key, None)
        if writer is not None:
            writer.give_up()
        ioctx = self._cluster.ioctx()
        with self._cluster.answering():
            with suppress(rbd.ImageNotFound):
                rbd.RBD().trash_move(ioctx, name, 0)
            with suppress(rbd.ImageNotFound):
                if _note(ioctx, ATTEMPT, name=key.image_id) == key.attempt:
                    rbd.RBD().trash_move(ioctx, key.image_id, 0)
            for entry in list(rbd.RBD().trash_list(ioctx)):
                if entry["name"] == name or (entry["name"] == key.image_id and _is_of(ioctx, entry, key)):
                    _empty(ioctx, entry["id"])
            try:
                still_there = _note(ioctx, ATTEMPT, name=key.image_id) == key.attempt
            except rbd.ImageNotFound:
                still_there = False
                _remove_name(ioctx, key.image_id)
        if still_there:
            raise Unavailable(f"store {self.id}", "what an interrupted upload has left is still open")
        self._purge(ioctx)

    def check_url(self, url: str) -> None:
        """:raises Invalid: it does not lead into the pool."""
        if not self.owns(url):
            raise Invalid("url", "it is not in the pool of this store")

    def usage(self) -> Usage:
        """As the cluster says of the pool, its quota included, with some seconds' delay."""
        return self._cluster.usage()

    def _place(self, url: str) -> Place:
        place = Place.of(url)
        if place.pool not in (None, self._cluster.pool) or place.fsid not in (None, self._cluster.fsid()):
            raise StoreObjectMissing(url)
        return place

    def _purge(self, ioctx: Any) -> None:
        """Remove from the trash what this service has put there and nothing needs any more; some of it."""
        with suppress(GlimpseError), self._cluster.answering():
            found = list(rbd.RBD().trash_list(ioctx))
            for entry in random.sample(found, min(_MOST_PURGED, len(found))):
                _purge_one(ioctx, entry)

    def _let_go(self, image_id: str) -> None:
        """An image is not read any more. If it was deleted meanwhile, it can be removed now."""
        with suppress(GlimpseError), self._cluster.answering():
            ioctx = self._cluster.ioctx()
            with suppress(rbd.ImageNotFound):
                _purge_one(ioctx, rbd.RBD().trash_get(ioctx, image_id))


def _take_snapshot_away(image: Any, place: Place, url: str) -> None:
    snapshot = place.snapshot or SNAPSHOT
    try:
        drop_snapshot(image, snapshot)
    except rbd.ImageBusy:
        raise StoreObjectInUse("Volumes or servers were cloned from the image's data in the store.") from None
    except rbd.ImageNotFound:
        # A deletion that broke off has taken ours away. Another one was never there.
        if snapshot != SNAPSHOT:
            raise StoreObjectMissing(url) from None


def _put_into_trash(ioctx: Any, place: Place) -> None:
    with closing(rbd.Image(ioctx, place.image)) as image:
        image.metadata_set(_DELETED, "yes")
        try:
            rbd.RBD().trash_move(ioctx, place.image, 0)
        except rbd.ImageBusy:
            image.metadata_remove(_DELETED)
            image.create_snap(place.snapshot or SNAPSHOT)
            image.protect_snap(place.snapshot or SNAPSHOT)
            raise StoreObjectInUse("The image's data is locked in the store.") from None


def _purge_one(ioctx: Any, entry: Any) -> None:
    with suppress(rbd.ImageNotFound):
        if is_incoming(entry["name"]) or _note(ioctx, _DELETED, image_id=entry["id"]):
            _empty(ioctx, entry["id"])


def _empty(ioctx: Any, image_id: str) -> None:
    """Remove an image of the trash, if nothing needs it."""
    with suppress(rbd.ImageBusy, rbd.ImageHasSnapshots, rbd.ImageNotFound):
        with closing(rbd.Image(ioctx, image_id=image_id)) as image, suppress(rbd.ImageNotFound):
            drop_snapshot(image, SNAPSHOT)
        rbd.RBD().trash_remove(ioctx, image_id)


def _note(ioctx: Any, note: str, *, name: str | None = None, image_id: str | None = None) -> str | None:
    """What the image's metadata says there. :raises rbd.ImageNotFound: no such image."""
    with closing(rbd.Image(ioctx, name, image_id=image_id)) as image, suppress(KeyError):
        return str(image.metadata_get(note))
    return None


def _is_of(ioctx: Any, entry: Any, key: ObjectKey) -> bool:
    with suppress(rbd.ImageNotFound):
        return _note(ioctx, ATTEMPT, image_id=entry["id"]) == key.attempt
    return False


def _remove_name(ioctx: Any, name: str) -> None:
    """Remove a name that leads to no image: what a removal or a commit leaves that broke off.

    Looked at first, since librbd would take the name away from a commit that gives it just now. One that is
    there leads to an image of which librbd removes nothing: it has a snapshot.
    """
    try:
        ioctx.stat(f"rbd_id.{name}")
    except rados.ObjectNotFound:
        return
    with suppress(rbd.ImageNotFound, rbd.ImageHasSnapshots, rbd.ImageBusy):
        rbd.RBD().remove(ioctx, name)
