"""A process that is told to stop in the middle of any call of an import."""

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glimpse.records.imports import SqlImportRecords
from glimpse.records.tasks import SqlTaskRecords
from glimpse.stores.filesystem import FilesystemStore, FileWriter
from glimpse.transfer.removal import sweep
from tests.api.fixtures import MakeWorld
from tests.api.test_imports import STORES, begin, staged
from tests.api.world import ALICE, World
from tests.sources import DATA


class Gate:
    """Holds a call up that has `reached` it, before or behind what the call does, until it is `open`."""

    def __init__(self, *, behind: bool) -> None:
        self._behind = behind
        self.reached, self.open = threading.Event(), threading.Event()

    def holding(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, held up."""

        def held(*args: Any, **kwargs: Any) -> Any:
            result = call(*args, **kwargs) if self._behind else None
            self.reached.set()
            assert self.open.wait(60)
            return result if self._behind else call(*args, **kwargs)

        return held


def stop_at(world: World, gate: Gate) -> None:
    """Take the job that is due, and stop when it has come to the gate."""

    async def work() -> None:
        await world.service.jobs.take()
        assert await asyncio.to_thread(gate.reached.wait, 60)
        stopping = asyncio.create_task(world.service.jobs.stop())
        # What does not wait for the call has the time to go on without it.
        await asyncio.wait({stopping}, timeout=0.3)
        gate.open.set()
        await stopping

    world.loop.run(work())


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(
    ("where", "name"),
    [
        (SqlTaskRecords, "begin"),
        (FilesystemStore, "open_reader"),
        (SqlImportRecords, "reserve"),
        (FilesystemStore, "open_writer"),
        (FileWriter, "write"),
        (FileWriter, "commit"),
        (SqlImportRecords, "publish"),
    ],
)
def test_nothing_is_left_and_the_next_goes_on_at_once(
    make_world: MakeWorld,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    where: type,
    name: str,
    *,
    behind: bool,
) -> None:
    alice = make_world(STORES.format(folder=tmp_path)).client(ALICE)
    world, gate = alice.world, Gate(behind=behind)
    image = staged(alice)
    assert begin(alice, image, stores=["two"]).status_code == 202
    with monkeypatch.context() as patch:
        patch.setattr(where, name, gate.holding(getattr(where, name)))
        stop_at(world, gate)
    intents = world.service.catalog.records.intents
    if name != "publish":
        assert (intents.writing(image["id"]), world.files("two")) == ([], [])
        assert alice.show(image["id"])["status"] == "importing"
        world.do_jobs()
    assert alice.show(image["id"])["status"] == "active"
    assert alice.data(image["id"]).content == DATA
    world.later += 60
    world.loop.run(sweep(world.service.transfer))
    assert intents.expired(1e12, 10) == []
    assert [world.files(store) for store in ("one", "two")] == [[], [image["id"]]]
