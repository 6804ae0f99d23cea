from collections.abc import Iterator

import pytest

from tests.backends.swift import Cluster, SwiftBackend
from tests.contract.stores.suite import StoreSuite

pytestmark = pytest.mark.services


class TestSwift(StoreSuite):
    @pytest.fixture
    def backend(self) -> Iterator[SwiftBackend]:
        backend = SwiftBackend(Cluster.by_swift())
        yield backend
        backend.close()
