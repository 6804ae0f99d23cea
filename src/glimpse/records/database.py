"""Connections to the database: how to read, how to write, and what happens when it does not answer."""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, SelectBase, event, exc
from sqlalchemy.pool import PoolProxiedConnection

from glimpse.domain.errors import Conflict, Unavailable
from glimpse.domain.spans import call
from glimpse.records import engines
from glimpse.records.dialects import DIALECTS, Sql
from glimpse.records.failures import UNFIT, Collision, Meaning, describe, meaning, unfit
from glimpse.records.location_urls import LocationUrls

Result = TypeVar("Result")
Rows = Sequence[Sequence[Any]]
Parameters = Sequence[object] | Mapping[str, object]

_ATTEMPTS = 8
_PAUSE = 0.02


class Prepared:
    """A statement in the words of one database.

    SQLAlchemy spends more time on a statement of this size than the database does, so it is compiled once
    for each shape and then only bound to values.
    """

    __slots__ = ("_names", "_values", "text")

    def __init__(self, statement: SelectBase, engine: Engine) -> None:
        compiled = statement.compile(engine)
        self.text = str(compiled)
        self._names: tuple[str, ...] | None = (
            tuple(compiled.positiontup or ()) if compiled.positional else None
        )
        self._values: Mapping[str, object] = compiled.construct_params(_check=False)

    def bind(self, values: Mapping[str, object]) -> Parameters:
        """The parameters as the driver wants them."""
        if self._names is None:
            return {name: values.get(name, own) for name, own in self._values.items()}
        own = self._values
        return tuple([values[name] if name in values else own[name] for name in self._names])


class Database:
    """One database.

    Reads take a connection in autocommit mode, without a round trip for a transaction. Writes take another
    one and run as a function that may be called again when the transaction collided with another one.
    """

    def __init__(self, url: str, urls: LocationUrls) -> None:
        self.urls = urls
        self.writer = engines.writer(url)
        self.reader = engines.reader(url)
        self.kind = "sqlite" if self.writer.dialect.name == "sqlite" else _kind(self.writer)
        self.sql: Sql = DIALECTS[self.kind]
        self._driver_error: type[Exception] = self.reader.dialect.loaded_dbapi.Error
        # SQLite has one writer at a time and waits for it by polling; within a process a lock is
        # quicker, and never gives up.
        self._turn: AbstractContextManager[object] = (
            threading.Lock() if self.kind == "sqlite" else nullcontext()
        )

    def prepare(self, statement: SelectBase) -> Prepared:
        """`statement`, ready to be read with."""
        return Prepared(statement, self.reader)

    def read(self, statement: Prepared, values: Mapping[str, object]) -> Rows:
        """The rows that `statement` finds. A connection that turns out to be dead is replaced once.

        :raises Invalid: a value that the database cannot hold.
        :raises Unavailable: the database does not answer.
        """
        parameters = statement.bind(values)
        with call("database read", {"db.system.name": self.kind, "db.query.text": statement.text}):
            try:
                return self._fetch(statement.text, parameters)
            except _Lost:
                # The others in the pool are as old as this one.
                self.reader.dispose()
            try:
                return self._fetch(statement.text, parameters)
            except _Lost as error:
                raise Unavailable("database", str(error)) from None

    def write(self, work: Callable[[Connection], Result]) -> Result:
        """Run `work` in a transaction, again if it collided. What `work` raises undoes the transaction.

        :raises Invalid: a value that the database cannot hold.
        :raises Conflict: it collided again and again.
        :raises Unavailable: the database does not answer.
        """
        with call("database write", {"db.system.name": self.kind}):
            for attempt in range(1, _ATTEMPTS + 1):
                try:
                    with self._turn:
                        return self._transact(work)
                except Collision:
                    time.sleep(random.uniform(0, _PAUSE * attempt))  # noqa: S311
            raise Conflict("Too many others change the same thing at this moment.")

    def watch(self, change: Callable[[int], None]) -> None:
        """Call `change` with 1 when a connection is taken from a pool, and with -1 when it is given back."""
        for engine in (self.reader, self.writer):
            event.listen(engine, "checkout", lambda *_: change(1))
            event.listen(engine, "checkin", lambda *_: change(-1))

    def close(self) -> None:
        """Close all connections."""
        self.reader.dispose()
        self.writer.dispose()

    def _fetch(self, text: str, parameters: Parameters) -> Rows:
        connection = self._connection()
        try:
            return _rows(connection, text, parameters)
        except UNFIT as error:
            raise unfit(error) from None
        except self._driver_error as error:
            if self._is_lost(error, connection):
                connection.invalidate(error)
                raise _Lost(describe(error)) from error
            raise _judged(error) from error
        finally:
            connection.close()

    def _connection(self) -> PoolProxiedConnection:
        try:
            return self.reader.raw_connection()
        except (exc.SQLAlchemyError, self._driver_error) as error:
            raise Unavailable("database", describe(error)) from error

    def _is_lost(self, error: Exception, connection: PoolProxiedConnection) -> bool:
        return self.reader.dialect.is_disconnect(error, connection, None)  # type: ignore[arg-type]

    def _transact(self, work: Callable[[Connection], Result]) -> Result:
        done = False
        try:
            with self.writer.begin() as connection:
                result = work(connection)
                done = True
            return result
        except UNFIT as error:
            raise unfit(error) from None
        except exc.DBAPIError as error:
            if error.connection_invalidated and not done:
                # Nothing was committed, and the pool has been renewed.
                raise Collision from error
            raise _judged(error.orig or error) from error
        except exc.SQLAlchemyError as error:
            raise Unavailable("database", describe(error)) from error


class _Lost(Exception):
    """The connection is dead."""


def connect(url: str, location_key: bytes | None = None) -> Database:
    """The database at `url` (an SQLAlchemy URL; drivers that are not installed are replaced by ours).

    `location_key` encrypts the URLs of locations (`location_urls`).
    """
    return Database(url, LocationUrls(location_key))


def _kind(engine: Engine) -> str:
    return "postgresql" if engine.dialect.name == "postgresql" else "mysql"


def _rows(connection: PoolProxiedConnection, text: str, parameters: Parameters) -> Rows:
    cursor = connection.cursor()
    try:
        cursor.execute(text, parameters)
        return cursor.fetchall()
    finally:
        cursor.close()


def _judged(error: BaseException) -> Exception:
    match meaning(error):
        case Meaning.COLLISION:
            return Collision()
        case Meaning.VALUE:
            return unfit(error)
        case Meaning.TROUBLE:
            return Unavailable("database", describe(error))
