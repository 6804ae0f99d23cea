import logging
import threading
from collections.abc import Callable

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.stores.callers import Callers

LONG = 20.0
SOON = 0.05


class Gate:
    """Something that hangs until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self._open = threading.Event()

    def wait(self) -> str:
        self.reached.set()
        assert self._open.wait(LONG)
        return "through"

    def open(self) -> None:
        self._open.set()


def hang(callers: Callers, gate: Gate, late: Callable[[str | None], object] | None = None) -> None:
    with pytest.raises(Unavailable, match="store nfs"):
        callers.call(gate.wait, SOON, late)


def test_results_and_errors() -> None:
    callers = Callers("nfs", 2, 2)
    assert [callers.call(lambda n=n: n + 1, LONG) for n in range(10)] == list(range(1, 11))  # type: ignore[misc]
    with pytest.raises(ZeroDivisionError):
        callers.call(lambda: 1 // 0, LONG)


def test_refused_at_once_while_one_hangs() -> None:
    callers, gate = Callers("nfs", 3, 3), Gate()
    hang(callers, gate)
    called: list[int] = []
    with pytest.raises(Unavailable, match="still hangs"):
        callers.call(lambda: called.append(1), LONG)
    assert called == []
    done = threading.Event()
    callers.call_later(done.set)
    assert done.wait(LONG)
    gate.open()


def test_answers_again_when_it_has_ended() -> None:
    callers, gate = Callers("nfs", 1, 1), Gate()
    late: list[str | None] = []
    hang(callers, gate, late.append)
    after = threading.Event()
    callers.call_later(after.set)
    gate.open()
    # With one thread, this is after all that was to be done for the late call.
    assert after.wait(LONG)
    assert late == ["through"]
    assert callers.call(lambda: 7, LONG) == 7


def test_late_failures_are_cleaned_up_and_do_no_harm() -> None:
    callers, gate = Callers("nfs", 1, 1), Gate()

    def fail() -> str:
        gate.wait()
        raise OSError("gone")

    late: list[str | None] = []

    def clean(result: str | None) -> None:
        late.append(result)
        raise RuntimeError("what now?")

    with pytest.raises(Unavailable):
        callers.call(fail, SOON, clean)
    after = threading.Event()
    callers.call_later(after.set)
    gate.open()
    assert after.wait(LONG)
    assert late == [None]
    assert callers.call(lambda: 7, LONG) == 7


def test_what_waits_for_a_thread_in_vain_is_never_called() -> None:
    callers, gate = Callers("nfs", 1, 1), Gate()
    callers.call_later(gate.wait)
    assert gate.reached.wait(LONG)
    called: list[int] = []
    with pytest.raises(Unavailable, match="within"):
        callers.call(lambda: called.append(1), SOON)
    gate.open()
    assert callers.call(lambda: 7, LONG) == 7
    assert called == []


def test_no_more_threads_than_allowed(caplog: pytest.LogCaptureFixture) -> None:
    callers, gates = Callers("nfs", 2, 2), [Gate(), Gate(), Gate()]
    with caplog.at_level(logging.WARNING):
        for gate in gates:
            callers.call_later(gate.wait)
        assert all(gate.reached.wait(LONG) for gate in gates[:2])
        assert not gates[2].reached.is_set()
        for gate in gates:
            gate.open()
        assert gates[2].reached.wait(LONG)
    assert "2 of 2 threads are busy" in caplog.text
