import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import pytest

from glimpse.domain.errors import Conflict, Invalid, LimitExceeded, StoreObjectInUse, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from tests.backends.ceph import Admin, Pool, RbdBackend, RbdStore, hurried, rados, rbd, until
from tests.backends.rbd import running
from tests.contract.stores.suite import CONTENT, MIB, Backend, StoreSuite, fill, get, new_key, put

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def admin() -> Admin:
    return Admin.of(running()["CEPH_CONF"])


@pytest.fixture(scope="module")
def pools(admin: Admin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pool, Pool]]:
    folder = tmp_path_factory.mktemp("ceph")
    large, small = Pool(admin, folder), Pool(admin, folder)
    small.allow(12 * MIB)
    yield large, small
    large.drop()
    small.drop()


@pytest.fixture
def backend(pools: tuple[Pool, Pool]) -> Iterator[RbdBackend]:
    backend = RbdBackend(*pools)
    yield backend
    backend.close()


class TestRbd(StoreSuite):
    server = "Ceph"

    def test_full_store(self, backend: Backend) -> None:
        """As the suite's, but a pool finds out a second later that there is room again."""
        assert isinstance(backend, RbdBackend)
        store = backend.full_store()
        writer = store.open_writer(new_key(), None)
        with pytest.raises(LimitExceeded) as caught:
            fill(writer, 32 * MIB)
        assert caught.value.limit == "store capacity"
        writer.abort()
        assert backend.leftovers() == []
        backend.settle(store)
        url = put(store, CONTENT)
        assert get(store, url) == CONTENT
        store.delete(url)
        assert backend.leftovers() == []


@pytest.fixture
def cinder(admin: Admin, pools: tuple[Pool, Pool], tmp_path: Path) -> Iterator[object]:
    """A user who reads the images' pool and writes the other one, as Ceph's documentation has it."""
    images, volumes = (pool.name for pool in pools)
    name = f"test-{uuid4().hex[:12]}"
    may = f"profile rbd pool={volumes}, profile rbd-read-only pool={images}"
    handle = rados.Rados(conffile=admin.user(tmp_path, name, mon="profile rbd", osd=may), rados_id=name)
    handle.connect()
    yield handle
    handle.shutdown()
    admin.command("auth rm", entity=f"client.{name}")


def clone(cinder: object, backend: RbdBackend, url: str, form: str = "1") -> str:
    """What Cinder does with an image's URL."""
    cinder.conf_set("rbd_default_clone_format", form)  # type: ignore[attr-defined]
    _, pool, image, snapshot = urlsplit(url).netloc, *urlsplit(url).path[1:].split("/")
    parent = cinder.open_ioctx(pool)  # type: ignore[attr-defined]
    child = cinder.open_ioctx(backend.small.name)  # type: ignore[attr-defined]
    name = f"volume-{image}"
    rbd.RBD().clone(parent, image, snapshot, child, name, features=rbd.RBD_FEATURE_LAYERING)
    return name


def test_names_and_snapshot_are_as_glance_makes_them(backend: RbdBackend, admin: Admin) -> None:
    key = new_key()
    url = put(backend.store, CONTENT, key)
    assert url == f"rbd://{admin.handle.get_fsid()}/{backend.pool.name}/{key.image_id}/snap"
    assert backend.pool.images() == [key.image_id]
    with closing(rbd.Image(backend.pool.ioctx, key.image_id)) as image:
        assert image.is_protected_snap("snap")
        assert image.stat()["order"] == 23
        assert image.size() == len(CONTENT)


def test_locations_of_old_can_be_read_and_deleted(backend: RbdBackend) -> None:
    backend_id = str(uuid4())
    rbd.RBD().create(backend.pool.ioctx, backend_id, MIB, old_format=False, features=1)
    with closing(rbd.Image(backend.pool.ioctx, backend_id)) as image:
        image.write(CONTENT, 0)
    url = f"rbd://{backend_id}"
    assert backend.store.owns(url)
    assert get(backend.store, url) == CONTENT + bytes(MIB - len(CONTENT))
    backend.store.delete(url)
    assert backend.leftovers() == []


def test_no_url_leads_to_an_attempt(backend: RbdBackend) -> None:
    key = new_key()
    writer = backend.store.open_writer(key, None)
    writer.write([CONTENT])
    for url in (f"rbd://{key}.incoming", put(backend.store, b"x").replace("/snap", ".incoming/snap")):
        with pytest.raises(StoreObjectMissing):
            backend.store.stat(url)
    writer.abort()


