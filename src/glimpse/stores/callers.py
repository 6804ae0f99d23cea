"""Calls that may hang, as those on a network filesystem whose server is gone: nobody waits for them for ever.

They are made by threads that nothing else needs, and whoever asked waits for a while. A call that is not
done by then is given up, though its thread stays with it: nothing ends a thread that waits for such a
filesystem. As long as one hangs, all further calls are refused at once.
"""

import logging
import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from glimpse.domain.errors import Unavailable

LOG = logging.getLogger(__name__)

T = TypeVar("T")


class Callers:
    """At most `size` threads, which make the calls on one store for as long as the process lives.

    :param warn_at: that many busy threads are worth a warning in the log.
    """

    def __init__(self, store_id: str, size: int, warn_at: int) -> None:
        self._part = f"store {store_id}"
        self._size = size
        self._warn_at = warn_at
        self._calls: SimpleQueue[_Call[Any]] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = self._busy = self._hanging = 0

    def call(
        self, function: Callable[[], T], seconds: float, late: Callable[[T | None], object] | None = None
    ) -> T:
        """What `function` returns or raises.

        When it was given up and ends all the same, its thread calls `late`: with what it returned, or None if
        it raised.

        :raises Unavailable: it is not done in that time, or another call hangs.
        """
        if self._hanging:
            raise Unavailable(self._part, "it does not answer; an earlier call still hangs")
        call = self._put(_Call(function, late))
        if call.ended.acquire(timeout=seconds) or not self._give_up(call):
            return call.outcome()
        LOG.warning("%s: a call is given up after %g s", self._part, seconds)
        raise Unavailable(self._part, f"it does not answer within {seconds:g} s")

    def call_later(self, function: Callable[[], object]) -> None:
        """Have it called when a thread is free. Nobody waits, and nobody learns what comes of it."""
        self._put(_Call(function, None))

    def _put(self, call: "_Call[T]") -> "_Call[T]":
        with self._lock:
            if self._started < self._size:
                self._started += 1
                threading.Thread(target=self._work, name=self._part, daemon=True).start()
        self._calls.put(call)
        return call

    def _give_up(self, call: "_Call[Any]") -> bool:
        """Whether nobody waits for it any more; else it has just ended."""
        with self._lock:
            call.is_given_up = not call.is_done
            if call.is_given_up and call.is_running:
                self._hanging += 1
            return call.is_given_up

    def _work(self) -> None:
        while True:
            call = self._calls.get()
            if self._begin(call):
                call.run()
                self._end(call)
            # An idle thread must not keep alive what it did last.
            del call

    def _begin(self, call: "_Call[Any]") -> bool:
        with self._lock:
            if call.is_given_up:
                return False
            call.is_running = True
            self._busy += 1
            crowded = self._busy == self._warn_at
        if crowded:
            LOG.warning("%s: %d of %d threads are busy", self._part, self._warn_at, self._size)
        return True

    def _end(self, call: "_Call[Any]") -> None:
        with self._lock:
            call.is_done = True
            self._busy -= 1
        if not call.is_given_up:
            call.ended.release()
            return
        call.clean_up()
        with self._lock:
            self._hanging -= 1
        LOG.warning("%s: a call that was given up has ended", self._part)


class _Call(Generic[T]):
    """A call, its outcome, and who still waits. `ended` is held until it has ended in time."""

    def __init__(self, function: Callable[[], T], late: Callable[[T | None], object] | None) -> None:
        self._function = function
        self._late = late
        self._result: T | None = None
        self._error: BaseException | None = None
        self.is_running = self.is_done = self.is_given_up = False
        self.ended = threading.Lock()
        self.ended.acquire()

    def run(self) -> None:
        try:
            self._result = self._function()
        except BaseException as error:
            self._error = error

    def outcome(self) -> T:
        if self._error is not None:
            raise self._error
        return self._result  # type: ignore[return-value]

    def clean_up(self) -> None:
        try:
            if self._late is not None:
                self._late(self._result)
        except Exception:
            LOG.exception("what a late call has left is not removed")
