from collections.abc import Iterator

import pytest

from glimpse.domain.errors import LimitExceeded
from tests.backends.rbd import Admin, Pool, RbdBackend, running
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
