"""Fixtures for tests that speak HTTP: a fresh world for each test, and the people in it."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Protocol

import pytest
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from glimpse.access.identity import Identity
from glimpse.access.policy import OsloPolicy
from glimpse.catalog.ports import PropertyRules, Quotas
from glimpse.catalog.records import Records
from glimpse.config.backends.files import FileBackend
from glimpse.config.backends.http import HttpBackend
from glimpse.config.backends.kind import Backend
from glimpse.config.settings import Settings, read_config, read_settings
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import upgrade
from glimpse.stores.base import Store
from glimpse.stores.folders import Folder
from tests.api import world as people
from tests.api.world import Client, Loop, World
from tests.sources import Source, serving


class MakeWorld(Protocol):
    """Builds a world with options of its configuration file."""

    def __call__(
        self,
        options: str = "",
        *,
        identity: Identity | None = None,
        store: Store | None = None,
        protection: PropertyRules | None = None,
        quotas: Quotas | None = None,
    ) -> World: ...


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture(scope="session")
def policy() -> OsloPolicy:
    return OsloPolicy(read_config([]))


@pytest.fixture(scope="session")
def database_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with the current schema."""
    path = tmp_path_factory.mktemp("database") / "glimpse.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def records(database_file: Path) -> Iterator[Records]:
    database = connect(f"sqlite:///{database_file}")
    # These tests kill nothing: there is no need to wait for the disk.
    for engine in (database.writer, database.reader):
        event.listen(engine, "connect", _do_not_wait_for_the_disk)
    yield open_records(database)
    database.close()


def _do_not_wait_for_the_disk(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.cursor().execute("PRAGMA synchronous=OFF")


@pytest.fixture
def empty_records(database_file: Path, records: Records) -> Records:
    """The records without anything in them. Emptying takes a tenth of the time of making them anew."""
    with closing(sqlite3.connect(database_file, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        for (table,) in tables:
            if not table.endswith("alembic_version"):
                connection.execute(f'DELETE FROM "{table}"')
    return records


@pytest.fixture(scope="session")
def options_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Settings]:
    """The settings of a configuration file with this text, which is read once."""
    folder = tmp_path_factory.mktemp("options")

    @cache
    def read(options: str) -> Settings:
        config = folder / f"{len(list(folder.iterdir()))}.conf"
        config.write_text(options)
        return read_settings([str(config)], state_dir=folder)

    return read


@pytest.fixture
def make_world(
    tmp_path: Path,
    loop: Loop,
    policy: OsloPolicy,
    empty_records: Records,
    options_of: Callable[[str], Settings],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[MakeWorld]:
    """Worlds that are made in one test share the records, and differ in options and folders."""
    # Nobody whom the system's authorities know is asked, and to read them is half of the time of most tests.
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    worlds: list[World] = []

    def make(
        options: str = "",
        *,
        identity: Identity | None = None,
        store: Store | None = None,
        protection: PropertyRules | None = None,
        quotas: Quotas | None = None,
    ) -> World:
        state = tmp_path / f"world-{len(worlds)}"
        settings = _moved(options_of(options), state)
        made = World(
            loop,
            settings,
            policy,
            empty_records,
            identity=identity,
            store=store,
            protection=protection,
            quotas=quotas,
        )
        worlds.append(made)
        return made

    yield make
    for world in worlds:
        world.close()


def _moved(settings: Settings, state: Path) -> Settings:
    """The settings for a service that keeps everything in this folder, and asks web servers once."""
    stores = tuple(replace(place, backend=_moved_backend(place.backend, state)) for place in settings.stores)
    cache = replace(settings.cache, folder=state / "image-cache")
    return replace(settings, state_dir=state, stores=stores, http_retries=0, cache=cache)


def _moved_backend(backend: Backend, state: Path) -> Backend:
    if isinstance(backend, FileBackend):
        return replace(backend, folders=tuple(Folder(state / folder.path.name) for folder in backend.folders))
    if isinstance(backend, HttpBackend):
        return replace(backend, retries=0)
    return backend


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    """A web server with images."""
    with serving() as source:
        yield source


@pytest.fixture
def world(make_world: MakeWorld) -> World:
    return make_world()


@pytest.fixture
def alice(world: World) -> Client:
    return world.client(people.ALICE)


@pytest.fixture
def reader(world: World) -> Client:
    return world.client(people.READER)


@pytest.fixture
def bob(world: World) -> Client:
    return world.client(people.BOB)


@pytest.fixture
def carol(world: World) -> Client:
    return world.client(people.CAROL)


@pytest.fixture
def admin(world: World) -> Client:
    return world.client(people.ADMIN)


@pytest.fixture
def drifter(world: World) -> Client:
    """Somebody with roles and no project."""
    return world.client(people.DRIFTER)


@pytest.fixture
def anonymous(world: World) -> Client:
    return world.client(people.ANONYMOUS)


@pytest.fixture
def nobody(world: World) -> Client:
    """Somebody without credentials."""
    return world.client(people.NOBODY)
