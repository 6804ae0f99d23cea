"""The databases of both sides: of the same kind, on the same server, one for each instance."""

import os
import sqlite3
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from benchmarks import processes, settings

MARIADB_OPTIONS = "--innodb-buffer-pool-size=1G --innodb-log-file-size=512M --max-connections=500"


class Database(Protocol):
    """Where the records of an instance rest."""

    kind: str

    def create(self, name: str) -> None:
        """Makes an empty database; one of that name is dropped."""

    def url(self, name: str) -> str:
        """The address for SQLAlchemy."""

    def execute(self, name: str, statements: Iterable[str]) -> None:
        """Runs the statements in one transaction."""

    def version(self) -> str:
        """The product and its version, for the report."""

    def process(self) -> int | None:
        """The pid of the server, if there is one."""


class MariaDB:
    """A server of our own that `services/up` starts."""

    kind = "mariadb"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "services"
        services("up", "mariadb", self._folder)

    def create(self, name: str) -> None:
        self._client("", [f"drop database if exists {name}", f"create database {name} character set utf8mb3"])

    def url(self, name: str) -> str:
        return f"mysql+pymysql://glimpse:glimpse@127.0.0.1:{settings.MARIADB_PORT}/{name}?charset=utf8"

    def execute(self, name: str, statements: Iterable[str]) -> None:
        checks_off = ["set unique_checks = 0", "set foreign_key_checks = 0", "start transaction"]
        self._client(name, [*checks_off, *statements, "commit"])

    def version(self) -> str:
        return "MariaDB " + self._client("", ["select version()"])

    def process(self) -> int | None:
        return int((self._folder / "mariadb" / "pid").read_text())

    def _client(self, name: str, statements: Iterable[str]) -> str:
        command = [
            "mariadb",
            "--no-defaults",
            "--protocol=tcp",
            "-h",
            "127.0.0.1",
            "-P",
            str(settings.MARIADB_PORT),
        ]
        command += ["-u", "glimpse", "-pglimpse", "-N", "--max-allowed-packet=64M", name]
        return processes.run(command, ";\n".join(statements) + ";\n")


class PostgreSQL:
    """A server of our own that `services/up` starts."""

    kind = "postgresql"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "services"
        services("up", "postgresql", self._folder)

    def create(self, name: str) -> None:
        for statement in (f"drop database if exists {name}", f"create database {name}"):
            self._client("postgres", [statement])

    def url(self, name: str) -> str:
        return f"postgresql://glimpse:glimpse@127.0.0.1:{settings.POSTGRESQL_PORT}/{name}"

    def execute(self, name: str, statements: Iterable[str]) -> None:
        self._client(name, ["begin", *statements, "commit"])

    def version(self) -> str:
        return "PostgreSQL " + self._client("postgres", ["show server_version"])

    def process(self) -> int | None:
        return int((self._folder / "postgresql" / "data" / "postmaster.pid").read_text().split()[0])

    def _client(self, name: str, statements: Iterable[str]) -> str:
        address = f"postgresql://glimpse:glimpse@127.0.0.1:{settings.POSTGRESQL_PORT}/{name}"
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", address]
        return processes.run(command, ";\n".join(statements) + ";\n")


class SQLite:
    """A file for each instance."""

    kind = "sqlite"

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "sqlite"
        self._folder.mkdir(parents=True, exist_ok=True)

    def create(self, name: str) -> None:
        for file in self._folder.glob(f"{name}.db*"):
            file.unlink()

    def url(self, name: str) -> str:
        return f"sqlite:///{self._folder}/{name}.db"

    def execute(self, name: str, statements: Iterable[str]) -> None:
        connection = sqlite3.connect(self._folder / f"{name}.db", timeout=60)
        with connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()

    def version(self) -> str:
        return f"SQLite {sqlite3.sqlite_version}"

    def process(self) -> int | None:
        return None


def connect(kind: str, folder: Path) -> Database:
    kinds: dict[str, type[MariaDB] | type[PostgreSQL] | type[SQLite]] = {
        "mariadb": MariaDB,
        "postgresql": PostgreSQL,
        "sqlite": SQLite,
    }
    return kinds[kind](folder)


def services(action: str, name: str, folder: Path, **environment: str) -> None:
    """Calls services/up or services/down with ports and a folder of the benchmark's own."""
    variables = {
        "GLIMPSE_SERVICES_DIR": str(folder),
        "GLIMPSE_MARIADB_PORT": str(settings.MARIADB_PORT),
        "GLIMPSE_MARIADB_OPTIONS": MARIADB_OPTIONS,
        "GLIMPSE_NGINX_PORT": str(settings.NGINX_PORT),
        "GLIMPSE_POSTGRESQL_PORT": str(settings.POSTGRESQL_PORT),
        "GLIMPSE_KEYSTONE_PORT": str(settings.KEYSTONE_PORT),
        "GLIMPSE_CEPH_PORT": str(settings.CEPH_PORT),
        "GLIMPSE_SWIFT_PORT": str(settings.SWIFT_PORT),
        # What Swift takes as one object when nobody says otherwise.
        "GLIMPSE_SWIFT_MAX_FILE_SIZE": str(5 * settings.GIB + 2),
        **environment,
    }
    command = [str(settings.CHECKOUT / "services" / action), name]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **variables})


def disconnect(folder: Path) -> None:
    """Ends the servers that this run started."""
    for name in ("mariadb", "postgresql", "nginx", "keystone"):
        services("down", name, folder / "services")
