"""Upstream Glance, and databases that it and our service may share."""

import os
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.exc import SQLAlchemyError

from tests.clients.environment import RegistryUnreachable, prepare
from tests.clients.keystone import Keystone, find_keystone, service_address
from tests.clients.process import Options
from tests.peer.upstream import UPSTREAM, Upstream, configured

SERVERS = {"mariadb": "MariaDB", "postgresql": "PostgreSQL"}
# Each side has its own driver.
DRIVERS = {"mariadb": "mysql+pymysql", "postgresql": "postgresql+psycopg2"}


@pytest.fixture(scope="session")
def keystone() -> Keystone:
    """A real Keystone."""
    found = find_keystone()
    if found is None:
        pytest.skip("Keystone is not running; start it with: make services")
    return found


@pytest.fixture(scope="session")
def upstream(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Options], Upstream]:
    """Upstream Glance with a database and options of one's own: `upstream(url, options).running()`."""
    try:
        programs = prepare(UPSTREAM)
    except RegistryUnreachable as error:
        pytest.skip(f"{', '.join(UPSTREAM.packages)} cannot be installed: {error}")
    return lambda url, options: configured(programs, tmp_path_factory.mktemp("upstream"), url, options)


@pytest.fixture(scope="module", params=[*SERVERS])
def database(request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """A new and empty database: its URL for us, and its URL for upstream."""
    kind = str(request.param)
    url = service_address(f"{kind.upper()}_URL")
    if url is None or not _runs(url, "SELECT 1"):
        pytest.skip(f"{SERVERS[kind]} is not running; start it with: make services")
    name = f"glimpse_{os.getpid()}_peer"
    drop = f"DROP DATABASE IF EXISTS {name}"
    assert _runs(url, drop)
    assert _runs(url, f"CREATE DATABASE {name}")
    ours = make_url(url).set(database=name)
    theirs = ours.set(drivername=DRIVERS[kind])
    yield ours.render_as_string(hide_password=False), theirs.render_as_string(hide_password=False)
    _runs(url, drop)


def _runs(url: str, statement: str) -> bool:
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            connection.execute(text(statement))
    except SQLAlchemyError:
        return False
    finally:
        engine.dispose()
    return True
