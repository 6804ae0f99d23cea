"""Connections that die, and a database that is busy."""

import sqlite3
import threading
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from glimpse.catalog.records import Records
from glimpse.domain.errors import Unavailable
from glimpse.records.database import Database
from tests.contract.records.making import create

_KILL = {
    "postgresql": "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE datname = current_database() AND pid <> pg_backend_pid()",
    "mysql": "SELECT id FROM information_schema.processlist WHERE db = DATABASE() AND id <> CONNECTION_ID()",
}


def _end_all_connections(database: Database) -> None:
    """What a restart of the server does to those who are connected."""
    engine = create_engine(database.writer.url)
    with engine.connect() as connection:
        numbers = connection.execute(text(_KILL[database.kind])).scalars().all()
        if database.kind == "mysql":
            for number in numbers:
                connection.execute(text(f"KILL {number}"))
    engine.dispose()


def test_dead_connections_are_replaced(records: Records, database: Database) -> None:
    if database.kind == "sqlite":
        pytest.skip("SQLite has no connections that could die")
    image = create(records)
    # Several connections in both pools, so that the first replacement meets another dead one.
    _use_several(records, image.id)
    _end_all_connections(database)
    assert records.images.get(image.id, None) == image
    _end_all_connections(database)
    create(records)


def _use_several(records: Records, image_id: str) -> None:
    def work() -> None:
        for _ in range(5):
            records.images.get(image_id, None)
            create(records)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_another_process_writes_to_the_sqlite_database(records: Records, database: Database) -> None:
    """Readers go on, and the writer waits its turn."""
    if database.kind != "sqlite":
        pytest.skip("servers lock rows, not the database")
    image = create(records)
    other = sqlite3.connect(Path(database.writer.url.database or ""), check_same_thread=False)
    other.isolation_level = None
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.3, other.execute, ["COMMIT"])
    timer.start()
    assert records.images.get(image.id, None) == image
    create(records)
    timer.join()
    other.close()


def test_a_statement_that_the_database_cannot_run(database: Database) -> None:
    with pytest.raises(Unavailable) as caught:
        database.write(lambda connection: connection.execute(text("SELECT * FROM no_such_table")))
    assert "no_such_table" in str(caught.value)
