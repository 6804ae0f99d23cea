import asyncio
import base64
import contextlib
import os
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.access.identity import (
    MAX_DELAY_SECONDS,
    MAX_WAITING,
    REMEMBER_PAIRS,
    REMEMBER_SECONDS,
    BasicIdentity,
    NoIdentity,
    parse_basic,
)
from glimpse.access.users import UserFiles
from glimpse.domain.caller import Caller
from glimpse.domain.errors import TooManyAttempts, Unauthenticated
from tests.unit.world import Clock, run


def asking_with(authorization: str) -> tuple[str, str, dict[str, str]]:
    """A request with this header."""
    return "GET", "/v2/images", {"authorization": authorization}


def basic(name: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{password}".encode()).decode()


class Doorkeeper:
    """An identity whose checks are counted and take no time, and whose delays are written down."""

    def __init__(self, htpasswd: Path, clock: Clock) -> None:
        self.checks: list[tuple[bytes, bytes]] = []
        self.delays: list[float] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.identity = BasicIdentity(
            UserFiles(htpasswd), lambda caller: "admin" in caller.roles, self._check, clock, self._sleep
        )

    async def _check(self, password: bytes, hashed: bytes) -> bool:
        self.checks.append((password, hashed))
        await self.gate.wait()
        return hashed == b"hash of " + password

    async def _sleep(self, seconds: float) -> None:
        self.delays.append(seconds)

    async def refused(self, authorization: str) -> None:
        with pytest.raises(Unauthenticated):
            await self.identity.caller(*asking_with(authorization))


@pytest.fixture
def htpasswd(tmp_path: Path) -> Path:
    path = tmp_path / "htpasswd"
    path.write_text("alice:hash of secret\nbob:hash of hidden\n")
    path.with_name("users.ini").write_text("[alice]\nproject = lab\nroles = admin\n")
    return path


@pytest.fixture
def door(htpasswd: Path, clock: Clock) -> Doorkeeper:
    return Doorkeeper(htpasswd, clock)


def test_callers(door: Doorkeeper) -> None:
    async def work() -> None:
        assert await door.identity.caller(*asking_with(basic("alice", "secret"))) == Caller(
            "alice", "lab", frozenset({"admin", "member", "reader"}), is_admin=True
        )
        assert await door.identity.caller(*asking_with(basic("bob", "hidden"))) == Caller(
            "bob", "bob", frozenset({"member", "reader"}), is_admin=False
        )

    run(work())


def test_a_pair_is_remembered_for_a_while(door: Doorkeeper, clock: Clock) -> None:
    async def work() -> None:
        for _ in range(3):
            await door.identity.caller(*asking_with(basic("alice", "secret")))
            clock.pass_by(REMEMBER_SECONDS / 3 - 0.1)
        assert len(door.checks) == 1
        clock.pass_by(1)
        await door.identity.caller(*asking_with(basic("alice", "secret")))
        assert len(door.checks) == 2

    run(work())


def test_only_what_was_right_is_remembered(door: Doorkeeper) -> None:
    async def work() -> None:
        await door.identity.caller(*asking_with(basic("alice", "secret")))
        await door.refused(basic("alice", "wrong"))
        await door.refused(basic("alice", "wrong"))
        await door.refused(basic("bob", "secret"))
        assert len(door.checks) == 4

    run(work())


def test_a_changed_file_is_not_outlived(door: Doorkeeper, htpasswd: Path) -> None:
    async def work() -> None:
        await door.identity.caller(*asking_with(basic("alice", "secret")))
        htpasswd.write_text("alice:hash of changed\n")
        os.utime(htpasswd, ns=(1, 1))
        await door.refused(basic("alice", "secret"))
        await door.identity.caller(*asking_with(basic("alice", "changed")))
        htpasswd.with_name("users.ini").write_text("[alice]\nroles = reader\n")
        os.utime(htpasswd.with_name("users.ini"), ns=(1, 1))
        assert (await door.identity.caller(*asking_with(basic("alice", "changed")))).roles == {"reader"}
        htpasswd.unlink()
        await door.refused(basic("alice", "changed"))

    run(work())


def test_a_file_that_changes_during_the_check(door: Doorkeeper, htpasswd: Path) -> None:
    async def work() -> None:
        door.gate.clear()
        asking = asyncio.create_task(door.identity.caller(*asking_with(basic("alice", "secret"))))
        while not door.checks:
            await asyncio.sleep(0)
        htpasswd.write_text("bob:hash of hidden\n")
        os.utime(htpasswd, ns=(1, 1))
        door.gate.set()
        await asking
        await door.refused(basic("alice", "secret"))

    run(work())


def test_no_more_than_so_many_pairs_are_remembered(door: Doorkeeper, htpasswd: Path) -> None:
    htpasswd.write_text("".join(f"u{n}:hash of x\n" for n in range(REMEMBER_PAIRS + 1)))

    async def work() -> None:
        for number in range(REMEMBER_PAIRS + 1):
            await door.identity.caller(*asking_with(basic(f"u{number}", "x")))
        count = len(door.checks)
        await door.identity.caller(*asking_with(basic(f"u{REMEMBER_PAIRS}", "x")))
        assert len(door.checks) == count
        await door.identity.caller(*asking_with(basic("u0", "x")))
        assert len(door.checks) == count + 1

    run(work())


def test_wrong_passwords_are_answered_later_and_later(door: Doorkeeper) -> None:
    async def work() -> None:
        for _ in range(8):
            await door.refused(basic("alice", "wrong"))
        assert door.delays == [
            0.2,
            0.4,
            0.8,
            1.6,
            3.2,
            MAX_DELAY_SECONDS,
            MAX_DELAY_SECONDS,
            MAX_DELAY_SECONDS,
        ]
        await door.refused(basic("bob", "wrong"))
        assert door.delays[-1] == 0.2
        await door.identity.caller(*asking_with(basic("alice", "secret")))
        await door.refused(basic("alice", "wrong"))
        assert door.delays[-1] == 0.2

    run(work())


def test_right_passwords_are_not_delayed(door: Doorkeeper) -> None:
    run(door.identity.caller(*asking_with(basic("alice", "secret"))))
    assert door.delays == []


def test_unknown_names_take_the_same_time(door: Doorkeeper) -> None:
    run(door.refused(basic("mallory", "x")))
    ((password, hashed),) = door.checks
    assert password == b"x"
    assert hashed.startswith(b"$2b$12$")
    assert not bcrypt.checkpw(b"", hashed[:4] + b"04" + hashed[6:])
    assert door.delays == [0.2]


def test_an_unknown_name_is_refused_even_if_the_check_says_yes(htpasswd: Path) -> None:
    async def yes(password: bytes, hashed: bytes) -> bool:
        return True

    async def at_once(seconds: float) -> None:
        return

    identity = BasicIdentity(UserFiles(htpasswd), lambda _: True, yes, sleep=at_once)
    with pytest.raises(Unauthenticated):
        run(identity.caller(*asking_with(basic("mallory", "x"))))


def test_one_password_is_checked_at_a_time(door: Doorkeeper) -> None:
    async def work() -> None:
        door.gate.clear()
        asking = [asyncio.create_task(door.refused(basic("alice", f"wrong{n}"))) for n in range(10)]
        for _ in range(20):
            await asyncio.sleep(0)
        assert len(door.checks) == 1
        door.gate.set()
        await asyncio.gather(*asking)
        assert len(door.checks) == 10

    run(work())


def test_a_flood_is_refused_at_once(door: Doorkeeper) -> None:
    async def work() -> None:
        await door.identity.caller(*asking_with(basic("alice", "secret")))
        door.gate.clear()
        flood = [asyncio.create_task(door.refused(basic("bob", f"wrong{n}"))) for n in range(MAX_WAITING)]
        for _ in range(20):
            await asyncio.sleep(0)
        with pytest.raises(TooManyAttempts) as refused:
            await door.identity.caller(*asking_with(basic("bob", "hidden")))
        assert refused.value.retry_after_seconds > 0
        assert (await door.identity.caller(*asking_with(basic("alice", "secret")))).user_id == "alice"
        door.gate.set()
        await asyncio.gather(*flood)
        assert (await door.identity.caller(*asking_with(basic("bob", "hidden")))).user_id == "bob"

    run(work())


def test_one_new_pair_is_checked_once_for_all_that_bring_it(door: Doorkeeper) -> None:
    """However many connections a client has, it is no flood."""

    async def work() -> None:
        asking = (
            door.identity.caller(*asking_with(basic("alice", "secret"))) for _ in range(3 * MAX_WAITING)
        )
        callers = await asyncio.gather(*asking)
        assert {caller.user_id for caller in callers} == {"alice"}
        assert len(door.checks) == 1

    run(work())


def test_whoever_hangs_up_takes_nobody_along(door: Doorkeeper) -> None:
    async def work() -> None:
        door.gate.clear()
        first = asyncio.create_task(door.identity.caller(*asking_with(basic("alice", "secret"))))
        second = asyncio.create_task(door.identity.caller(*asking_with(basic("alice", "secret"))))
        while not door.checks:
            await asyncio.sleep(0)
        first.cancel()
        await asyncio.sleep(0)
        door.gate.set()
        assert (await second).user_id == "alice"

    run(work())


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Basic",
        "Basic ",
        "Bearer x",
        "Basic not-base64!",
        "Basic YWxpY2U=",
        "Basic " + base64.b64encode(b"\xff:secret").decode(),
        basic("alice", "secret")[:-1],
        basic("alice", "secret") + " x",
    ],
)
def test_what_is_no_basic_authentication(door: Doorkeeper, authorization: str) -> None:
    run(door.refused(authorization))
    assert door.checks == []
    assert door.delays == []