@pytest.mark.parametrize(("form", "in_use"), [("1", True), ("2", False)])
def test_clones(backend: RbdBackend, cinder: object, form: str, in_use: bool) -> None:
    url = put(backend.store, CONTENT)
    name = clone(cinder, backend, url, form)
    with closing(rbd.Image(backend.small.ioctx, name, read_only=True)) as volume:
        assert volume.read(0, len(CONTENT)) == CONTENT
    if in_use:
        with pytest.raises(StoreObjectInUse):
            backend.store.delete(url)
        assert get(backend.store, url) == CONTENT
    else:
        backend.store.delete(url)
        with pytest.raises(StoreObjectMissing):
            backend.store.stat(url)
        assert len(backend.pool.trash()) == 1
        with closing(rbd.Image(backend.small.ioctx, name, read_only=True)) as volume:
            assert volume.read(0, len(CONTENT)) == CONTENT
    rbd.RBD().remove(backend.small.ioctx, name)
    if in_use:
        backend.store.delete(url)
    else:
        backend.store.discard(new_key())
    assert backend.leftovers() == []


def test_the_trash_of_others_is_left_alone(backend: RbdBackend) -> None:
    rbd.RBD().create(backend.pool.ioctx, "theirs", MIB, old_format=False, features=1)
    rbd.RBD().trash_move(backend.pool.ioctx, "theirs", 0)
    backend.store.delete(put(backend.store, CONTENT))
    assert [entry["name"] for entry in backend.pool.trash()] == ["theirs"]


def test_discard_by_another_process(backend: RbdBackend) -> None:
    other = RbdStore("other", backend.pool.access)
    key = new_key()
    writer = other.open_writer(key, None)
    writer.write([CONTENT])
    backend.store.discard(key)
    assert backend.pool.images() == []
    writer.write([CONTENT])
    with pytest.raises(Conflict):
        writer.commit()
    assert backend.leftovers() == []


