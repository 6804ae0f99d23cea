"""The store of S3 while its server, one of the test's own, dies."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.stores.s3.store import S3Store
from tests.backends.own_swift import OwnSwift
from tests.backends.s3 import CUT, S3Backend, find, swift
from tests.contract.stores.suite import CONTENT, MIB, get, new_key, put

pytestmark = pytest.mark.services


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnSwift]:
    find("swift")
    own = OwnSwift(tmp_path)
    own.start()
    yield own
    own.stop()


def test_the_server_dies_while_an_image_is_written_and_read(own: OwnSwift) -> None:
    server = swift(own.folder)
    assert server is not None
    backend = S3Backend(server)
    # Nothing is to be waited for that will not come.
    endpoint = replace(backend.server.endpoint(backend.bucket), answer_seconds=5)
    store = S3Store("s3", endpoint, CUT)
    content = CONTENT * 20
    kept = put(store, content)
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([bytes(12 * MIB)])
    chunks = iter(store.open_reader(kept, 0, len(content)))
    next(chunks)

    own.kill()
    with pytest.raises(Unavailable):
        list(chunks)
    with pytest.raises(Unavailable):
        writer.write([bytes(5 * MIB)] * 5)
    writer.abort()
    with pytest.raises(Unavailable):
        store.discard(key)
    with pytest.raises(Unavailable):
        store.open_writer(new_key(), None)

    own.start()
    assert get(store, kept) == content
    store.discard(key)
    store.delete(kept)
    assert backend.leftovers() == []
