import shutil
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection

from glimpse.access.policy import OsloPolicy
from glimpse.catalog.catalog import Catalog
from glimpse.config.settings import read_config
from glimpse.records.database import Database, connect
from glimpse.records.schema import upgrade
from tests.unit.world import Clock, make_catalog


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database file with the schema and nothing else; copied, because making it takes a while."""
    path = tmp_path_factory.mktemp("database") / "empty.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture
def database(empty_database: Path, tmp_path: Path) -> Iterator[Database]:
    path = tmp_path / "glimpse.db"
    shutil.copy(empty_database, path)
    database = connect(f"sqlite:///{path}")
    for engine in (database.writer, database.reader):
        event.listen(engine, "connect", _hurry)
    yield database
    database.close()


def _hurry(connection: DBAPIConnection, _: object) -> None:
    # These tests survive no power failure; waiting for the disk would be most of their time.
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = OFF")
    cursor.close()


@pytest.fixture(scope="session")
def policy() -> OsloPolicy:
    return OsloPolicy(read_config([]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def catalog(database: Database, clock: Clock, policy: OsloPolicy) -> Catalog:
    return make_catalog(database, clock, policy)


@pytest.fixture
def quick_bcrypt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Real hashes, but with the least work that bcrypt allows."""
    gensalt = bcrypt.gensalt
    monkeypatch.setattr(bcrypt, "gensalt", lambda: gensalt(4))
