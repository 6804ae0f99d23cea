"""What an error of a database driver means."""

import re
from enum import Enum

from glimpse.domain.errors import Invalid

# MySQL and MariaDB: deadlock, lock wait timeout, write conflict (Galera). PostgreSQL: serialisation failure,
# deadlock, lock not available.
_MYSQL_COLLISIONS = frozenset({1213, 1205, 1020})
_SQLSTATE_COLLISIONS = frozenset({"40001", "40P01", "55P03"})
# Out of range, mixed or wrong character sets (beyond the three bytes of Glance's tables), too long.
_MYSQL_UNFIT = frozenset({1264, 1267, 1300, 1366, 1406})
_MYSQL_COLUMN = re.compile(r"for column .*?(\w+)[`'\"]* at row")

# Raised by the drivers before anything is sent, when a value has no form in the database's language.
UNFIT = (UnicodeError, OverflowError)


class Collision(Exception):
    """This transaction met another one; run again, it will find what the other left."""


class Meaning(Enum):
    """What to do about an error of the driver."""

    COLLISION = "run again"
    VALUE = "the caller's value does not fit"
    TROUBLE = "the database cannot do it"


def meaning(error: BaseException) -> Meaning:
    """What the driver's `error` means."""
    state = getattr(error, "sqlstate", None)
    number = error.args[0] if error.args else None
    if state in _SQLSTATE_COLLISIONS or number in _MYSQL_COLLISIONS:
        return Meaning.COLLISION
    # All drivers follow PEP 249, where DataError is a problem with the value; MySQL's numbers are not mapped
    # alike by its drivers.
    if number in _MYSQL_UNFIT or any(base.__name__ == "DataError" for base in type(error).__mro__):
        return Meaning.VALUE
    return Meaning.TROUBLE


def unfit(error: BaseException) -> Invalid:
    """The error for a value that the database cannot keep; it names the column when the driver does."""
    column = _MYSQL_COLUMN.search(str(error))
    return Invalid(column.group(1) if column else "value", "the database cannot keep this value")


def describe(error: BaseException) -> str:
    """A short text for the operator: no statement, no parameters, no passwords."""
    name = type(error).__name__
    lines = str(error).strip().splitlines()
    return f"{name}: {lines[0]}" if lines else name