@pytest.mark.parametrize(
    ("authorization", "pair"),
    [
        (basic("alice", "secret"), ("alice", b"secret")),
        (basic("alice", ""), ("alice", b"")),
        (basic("", "x"), ("", b"x")),
        (basic("alice", "a:b"), ("alice", b"a:b")),
        (basic("älice", "ß"), ("älice", "ß".encode())),
        (basic("alice", "secret").replace("Basic", "bAsIc"), ("alice", b"secret")),
    ],
)
def test_basic_authentication(authorization: str, pair: tuple[str, bytes]) -> None:
    assert parse_basic(authorization) == pair


@given(st.text())
def test_any_header_is_read_or_refused(authorization: str) -> None:
    with contextlib.suppress(Unauthenticated):
        parse_basic(authorization)


@pytest.mark.parametrize("password", ["secret", "x" * 72])
def test_real_hashes(tmp_path: Path, clock: Clock, password: str) -> None:
    hashed = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    path = tmp_path / "htpasswd"
    path.write_text(f"alice:{hashed}\napache:{hashed.replace('$2b$', '$2y$')}\nold:$apr1$x$y\nempty:\n")

    async def at_once(seconds: float) -> None:
        return

    identity = BasicIdentity(UserFiles(path), lambda _: False, clock=clock, sleep=at_once)

    async def work() -> None:
        for name in ("alice", "apache"):
            assert (await identity.caller(*asking_with(basic(name, password)))).user_id == name
            for wrong in (f"{password[:-1]}", f"{password}\0", ""):
                with pytest.raises(Unauthenticated):
                    await identity.caller(*asking_with(basic(name, wrong)))
        for name in ("old", "empty"):
            with pytest.raises(Unauthenticated):
                await identity.caller(*asking_with(basic(name, password)))

    run(work())


def test_challenges() -> None:
    assert BasicIdentity.challenge.startswith("Basic realm=")
    assert NoIdentity.challenge == ""


def test_without_identity_everybody_is_administrator() -> None:
    caller = run(NoIdentity("lab").caller(*asking_with("whatever")))
    assert (caller.is_admin, caller.project_id, caller.read_only) == (True, "lab", False)
    assert {"admin", "member", "reader"} <= caller.roles
