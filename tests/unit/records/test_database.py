from pathlib import Path

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.exc import OperationalError

from glimpse.domain.errors import Conflict, Invalid, Unavailable
from glimpse.records import engines
from glimpse.records.database import Database, connect


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return connect(f"sqlite:///{tmp_path / 'x.db'}")


class Deadlock(Exception):
    """As a driver of PostgreSQL reports it."""

    sqlstate = "40P01"


def _collide(connection: Connection) -> None:
    raise OperationalError("UPDATE", {}, Deadlock())


def test_a_transaction_that_collided_runs_again_and_leaves_one_result(empty: Database) -> None:
    attempts = 0

    def work(connection: Connection) -> str:
        nonlocal attempts
        attempts += 1
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
        if attempts < 3:
            _collide(connection)
        return "done"

    assert empty.write(work) == "done"
    assert attempts == 3


def test_a_transaction_that_always_collides_is_a_conflict(empty: Database) -> None:
    with pytest.raises(Conflict):
        empty.write(_collide)


def test_what_the_function_raises_undoes_the_transaction(empty: Database) -> None:
    def work(connection: Connection) -> None:
        connection.execute(text("CREATE TABLE t (n INTEGER)"))
        raise KeyError("mine")

    with pytest.raises(KeyError):
        empty.write(work)
    with pytest.raises(Unavailable, match="no such table"):
        empty.write(lambda connection: connection.execute(text("SELECT * FROM t")))


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:///x.db", "sqlite"),
        ("sqlite+pysqlite:///x.db", "sqlite"),
        ("mysql+pymysql://u:p@h/d", "mysql+pymysql"),
        ("postgresql+psycopg://u:p@h/d", "postgresql+psycopg"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg"),
    ],
)
def test_urls_of_glance_lead_to_a_driver_that_is_installed(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda module: module in {"psycopg", "pymysql"})
    assert engines.parse(url).drivername == driver


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("mysql+pymysql://u:p@h/d?charset=utf8", "mysql+mysqldb"),
        ("mysql://u:p@h/d", "mysql+mysqldb"),
        ("mysql+pymysql://u:p@h/d?program_name=x", "mysql+pymysql"),
        ("postgresql+psycopg2://u:p@h/d", "postgresql+psycopg2"),
    ],
)
def test_mysqlclient_is_taken_where_it_understands_the_url(
    monkeypatch: pytest.MonkeyPatch, url: str, driver: str
) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda module: True)
    assert engines.parse(url).drivername == driver


def test_without_any_driver(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "find_spec", lambda module: None)
    with pytest.raises(Unavailable, match="mysql"):
        engines.parse("mysql://u:p@h/d")


@pytest.mark.parametrize("url", ["", "no url", "oracle://u:secret@h/d"])
def test_what_is_no_url_of_a_known_database(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        engines.parse(url)
    assert "secret" not in str(caught.value)
