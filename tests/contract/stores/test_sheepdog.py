import os
from collections.abc import Iterator
from uuid import uuid4

import pytest

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.sheepdog.store import SheepdogStore
from tests.backends.sheepdog import SheepdogBackend, SheepdogServer, clone, everything, options, snapshot
from tests.contract.stores.suite import CONTENT, MIB, Backend, StoreSuite, drain, get, new_key, put


class TestSheepdog(StoreSuite):
    """Against the stand-in, which needs nothing but Python."""

    server = "a stand-in for the daemon"

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        backend = SheepdogBackend()
        yield backend
        backend.close()

    @pytest.mark.skip(reason="a daemon knows how full its own node is, but not the cluster")
    def test_full_store_is_known_beforehand(self, backend: Backend) -> None:
        """Nobody can tell."""


@pytest.fixture
def server() -> Iterator[SheepdogServer]:
    server = SheepdogServer()
    yield server
    server.kill()


@pytest.fixture
def store(server: SheepdogServer) -> Iterator[SheepdogStore]:
    store = SheepdogStore("sheepdog", "127.0.0.1", server.port)
    yield store
    assert everything(store) == []


def glance_writes(store: SheepdogStore, image_id: str, content: bytes) -> None:
    """A disk as Glance had it: no tag."""
    vid = store.sheep.create_vdi(image_id.encode())
    store.sheep.write_table(vid, 0, [vid])
    store.sheep.create_piece(vid, 0, content)
    store.sheep.write_tag_and_size(store.sheep.read_inode(vid), b"", len(content))


def test_what_glance_wrote(store: SheepdogStore, server: SheepdogServer) -> None:
    image_id = str(uuid4())
    glance_writes(store, image_id, CONTENT)
    for url in (f"sheepdog://127.0.0.1:{server.port}:{image_id}", f"sheepdog://{image_id}"):
        assert store.owns(url)
        assert get(store, url) == CONTENT
    with pytest.raises(Conflict):
        put(store, b"other", ObjectKey(image_id, "1"))
    store.discard(ObjectKey(image_id, "1"))
    assert get(store, f"sheepdog://{image_id}", 5, 7) == CONTENT[5:12]
    store.delete(f"sheepdog://{image_id}")


def test_the_disk_is_named_as_the_image(store: SheepdogStore, server: SheepdogServer) -> None:
    key = new_key()
    url = put(store, CONTENT, key)
    assert url == f"sheepdog://127.0.0.1:{server.port}:{key.image_id}"
    inode = store.inode_of(key.image_id.encode())
    assert inode is not None
    assert (inode.tag, inode.size) == (f"glimpse:{key.attempt}".encode(), len(CONTENT))
    store.delete(url)


def test_zeros_occupy_nothing(store: SheepdogStore) -> None:
    key = new_key()
    url = put(store, [bytes(20 * MIB), b"x", bytes(20 * MIB)], key)
    vid = store.sheep.find_vdi(key.image_id.encode())
    assert everything(store) == [key.image_id, f"{vid}/5"]
    assert get(store, url, 20 * MIB - 1, 3) == b"\0x\0"
    store.delete(url)


def test_a_disk_on_its_way_has_no_size(store: SheepdogStore) -> None:
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([os.urandom(20 * MIB)])
    inode = store.inode_of(key.image_id.encode())
    assert inode is not None
    assert inode.size == 0
    with pytest.raises(Unavailable, match="not settled yet"):
        store.open_writer(ObjectKey(key.image_id, "2"), None)
    with pytest.raises(StoreObjectMissing):
        store.delete(store.url_of(key))
    writer.abort()


def test_an_attempt_is_discarded_by_another_process(store: SheepdogStore, server: SheepdogServer) -> None:
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([os.urandom(20 * MIB)])
    SheepdogStore("other", "127.0.0.1", server.port).discard(key)
    assert everything(store) == []
    writer.write([os.urandom(20 * MIB)])
    assert everything(store) == []
    with pytest.raises(Conflict):
        writer.commit()


def test_a_writer_that_dies_before_its_tag_is_written(store: SheepdogStore) -> None:
    key = new_key()
    store.sheep.create_vdi(key.image_id.encode())
    store.discard(key)
    store.delete(put(store, CONTENT, key))


def test_a_removal_that_stopped_is_gone_on_with(store: SheepdogStore) -> None:
    key = new_key()
    url = put(store, CONTENT, key)
    inode = store.inode_of(key.image_id.encode())
    assert inode is not None
    store.sheep.write_tag(inode, b"glimpse-removing:" + key.attempt.encode())
    with pytest.raises(StoreObjectMissing):
        store.stat(url)
    store.delete(url)


def test_clones_outlive_the_image(store: SheepdogStore) -> None:
    """As Cinder makes them: a snapshot of the image's disk, a clone of that."""
    key = new_key()
    url = put(store, CONTENT, key)
    base = snapshot(store, key.image_id.encode(), b"for-cinder")
    clone(store, base, b"volume-1")
    assert get(store, url) == CONTENT
    store.delete(url)
    assert get(store, "sheepdog://volume-1") == CONTENT
    store.delete("sheepdog://volume-1")
    store.sheep.empty_table(base)
    store.sheep.delete_vdi(key.image_id.encode(), b"for-cinder")


def test_a_lost_object(store: SheepdogStore) -> None:
    key = new_key()
    url = put(store, CONTENT, key)
    vid = store.sheep.find_vdi(key.image_id.encode())
    assert vid is not None
    reader = store.open_reader(url, 0, len(CONTENT))
    store.sheep.remove_piece(vid, 0)
    with pytest.raises(StoreObjectMissing):
        drain(reader)
    store.delete(url)


def test_a_daemon_that_is_killed_in_a_transfer() -> None:
    server = SheepdogServer()
    store = SheepdogStore("sheepdog", "127.0.0.1", server.port)
    key = new_key()
    url = put(store, CONTENT)
    reader = store.open_reader(url, 0, len(CONTENT))
    writer = store.open_writer(key, None)
    writer.write([os.urandom(20 * MIB)])
    server.kill()
    with pytest.raises(Unavailable, match="Sheepdog does not answer"):
        writer.write([os.urandom(20 * MIB)])
    with pytest.raises(Unavailable):
        writer.commit()
    with pytest.raises(Unavailable):
        drain(reader)
    with pytest.raises(Unavailable):
        store.discard(key)
    writer.abort()
    server.start()
    store.discard(key)
    store.delete(put(store, CONTENT))
    server.kill()


@pytest.mark.services
def test_the_options_lead_to_the_server() -> None:
    address, port = [line.partition(" = ")[2] for line in options().splitlines()]
    store = SheepdogStore("sheepdog", address, int(port))
    store.delete(put(store, b"content"))
