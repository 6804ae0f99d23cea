"""Whether the database and the stores answer.

Each is asked now and then, with a deadline, by one thread at most; so whoever asks often cannot load them.
"""

import asyncio
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread

from glimpse.domain.errors import GlimpseError
from glimpse.jobs.ports import JobRecords
from glimpse.transfer.transfer import Transfer


@dataclass(frozen=True, slots=True)
class Fault:
    """A part that does not answer as it should. Without a `needed` part the service is not well."""

    part: str
    details: str
    needed: bool


class Probe:
    """One part of the service, and the call by which it is tried.

    A call that hangs is left to its thread, and no other is begun before it has come back.
    """

    def __init__(self, part: str, ask: Callable[[], object], *, needed: bool) -> None:
        self._part = part
        self._ask = ask
        self._needed = needed
        self._begun = 0.0
        self._answer: asyncio.Future[str | None] | None = None

    async def fault(self, patience: float, remembered: float) -> Fault | None:
        """What is wrong, as far as it is known after `patience` seconds from the beginning of the call.

        An answer counts for as many seconds as it is `remembered`.
        """
        answer = self._answer
        if answer is None or (answer.done() and time.monotonic() >= self._begun + remembered):
            answer = self._begin()
        left = self._begun + patience - time.monotonic()
        await asyncio.wait({answer}, timeout=max(left, 0))
        details = answer.result() if answer.done() else f"no answer after {patience:g} s"
        return None if details is None else Fault(self._part, details, self._needed)

    def _begin(self) -> "asyncio.Future[str | None]":
        loop = asyncio.get_running_loop()
        self._answer = answer = loop.create_future()
        self._begun = time.monotonic()

        def work() -> None:
            details = self._try()
            with suppress(RuntimeError):  # the loop has been closed: nobody waits any more
                loop.call_soon_threadsafe(answer.set_result, details)

        Thread(target=work, name=f"health of {self._part}", daemon=True).start()
        return answer

    def _try(self) -> str | None:
        try:
            self._ask()
        except GlimpseError as error:
            return str(error)
        except Exception as error:
            return type(error).__name__
        return None


class Health:
    """What is asked about the service's parts."""

    def __init__(self, probes: Collection[Probe], patience: float, remembered: float) -> None:
        self._probes = probes
        self._patience = patience
        self._remembered = remembered

    async def faults(self) -> list[Fault]:
        """What is wrong now, or was a moment ago. It takes no longer than the service's patience."""
        asked = (probe.fault(self._patience, self._remembered) for probe in self._probes)
        return [fault for fault in await asyncio.gather(*asked) if fault is not None]


def database_probe(jobs: JobRecords) -> Probe:
    """Whether the database answers, without which nothing can be done."""
    # Any call will do that the database must answer.
    return Probe("database", lambda: jobs.get(""), needed=True)


def health_of(transfer: Transfer, needed: Collection[str], patience: float, remembered: float) -> Health:
    """The health of the database and of all stores, of which those by the names `needed` must answer.

    :raises Invalid: there is no store of a name that is needed.
    """
    for name in needed:
        transfer.stores.named(name)
    probes = [database_probe(transfer.catalog.records.jobs)]
    probes += [
        Probe(f"store {name}", store.usage, needed=name in needed)
        for name, store in transfer.stores.by_id.items()
    ]
    return Health(probes, patience, remembered)
