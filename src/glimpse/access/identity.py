"""Who is calling: the port that the API asks, and its two implementations without Keystone."""

import asyncio
import base64
import binascii
import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

import bcrypt

from glimpse.access.users import User, UserFiles
from glimpse.domain.caller import Caller
from glimpse.domain.errors import TooManyAttempts, Unauthenticated

# A verified pair is remembered this long: bcrypt takes a quarter of a second, too long for every request.
REMEMBER_SECONDS = 60.0
REMEMBER_PAIRS = 1024

# Answers to wrong passwords for one name come later and later, up to this.
MAX_DELAY_SECONDS = 5.0
# So many passwords may wait to be checked; more are refused at once.
MAX_WAITING = 64
# Checked against when the name is unknown, so that the time taken does not tell which names exist.
_NOBODY = b"$2b$12$ZUrY5Pj3CJGxrCpGWZK3ZOrlrOPgbBhbkPtmg7FyUxhAeTe6hmUaC"


class Identity(Protocol):
    """Finds out who is calling."""

    # What a client is told to send, as the value of WWW-Authenticate; empty: nothing.
    challenge: str

    async def caller(self, method: str, path: str, headers: Mapping[str, str]) -> Caller:
        """The caller who sent this request; `headers` finds names in any letters.

        :raises Unauthenticated: no or wrong credentials.
        :raises TooManyAttempts: too many credentials are waiting to be checked.
        """


class NoIdentity:
    """Everybody who can reach the service is its administrator."""

    challenge = ""

    def __init__(self, project: str = "default") -> None:
        roles = frozenset({"admin", "member", "reader"})
        self._caller = Caller(user_id="anonymous", project_id=project, roles=roles, is_admin=True)

    async def caller(self, method: str, path: str, headers: Mapping[str, str]) -> Caller:
        """The administrator, whoever it is."""
        del method, path, headers
        return self._caller


class BasicIdentity:
    """HTTP basic authentication (RFC 7617) against an htpasswd file with bcrypt hashes."""

    challenge = 'Basic realm="glimpse", charset="UTF-8"'

    def __init__(
        self,
        users: UserFiles,
        is_admin: Callable[[Caller], bool],
        check: Callable[[bytes, bytes], Awaitable[bool]] | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._users = users
        self._is_admin = is_admin
        self._check = check or _check_on_thread
        self._clock = clock
        self._sleep = sleep
        self._salt = secrets.token_bytes(16)
        self._known: OrderedDict[bytes, tuple[Caller, float, tuple[object, ...]]] = OrderedDict()
        self._checks: dict[bytes, asyncio.Task[Caller]] = {}
        self._failures: OrderedDict[str, int] = OrderedDict()
        self._waiting = 0
        self._turn = asyncio.Semaphore(1)

    async def caller(self, method: str, path: str, headers: Mapping[str, str]) -> Caller:
        """See `Identity.caller`."""
        del method, path
        authorization = headers.get("authorization", "")
        key = hashlib.blake2b(authorization.encode(), key=self._salt).digest()
        known = self._known.get(key)
        if known is not None:
            caller, until, stamp = known
            if self._clock() < until and stamp == self._users.stamp:
                return caller
            del self._known[key]
        # Many requests may bring the same new pair at once: it is checked once for all of them.
        check = self._checks.get(key)
        if check is None:
            check = asyncio.create_task(self._learn(key, *parse_basic(authorization)))
            self._checks[key] = check
            check.add_done_callback(lambda _: self._checks.pop(key, None))
        return await asyncio.shield(check)

    async def _learn(self, key: bytes, name: str, password: bytes) -> Caller:
        stamp = self._users.stamp
        caller = self._as_caller(await self._verify(name, password))
        self._known[key] = (caller, self._clock() + REMEMBER_SECONDS, stamp)
        while len(self._known) > REMEMBER_PAIRS:
            self._known.popitem(last=False)
        return caller

    async def _verify(self, name: str, password: bytes) -> User:
        found = self._users.find(name)
        if self._waiting >= MAX_WAITING:
            raise TooManyAttempts(retry_after_seconds=5)
        self._waiting += 1
        try:
            # One at a time: a flood of wrong passwords must not take every core.
            async with self._turn:
                right = await self._check(password, found[1] if found else _NOBODY)
        finally:
            self._waiting -= 1
        if found and right:
            self._failures.pop(name, None)
            return found[0]
        await self._sleep(self._delay(name))
        raise Unauthenticated

    def _delay(self, name: str) -> float:
        failures = self._failures.pop(name, 0) + 1
        self._failures[name] = failures
        while len(self._failures) > REMEMBER_PAIRS:
            self._failures.popitem(last=False)
        return min(0.1 * 2.0 ** min(failures, 10), MAX_DELAY_SECONDS)

    def _as_caller(self, user: User) -> Caller:
        ordinary = Caller(user_id=user.name, project_id=user.project, roles=user.roles)
        if not self._is_admin(ordinary):
            return ordinary
        return Caller(user_id=user.name, project_id=user.project, roles=user.roles, is_admin=True)


def parse_basic(authorization: str) -> tuple[str, bytes]:
    """Name and password of a Basic `Authorization` header. :raises Unauthenticated: it is none."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        raise Unauthenticated
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
        if colon:
            return name.decode(), password
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise Unauthenticated


async def _check_on_thread(password: bytes, hashed: bytes) -> bool:
    return await asyncio.to_thread(_matches, password, hashed)


def _matches(password: bytes, hashed: bytes) -> bool:
    # Other htpasswd programs write the same algorithm with the prefix $2y$.
    hashed = b"$2b$" + hashed[4:] if hashed.startswith(b"$2y$") else hashed
    try:
        return b"\0" not in password and bcrypt.checkpw(password[:72], hashed)
    except ValueError:
        return False
