"""The records on every database that is there: SQLite always, the others when `make services` runs them.

And behind a registry, which has them on SQLite: only tests that see the records as their users do.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from glimpse.catalog.metadef_ports import MetadefRecords
from glimpse.catalog.records import Records
from glimpse.records import open_records, tables
from glimpse.records.database import Database, connect
from glimpse.records.schema import upgrade
from glimpse.registry.client import records_behind
from tests.registry import registry_of

_SERVICES = Path(__file__).parents[3] / ".services" / "env"
_SERVERS = {"postgresql": "PostgreSQL", "mariadb": "MariaDB"}


@dataclass
class Server:
    """A kind of database in which tests may make databases of their own."""

    kind: str
    folder: Path
    url: str | None
    behind_registry: bool = False

    def fresh(self, name: str) -> str:
        """The URL of a new and empty database."""
        if self.url is None:
            return f"sqlite:///{self.folder / name}.db"
        name = f"glimpse_{os.getpid()}_{name}"
        self._run(f"DROP DATABASE IF EXISTS {name}", f"CREATE DATABASE {name}")
        return make_url(self.url).set(database=name).render_as_string(hide_password=False)

    def drop(self, url: str) -> None:
        if self.url is not None:
            self._run(f"DROP DATABASE IF EXISTS {make_url(url).database}")

    def _run(self, *statements: str) -> None:
        engine = create_engine(self.url or "", isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for statement in statements:
                connection.execute(text(statement))
        engine.dispose()


# Only PyMySQL understands its own words, and is taken for them.
_PYMYSQL = "?program_name=glimpse"
_REGISTRY = "registry"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what the registry has no part in."""
    items[:] = [item for item in items if _concerned(item)]


def _concerned(item: pytest.Item) -> bool:
    call = getattr(item, "callspec", None)
    behind_registry = call is not None and call.params.get("server") == ("sqlite", _REGISTRY)
    return not behind_registry or "records" in getattr(item, "fixturenames", ())


@pytest.fixture(
    scope="session",
    params=[
        pytest.param(("sqlite", ""), id="sqlite"),
        pytest.param(("sqlite", _REGISTRY), id=_REGISTRY),
        pytest.param(("postgresql", ""), id="postgresql", marks=pytest.mark.services),
        pytest.param(("mariadb", ""), id="mariadb", marks=pytest.mark.services),
        pytest.param(("mariadb", _PYMYSQL), id="mariadb-pymysql", marks=pytest.mark.services),
    ],
)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Server:
    kind, words = request.param
    folder = tmp_path_factory.mktemp(kind)
    if kind == "sqlite":
        return Server(kind, folder, None, behind_registry=words == _REGISTRY)
    url = _url(kind)
    if url is None or not _answers(url):
        pytest.skip(f"{_SERVERS[kind]} is not running; start it with: make services")
    if kind == "mariadb" and not words and not find_spec("MySQLdb"):
        pytest.skip("mysqlclient is not installed; PyMySQL has its own turn")
    return Server(kind, folder, url + words)


@pytest.fixture
def empty_url(server: Server) -> Iterator[str]:
    """A database without any table."""
    url = server.fresh("empty")
    yield url
    server.drop(url)
    (server.folder / "empty.db").unlink(missing_ok=True)


@pytest.fixture(scope="session")
def shared_database(server: Server) -> Iterator[Database]:
    url = server.fresh("records")
    upgrade(url)
    database = connect(url)
    yield database
    database.close()
    server.drop(url)


@pytest.fixture
def database(shared_database: Database) -> Database:
    """A database whose tables are there and empty."""
    clear(shared_database)
    return shared_database


@pytest.fixture(scope="session")
def shared_records(server: Server, shared_database: Database) -> Iterator[Records]:
    if not server.behind_registry:
        yield open_records(shared_database)
        return
    with registry_of(open_records(shared_database)) as registry:
        yield records_behind(registry)


@pytest.fixture
def records(database: Database, shared_records: Records) -> Records:
    """The records in `database`, which is empty."""
    return shared_records


@pytest.fixture
def metadefs(records: Records) -> Iterator[MetadefRecords]:
    """Those of metadata definitions, of which there are none before and after."""
    records.metadefs.clear()
    yield records.metadefs
    records.metadefs.clear()


def clear(database: Database) -> None:
    """Empty the tables that records write."""
    with database.writer.begin() as connection:
        for table in (
            tables.notifications,
            tables.image_properties,
            tables.image_tags,
            tables.image_members,
            tables.image_locations,
            tables.images,
            tables.intents,
            tables.staged,
            tables.projects,
            tables.jobs,
            tables.cached_images,
            tables.node_reference,
            tables.task_info,
            tables.tasks,
        ):
            connection.execute(table.delete())


def _url(kind: str) -> str | None:
    variable = f"GLIMPSE_TEST_{kind.upper()}_URL"
    lines = _SERVICES.read_text().splitlines() if _SERVICES.exists() else []
    written = dict(line.split("=", 1) for line in lines if "=" in line)
    return os.environ.get(variable) or written.get(variable)


def _answers(url: str) -> bool:
    engine = create_engine(url)
    try:
        with engine.connect():
            return True
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
