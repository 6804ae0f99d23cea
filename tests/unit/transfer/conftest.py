from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from glimpse.catalog.catalog import Catalog
from glimpse.jobs.worker import Worker
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.threads import Crew, Threads
from glimpse.transfer.transfer import Stores, Transfer
from tests.unit.world import Clock


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore("main", capacity=8 * 1024 * 1024)


@pytest.fixture
def transfer(catalog: Catalog, clock: Clock, store: MemoryStore) -> Iterator[Transfer]:
    with ThreadPoolExecutor(4) as data:
        yield Transfer(
            catalog=catalog,
            worker=Worker("me", 10.0, clock),
            stores=Stores({store.id: store}, store.id),
            threads=Threads(Crew(4, "records"), data),
        )
