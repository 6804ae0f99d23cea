"""Ceph for the contract of stores: pools of a real cluster, each with a user that may use no other."""

import json
import time
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from glimpse.stores.base import Store

rados = pytest.importorskip("rados", reason="the bindings of Ceph are not installed")
rbd = pytest.importorskip("rbd", reason="the bindings of Ceph are not installed")

from glimpse.stores.rbd.cluster import Access  # noqa: E402
from glimpse.stores.rbd.places import Place  # noqa: E402
from glimpse.stores.rbd.store import RbdStore as RbdStore  # noqa: E402 - it needs the bindings

MIB = 1024 * 1024


def until(holds: Callable[[], bool]) -> None:
    """Wait for what the cluster does by itself."""
    for _ in range(300):
        if holds():
            return
        time.sleep(0.1)
    raise AssertionError("it did not come")


@dataclass(frozen=True)
class Admin:
    """The cluster, as its administrator sees it."""

    handle: Any
    conf: str

    @classmethod
    def of(cls, conf: str) -> "Admin":
        handle = rados.Rados(conffile=conf, rados_id="admin")
        handle.connect()
        return cls(handle, conf)

    def command(self, prefix: str, **arguments: object) -> str:
        command = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, answer, text = self.handle.mon_command(command, b"")
        assert code == 0, text
        return str(answer.decode())

    def user(self, folder: Path, name: str, **capabilities: str) -> str:
        """A configuration in `folder` by which `client.<name>`, who may do so much, is let in."""
        listed = [text for kind in capabilities for text in (kind, capabilities[kind])]
        told = json.loads(self.command("auth get-or-create", entity=f"client.{name}", caps=listed))
        keyring = folder / f"{name}.keyring"
        keyring.write_text(f"[client.{name}]\nkey = {told[0]['key']}\n")
        path = folder / f"{name}.conf"
        path.write_text(Path(self.conf).read_text() + f"[client.{name}]\nkeyring = {keyring}\n")
        return str(path)


class Pool:
    """A pool of its own, and a user of the same name."""

    def __init__(self, admin: Admin, folder: Path) -> None:
        self.admin = admin
        self.name = f"test-{uuid4().hex[:12]}"
        admin.command("osd pool create", pool=self.name, pg_num=8)
        admin.command("osd pool application enable", pool=self.name, app="rbd")
        allowed = f"profile rbd pool={self.name}"
        conf = admin.user(folder, self.name, mon="profile rbd", osd=allowed, mgr=allowed)
        self.access = Access(conf, self.name, self.name, patience=20)
        self.ioctx = admin.handle.open_ioctx(self.name)
        self.ioctx.set_osdmap_full_try()

    def allow(self, size: int) -> None:
        """Set the quota; 0: none."""
        self.admin.command("osd pool set-quota", pool=self.name, field="max_bytes", val=str(size))

    def is_full(self) -> bool:
        found = json.loads(self.admin.command("osd dump"))["pools"]
        return any("full_quota" in pool["flags_names"] for pool in found if pool["pool_name"] == self.name)

    def images(self) -> list[str]:
        return [str(name) for name in rbd.RBD().list(self.ioctx)]

    def trash(self) -> list[dict[str, Any]]:
        return list(rbd.RBD().trash_list(self.ioctx))

    def objects(self) -> list[str]:
        """All of it that is not RBD's own."""
        own = {"rbd_directory", "rbd_info", "rbd_trash", "rbd_children"}
        return [entry.key for entry in self.ioctx.list_objects() if entry.key not in own]

    def clear(self) -> None:
        for name in self.images():
            with suppress(rbd.Error):
                rbd.RBD().trash_move(self.ioctx, name, 0)
        for entry in self.trash():
            with closing(rbd.Image(self.ioctx, image_id=entry["id"])) as image:
                for snapshot in list(image.list_snaps()):
                    if image.is_protected_snap(snapshot["name"]):
                        image.unprotect_snap(snapshot["name"])
                    image.remove_snap(snapshot["name"])
            rbd.RBD().trash_remove(self.ioctx, entry["id"], force=True)

    def drop(self) -> None:
        name = self.name
        self.ioctx.close()
        self.admin.command("osd pool delete", pool=name, pool2=name, yes_i_really_really_mean_it=True)
        self.admin.command("auth rm", entity=f"client.{name}")


class RbdBackend:
    """A store in a pool, and one in another that has little room."""

    def __init__(self, pool: Pool, small: Pool, *, thin: bool = True) -> None:
        self.pool = pool
        self.small = small
        self._thin = thin
        self._rbd = RbdStore("rbd", pool.access, thin=thin)

    @property
    def store(self) -> Store:
        return self._rbd

    def full_store(self) -> Store:
        store = RbdStore("small", self.small.access, thin=self._thin)
        self.settle(store)
        return store

    def settle(self, store: Store) -> None:
        """A cluster learns a second later how full a pool is."""
        until(lambda: not self.small.is_full() and (store.usage().used or 0) < MIB)

    def truncate(self, url: str, size: int) -> None:
        place = Place.of(url)
        with closing(rbd.Image(self.pool.ioctx, place.image)) as image:
            image.unprotect_snap("snap")
            image.remove_snap("snap")
            image.resize(size)
            image.create_snap("snap")
            image.protect_snap("snap")

    def leftovers(self) -> Sequence[str]:
        return [*self.pool.objects(), *self.small.objects()]

    def close(self) -> None:
        self.pool.clear()
        self.small.clear()


def hurried(pool: Pool, patience: int = 2) -> RbdStore:
    """A store that does not wait long."""
    return RbdStore("hurried", replace(pool.access, patience=patience))
