"""What vCenter may answer, as far as the simulator never does."""

import http.client
import socket
from collections.abc import Iterator

import pytest
from pyVmomi import vim, vmodl

from glimpse.domain.errors import Unavailable
from glimpse.stores.vmware import files
from glimpse.stores.vmware.files import _clip, _interim
from glimpse.stores.vmware.places import Account
from glimpse.stores.vmware.session import (
    Broken,
    FileExists,
    FileInUse,
    FileMissing,
    Full,
    VcenterSession,
    pauses,
)


@pytest.mark.parametrize(
    ("fault", "error", "reason"),
    [
        (vim.fault.FileNotFound(), FileMissing, None),
        (vim.fault.FileAlreadyExists(), FileExists, None),
        (vim.fault.FileLocked(), FileInUse, "locked"),
        (vim.fault.NoDiskSpace(), Full, "full"),
        (
            vim.fault.NoPermission(privilegeId="Datastore.FileManagement"),
            Unavailable,
            "Datastore.FileManagement",
        ),
        (vim.fault.InvalidLogin(msg="secret"), Unavailable, "user name or the password"),
        (vmodl.fault.ManagedObjectNotFound(), Unavailable, "ManagedObjectNotFound"),
        (vmodl.fault.SystemError(msg="secret"), Unavailable, "SystemError"),
        (TimeoutError(), Broken, "in time"),
        (http.client.HTTPException("503 secret"), Broken, "HTTPException"),
    ],
)
def test_faults(fault: Exception, error: type[Exception], reason: str | None) -> None:
    session = VcenterSession(Account("vc", "user", "secret"), "store x")
    with pytest.raises(error, match=reason) as caught, session._telling():
        raise fault
    assert "secret" not in str(caught.value)


def test_pauses_grow_to_a_limit() -> None:
    assert list(pauses(5)) == pytest.approx([0.1, 0.4, 1.6, 5.0, 5.0])


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        yield ours, theirs


Wire = tuple[socket.socket, socket.socket]


def test_the_bytes_may_come(wire: Wire) -> None:
    ours, theirs = wire
    theirs.sendall(b"HTTP/1.1 100 Continue\r\nx: y\r\n\r\nHTTP/1.1 201")
    assert _interim(ours) == 100
    assert ours.recv(100) == b"HTTP/1.1 201"


def test_the_bytes_are_not_wanted(wire: Wire) -> None:
    wire[1].sendall(b"HTTP/1.1 401 Unauthorized\r\n\r\n")
    assert _interim(wire[0]) == 401


def test_who_says_nothing_gets_the_bytes(wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "_EXPECT_SECONDS", 0.01)
    assert _interim(wire[0]) == 100
    assert wire[0].gettimeout() == 60


@pytest.mark.parametrize("answer", [b"", b"\r\n", b"nonsense\r\n", b"HTTP/1.1 ok\r\n"])
def test_what_is_no_answer(wire: Wire, answer: bytes) -> None:
    wire[1].sendall(answer)
    wire[1].shutdown(socket.SHUT_WR)
    with pytest.raises(http.client.BadStatusLine):
        _interim(wire[0])


@pytest.mark.parametrize(("skip", "length"), [(0, 6), (1, 3), (2, 4), (4, 1), (5, 1)])
def test_clip(skip: int, length: int) -> None:
    assert b"".join(_clip(iter([b"ab", b"", b"cd", b"ef"]), skip, length)) == b"abcdef"[skip : skip + length]