def test_what_a_killed_writer_left_goes(backend: RbdBackend) -> None:
    key = new_key()
    access = backend.pool.access
    program = (
        "import os, sys, time\n"
        "from glimpse.stores.rbd.store import RbdStore\n"
        "from glimpse.stores.rbd.cluster import Access\n"
        "from glimpse.stores.base import ObjectKey\n"
        "store = RbdStore('x', Access(*sys.argv[1:4]))\n"
        "writer = store.open_writer(ObjectKey(*sys.argv[4:6]), None)\n"
        "writer.write([b'x' * 5_000_000])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    arguments = [access.conf, access.user, access.pool, key.image_id, key.attempt]
    assert subprocess.run([sys.executable, "-c", program, *arguments], check=False).returncode == -9
    backend.store.discard(key)
    assert backend.pool.images() == []
    again = ObjectKey(key.image_id, uuid4().hex)
    assert get(backend.store, put(backend.store, CONTENT, again)) == CONTENT


def test_a_commit_that_broke_off_in_the_middle(backend: RbdBackend) -> None:
    """Both names are there: the new one was made first."""
    key = new_key()
    writer = backend.store.open_writer(key, None)
    writer.write([CONTENT])
    ioctx = backend.pool.ioctx
    ioctx.write_full(f"rbd_id.{key.image_id}", ioctx.read(f"rbd_id.{key}.incoming"))
    backend.store.discard(key)
    assert backend.leftovers() == []
    backend.store.delete(put(backend.store, CONTENT, ObjectKey(key.image_id, uuid4().hex)))


def test_a_sparse_image_occupies_its_data_alone(backend: RbdBackend) -> None:
    """8 GiB, of which the first and the last 8 MiB are data."""
    store = RbdStore("sparse", replace(backend.pool.access))
    writer = store.open_writer(new_key(), None)
    data, zeros = os.urandom(8 * MIB), bytes(16 * MIB)
    writer.write([data])
    for _ in range(511):
        writer.write([zeros])
    writer.write([data])
    url = writer.commit()
    assert store.stat(url) == 8 * MIB + 511 * 16 * MIB + 8 * MIB == 8192 * MIB
    extents: list[tuple[int, int]] = []
    with closing(rbd.Image(backend.pool.ioctx, backend.pool.images()[0], read_only=True)) as image:
        image.diff_iterate(0, image.size(), None, lambda at, length, there: extents.append((at, length)))
    assert sum(length for _, length in extents) == 16 * MIB
    assert get(store, url, 0, 9 * MIB) == data + bytes(MIB)
    assert get(store, url, 8183 * MIB, 9 * MIB) == bytes(MIB) + data


def test_a_thick_image_holds_its_zeros(pools: tuple[Pool, Pool]) -> None:
    backend = RbdBackend(*pools, thin=False)
    url = put(backend.store, [CONTENT, bytes(10 * MIB)])
    assert get(backend.store, url) == CONTENT + bytes(10 * MIB)
    assert len([name for name in backend.pool.objects() if name.startswith("rbd_data.")]) == 2
    backend.close()


def test_a_pool_whose_quota_is_used_up(backend: RbdBackend) -> None:
    store = backend.full_store()
    kept = put(store, CONTENT)
    writer = store.open_writer(new_key(), None)
    rbd.RBD().create(backend.small.ioctx, "ballast", 16 * MIB, old_format=False, features=1)
    with closing(rbd.Image(backend.small.ioctx, "ballast")) as ballast:
        ballast.write(os.urandom(13 * MIB), 0)
    until(backend.small.is_full)
    with pytest.raises(LimitExceeded):
        fill(writer, MIB)
    with pytest.raises(LimitExceeded):
        store.open_writer(new_key(), 1)
    assert get(store, kept) == CONTENT
    store.delete(kept)
    with pytest.raises(StoreObjectMissing):
        store.stat(kept)


def test_an_osd_that_stops_answering(backend: RbdBackend) -> None:
    """It is stopped for a moment, which other tests on the cluster survive: they wait longer."""
    store = hurried(backend.pool, 2)
    url = put(store, CONTENT)
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([CONTENT])
    osd = int((Path(running()["CEPH_CONF"]).parent / "osd.pid").read_text())
    os.kill(osd, signal.SIGSTOP)
    try:
        with pytest.raises(Unavailable, match="does not answer"):
            fill(writer, 32 * MIB)
        with pytest.raises(Unavailable):
            store.stat(url)
    finally:
        os.kill(osd, signal.SIGCONT)
    backend.store.discard(key)
    assert get(store, url) == CONTENT
    store.delete(url)


def test_wrong_access_is_told(backend: RbdBackend, tmp_path: Path) -> None:
    access = backend.pool.access
    keyring = tmp_path / "keyring"
    keyring.write_text(f"[client.{access.user}]\nkey = AQBLJ1pkAAAAABAAjxNf3TW6PGPrJ0h5GqJXZw==\n")
    conf = tmp_path / "ceph.conf"
    conf.write_text(
        Path(running()["CEPH_CONF"]).read_text() + f"[client.{access.user}]\nkeyring = {keyring}\n"
    )
    wrong = {
        "does not exist": replace(access, pool="nowhere"),
        "is not there": replace(access, conf=str(tmp_path / "none.conf")),
        "keyring": replace(access, user="nobody"),
        "refuses the user": replace(access, conf=str(conf)),
    }
    for reason, other in wrong.items():
        store = RbdStore("wrong", replace(other, patience=5))
        assert not store.owns("rbd://elsewhere/nothing/x/snap")
        with pytest.raises(Unavailable, match=reason):
            store.open_writer(new_key(), None)


def test_a_user_who_may_only_read(backend: RbdBackend, admin: Admin, tmp_path: Path) -> None:
    url = put(backend.store, CONTENT)
    name = f"reader-{uuid4().hex[:12]}"
    conf = admin.user(
        tmp_path, name, mon="profile rbd", osd=f"profile rbd-read-only pool={backend.pool.name}"
    )
    reader = RbdStore("reader", replace(backend.pool.access, conf=conf, user=name))
    # Not even that: an image that is read must be watched.
    for call, *given in ((reader.open_writer, new_key(), 1), (reader.delete, url), (reader.stat, url)):
        with pytest.raises(Unavailable, match=r"store reader .* does not allow it to this user"):
            call(*given)
    assert get(backend.store, url) == CONTENT
    backend.store.delete(url)
    admin.command("auth rm", entity=f"client.{name}")
    assert backend.leftovers() == []


def test_names_that_rbd_does_not_take(backend: RbdBackend) -> None:
    for image_id in ("", "a/b", "a@b", "\0", "é"):
        with pytest.raises(Invalid):
            backend.store.open_writer(ObjectKey(image_id, "1"), None)


def test_urls_of_other_places(backend: RbdBackend) -> None:
    url = put(backend.store, CONTENT)
    pool = backend.pool.name
    fsid = urlsplit(url).netloc
    for other in (url.replace(pool, "rbd"), url.replace(fsid, str(uuid4()))):
        assert not backend.store.owns(other)
        with pytest.raises(Invalid):
            backend.store.check_url(other)
        for call in (backend.store.stat, backend.store.delete):
            with pytest.raises(StoreObjectMissing):
                call(other)
    backend.store.check_url(url)
    assert get(backend.store, url) == CONTENT
