"""The people of a service without Keystone: an htpasswd file (bcrypt), and beside it what they are.

`htpasswd` holds `name:hash` lines, as Apache, Ironic and oslo.middleware read them. `users.ini` may say more:

    [alice]
    project = lab
    roles = admin

Somebody without a section has a project of their own, named like them, and the role `member`.
A role includes those below it: admin, member, reader.
"""

import configparser
import io
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import bcrypt

from glimpse.domain.errors import Invalid, NotFound, Unavailable

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}\Z")
_IMPLIED = {"admin": {"member", "reader"}, "member": {"reader"}}
# bcrypt looks at no more than this many bytes of a password.
MAX_PASSWORD_BYTES = 72


@dataclass(frozen=True, slots=True)
class User:
    """Somebody with a password."""

    name: str
    project: str
    roles: frozenset[str]


class UserFiles:
    """The two files. Read again when they change."""

    def __init__(self, htpasswd: Path) -> None:
        self._htpasswd = htpasswd
        self._details = htpasswd.with_name("users.ini")
        self._stamp: tuple[object, ...] = ()
        self._hashes: Mapping[str, bytes] = {}
        self._users: Mapping[str, User] = {}

    @property
    def stamp(self) -> tuple[object, ...]:
        """Changes whenever the files do."""
        return (_stamp(self._htpasswd), _stamp(self._details))

    def find(self, name: str) -> tuple[User, bytes] | None:
        """The user and the bcrypt hash of the password."""
        self._refresh()
        hashed = self._hashes.get(name)
        return None if hashed is None else (self._users[name], hashed)

    def all(self) -> list[User]:
        """Everybody, by name."""
        self._refresh()
        return [self._users[name] for name in sorted(self._users)]

    def add(self, name: str, password: str, roles: list[str], project: str | None) -> None:
        """Add somebody, or replace who has that name.

        :raises Invalid: the name, the password, a role or the project will not do.
        """
        for field, text in (
            ("name", name),
            ("project", project or name),
            *(("role", role) for role in roles),
        ):
            if not _NAME.match(text):
                raise Invalid(field, "1 to 64 letters, digits, '.', '_', '@' or '-' are allowed")
        if not 1 <= len(password.encode()) <= MAX_PASSWORD_BYTES:
            raise Invalid("password", f"1 to {MAX_PASSWORD_BYTES} bytes are allowed")
        self._refresh()
        hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
        details = self._read_details()
        if not details.has_section(name):
            details.add_section(name)
        details[name].update(project=project or name, roles=", ".join(roles))
        self._write_details(details)
        self._write_hashes({**self._hashes, name: hashed})

    def remove(self, name: str) -> None:
        """:raises NotFound: nobody has that name."""
        self._refresh()
        if name not in self._hashes:
            raise NotFound("user", name)
        self._write_hashes({other: h for other, h in self._hashes.items() if other != name})
        details = self._read_details()
        details.remove_section(name)
        self._write_details(details)

    def _refresh(self) -> None:
        stamp = self.stamp
        if stamp == self._stamp:
            return
        self._hashes = _read_hashes(self._htpasswd)
        details = self._read_details()
        self._users = {name: _user(name, details) for name in self._hashes}
        self._stamp = stamp

    def _read_details(self) -> configparser.ConfigParser:
        # No section gives defaults to others: one may be called like the name that does by default.
        details = configparser.ConfigParser(interpolation=None, default_section="")
        try:
            details.read(self._details, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError) as error:
            raise Unavailable("file users.ini", " ".join(str(error).split())) from None
        return details

    def _write_details(self, details: configparser.ConfigParser) -> None:
        text = io.StringIO()
        details.write(text)
        _replace(self._details, text.getvalue())

    def _write_hashes(self, hashes: Mapping[str, bytes]) -> None:
        _replace(self._htpasswd, "".join(f"{name}:{hashed.decode()}\n" for name, hashed in hashes.items()))


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return (stat.st_mtime_ns, stat.st_ino, stat.st_size)


def _read_hashes(path: Path) -> dict[str, bytes]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    pairs = (line.strip().partition(":") for line in lines)
    return {name: hashed.encode() for name, _, hashed in pairs if name and not name.startswith("#")}


def _user(name: str, details: configparser.ConfigParser) -> User:
    section = details[name] if details.has_section(name) else {}
    named = {role.strip().lower() for role in section.get("roles", "member").split(",") if role.strip()}
    roles = named.union(*(_IMPLIED.get(role, set()) for role in named))
    return User(name, section.get("project", name), frozenset(roles))


def _replace(path: Path, text: str) -> None:
    """Write a file for the service's eyes only, durably and at once."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(temporary).replace(path)
