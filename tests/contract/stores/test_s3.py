"""The store of S3 on real servers."""

from collections.abc import Iterator

import pytest

from tests.backends.s3 import S3Backend, find
from tests.contract.stores.suite import Backend, StoreSuite

pytestmark = pytest.mark.services


@pytest.fixture(scope="module", params=["swift", "ceph"])
def made(request: pytest.FixtureRequest) -> Iterator[S3Backend]:
    backend = S3Backend(find(request.param))
    yield backend
    backend.close()


class TestS3(StoreSuite):
    races = 10

    @pytest.fixture
    def backend(self, made: S3Backend) -> S3Backend:
        return made

    def test_full_store_is_known_beforehand(self, backend: Backend) -> None:
        pytest.skip("S3 does not tell how much room there is")
