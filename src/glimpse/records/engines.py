"""SQLAlchemy engines for each kind of database: drivers, deadlines, pools and modes."""

from importlib.util import find_spec

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import ConnectionPoolEntry

from glimpse.domain.errors import Invalid, Unavailable

# Seconds until a statement, or the wait for a connection, is given up.
DEADLINE = 30
_CONNECT_DEADLINE = 10

# As many as the server has threads for records, and a few more for what runs in the background.
_POOL_SIZE = 16
_POOL_OVERFLOW = 8

# The module of each driver, the quickest first, and what is tried instead when it is not there: the URL may
# come from a Glance that had others.
_DRIVERS = {
    "mysql": (("mysqldb", "MySQLdb"), ("pymysql", "pymysql")),
    "mariadb": (("mysqldb", "MySQLdb"), ("pymysql", "pymysql")),
    "postgresql": (("psycopg", "psycopg"), ("psycopg2", "psycopg2")),
}

_MYSQL = ("mysql", "mariadb")
# What the query of a URL may say to each driver for MySQL.
_COMMON_WORDS = frozenset({"charset", "unix_socket"})

# The lists of an image's children are made by the server, and a longer one must not be cut off. Intersecting
# Glance's indexes on single columns looks cheap to the optimiser, but loses the order that ours have.
_MYSQL_SESSION = (
    "SET SESSION group_concat_max_len = 16777216, optimizer_switch = 'index_merge_intersection=off'"
)


def reader(url: str) -> Engine:
    """An engine whose connections commit by themselves; giving one back costs no round trip."""
    engine = _engine(url, DEADLINE, isolation_level="AUTOCOMMIT", pool_reset_on_return=None)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _set_up_sqlite)
    return engine


def writer(url: str, deadline: int = DEADLINE) -> Engine:
    """An engine for transactions, whose statements are given up after `deadline` seconds."""
    if make_url(url).get_backend_name() != "sqlite":
        return _engine(url, deadline, isolation_level="READ COMMITTED")
    engine = _engine(url, deadline)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def parse(text: str) -> URL:
    """The URL of a database, with a driver that is installed.

    :raises Invalid: it is no URL, or of a kind of database that is not known.
    """
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except ArgumentError:
        raise Invalid("connection", "it is not the URL of a database") from None
    if backend == "sqlite":
        return url.set(drivername="sqlite")
    if backend not in _DRIVERS:
        raise Invalid("connection", f"databases of the kind '{backend}' are not supported")
    return url.set(drivername=f"{backend}+{_driver(url, backend)}")


def _driver(url: URL, backend: str) -> str:
    drivers = _DRIVERS[backend]
    asked = url.drivername.partition("+")[2]
    # Configurations of OpenStack ask for PyMySQL because eventlet wanted it, and seldom mean it. What is said
    # in its own words, only it understands.
    wanted = drivers[0][0] if backend in _MYSQL and url.query.keys() <= _COMMON_WORDS else asked
    for name, module in sorted(drivers, key=lambda driver: driver[0] != wanted):
        if find_spec(module):
            return name
    raise Unavailable("database", f"no driver for '{backend}' is installed")


def _engine(text: str, deadline: int, **options: object) -> Engine:
    url = parse(text)
    return create_engine(
        url,
        connect_args=_connect_arguments(url, deadline),
        hide_parameters=True,
        max_overflow=_POOL_OVERFLOW,
        pool_size=_POOL_SIZE,
        pool_timeout=DEADLINE,
        **options,
    )


def _connect_arguments(url: URL, deadline: int) -> dict[str, object]:
    match url.get_backend_name():
        case "sqlite":
            return {"timeout": deadline, "isolation_level": None}
        case "postgresql":
            return {
                "connect_timeout": _CONNECT_DEADLINE,
                "options": f"-c statement_timeout={deadline * 1000} -c lock_timeout={deadline * 1000}",
            }
        case _:
            return {
                "connect_timeout": _CONNECT_DEADLINE,
                "read_timeout": deadline,
                "write_timeout": deadline,
                "init_command": _MYSQL_SESSION,
            }


def _set_up_sqlite(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "cache_size=-16000"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # A transaction that reads first and then writes could not get the lock any more.
    connection.exec_driver_sql("BEGIN IMMEDIATE")
