import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import gridfs
import pytest

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.stores.base import ObjectKey, StoreObjectMissing
from glimpse.stores.gridfs import GridFSStore
from tests.backends.gridfs import DATABASE, GridFSBackend, GridFSServer, options
from tests.contract.stores.suite import CONTENT, MIB, Backend, StoreSuite, get, new_key, put

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GridFSServer]:
    server = GridFSServer(tmp_path_factory.mktemp("gridfs"))
    yield server
    server.kill()


@pytest.fixture
def backend(server: GridFSServer) -> Iterator[GridFSBackend]:
    backend = GridFSBackend(server)
    yield backend
    assert backend.leftovers() == []
    backend.close()


class TestGridFS(StoreSuite):
    server = "a stand-in for mongod"

    @pytest.fixture
    def backend(self, server: GridFSServer) -> Iterator[Backend]:
        backend = GridFSBackend(server)
        yield backend
        backend.close()


def test_what_glance_wrote(backend: GridFSBackend) -> None:
    image_id = str(uuid4())
    gridfs.GridFS(backend.database).put(CONTENT, _id=image_id)
    url = f"gridfs://{image_id}"
    assert get(backend.store, url) == CONTENT
    # Glance's chunks have 255 KiB.
    assert get(backend.store, url, 255 * 1024 - 1, 2) == CONTENT[255 * 1024 - 1 : 255 * 1024 + 1]
    with pytest.raises(Conflict):
        put(backend.store, b"other", ObjectKey(image_id, "1"))
    assert get(backend.store, url) == CONTENT
    backend.store.delete(url)


def test_other_clients_read_what_we_write(backend: GridFSBackend) -> None:
    key = new_key()
    content = os.urandom(9 * MIB + 3)
    url = put(backend.store, content, key)
    assert url == f"gridfs://{key}"
    assert gridfs.GridFS(backend.database).get(str(key)).read() == content
    assert gridfs.GridFS(backend.database).get_last_version(key.image_id).read() == content
    backend.store.delete(url)


def test_an_attempt_is_discarded_by_another_process(server: GridFSServer, backend: GridFSBackend) -> None:
    key = new_key()
    writer = backend.store.open_writer(key, None)
    writer.write([os.urandom(9 * MIB)])
    GridFSStore("other", server.url, DATABASE).discard(key)
    assert backend.leftovers() == []
    writer.write([os.urandom(9 * MIB)])
    assert backend.leftovers() == []
    with pytest.raises(Conflict):
        writer.commit()


def test_an_attempt_that_died_after_its_document_is_not_seen(backend: GridFSBackend) -> None:
    key = new_key()
    url = put(backend.store, CONTENT, key)
    backend.database["glimpse_incoming"].insert_one({"_id": str(key)})
    with pytest.raises(StoreObjectMissing):
        backend.store.stat(url)
    with pytest.raises(StoreObjectMissing):
        backend.store.open_reader(url, 0, 1)
    backend.store.discard(key)


def test_a_chunk_that_is_lost(backend: GridFSBackend) -> None:
    url = put(backend.store, CONTENT)
    name = url.removeprefix("gridfs://")
    backend.database["fs.chunks"].delete_many({"files_id": name})
    reader = backend.store.open_reader(url, 0, 10)
    with pytest.raises(StoreObjectMissing):
        b"".join(reader)  # type: ignore[arg-type]
    backend.store.delete(url)


def test_a_server_that_is_killed_in_a_transfer(tmp_path: Path) -> None:
    server = GridFSServer(tmp_path)
    store = GridFSStore("gridfs", f"{server.url}?serverSelectionTimeoutMS=500", DATABASE)
    kept = put(store, CONTENT)
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([os.urandom(9 * MIB)])
    reader = store.open_reader(kept, 0, len(CONTENT))
    server.kill()
    with pytest.raises(Unavailable, match=r"connection|answers"):
        writer.write([os.urandom(9 * MIB)])
    writer.abort()
    with pytest.raises(Unavailable):
        b"".join(reader)
    with pytest.raises(Unavailable):
        store.discard(key)
    server.start()
    store.discard(key)
    assert get(store, kept) == CONTENT
    store.delete(kept)
    assert list(store._bucket().chunks.find({"files_id": str(key)})) == []
    server.kill()


def test_the_options_lead_to_the_server() -> None:
    url, database = [line.partition(" = ")[2] for line in options().splitlines()]
    store = GridFSStore("gridfs", url, database)
    store.delete(put(store, b"content"))
