from collections.abc import Iterator

import pytest

from tests.backends.gridfs import GridFSBackend, GridFSServer
from tests.contract.stores.suite import Backend, StoreSuite

pytestmark = pytest.mark.services


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GridFSServer]:
    server = GridFSServer(tmp_path_factory.mktemp("gridfs"))
    yield server
    server.kill()


class TestGridFS(StoreSuite):
    @pytest.fixture
    def backend(self, server: GridFSServer) -> Iterator[Backend]:
        backend = GridFSBackend(server)
        yield backend
        backend.close()
