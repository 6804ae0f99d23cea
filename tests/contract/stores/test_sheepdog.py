from collections.abc import Iterator

import pytest

from tests.backends.sheepdog import SheepdogBackend
from tests.contract.stores.suite import Backend, StoreSuite


class TestSheepdog(StoreSuite):
    """Against the stand-in, which needs nothing but Python."""

    @pytest.fixture
    def backend(self) -> Iterator[Backend]:
        backend = SheepdogBackend()
        yield backend
        backend.close()

    @pytest.mark.skip(reason="a daemon knows how full its own node is, but not the cluster")
    def test_full_store_is_known_beforehand(self, backend: Backend) -> None:
        """Nobody can tell."""
