"""Scrubbers that share many images, one of which is killed half-way; and a daemon that wakes up for ever."""

import asyncio
import os
import re
import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import insert, select

from glimpse.app import make_scrubber
from glimpse.config.files import Source
from glimpse.config.settings import settings_of
from glimpse.records import tables
from glimpse.records.database import connect
from glimpse.transfer.scrubbing import scrub_forever
from tests.commands.scrubbing import Place
from tests.contract.records.conftest import empty_url, server
from tests.faults.promises import wait_until

# The databases of the contract suites.
__all__ = ["empty_url", "server"]

pytestmark = pytest.mark.faults

PENDING = int(os.environ.get("GLIMPSE_PENDING", "150"))
WAKE_UPS = int(os.environ.get("GLIMPSE_WAKE_UPS", "600"))

# Of 10,000 wake-ups, a process that keeps a quarter of a kibibyte for each would exceed it.
GROWTH_KIB = 2048

SCRUBBERS = 3
REMOVED = re.compile(r"removed image (\S+)")


@pytest.fixture
def place(tmp_path: Path, empty_url: str) -> Iterator[Place]:
    made = Place(tmp_path, empty_url)
    yield made
    made.stop()


def pending(place: Place, count: int) -> set[str]:
    """So many images whose time has come: copies of one that was deleted as every other."""
    [first] = place.pending(1)
    copies = [str(uuid4()) for _ in range(count - 1)]
    database = connect(place.url)
    with closing(database), database.writer.begin() as connection:
        for table, column in ((tables.images, "id"), (tables.image_locations, "image_id")):
            row = connection.execute(select(table).where(table.c[column] == first)).mappings().one()
            rows = [_copied(dict(row), column, name) for name in copies]
            connection.execute(insert(table), rows)
    for name in copies:
        (place.images / name).write_bytes(b"data")
    return {first, *copies}


def _copied(row: dict[str, Any], column: str, name: str) -> dict[str, Any]:
    copy = row | {column: name}
    if column == "image_id":
        copy["value"] = row["value"].replace(row[column], name)
        del copy["id"]
    return copy


def images_left_are(place: Place, few: int) -> None:
    """Wait until the data of so few images is left, as long as it becomes less."""
    while (left := len(list(place.images.iterdir()))) > few:
        wait_until("one more is removed", lambda left=left: len(list(place.images.iterdir())) < left)  # type: ignore[misc]


@pytest.mark.services
@pytest.mark.parametrize("server", [pytest.param(("mariadb", ""), id="mariadb")], indirect=True)
def test_one_of_them_is_killed_half_way(place: Place) -> None:
    place.write("wakeup_time = 1\nscrub_pool_size = 2")
    images = pending(place, PENDING)
    logs = [place.folder / f"log{number}" for number in range(SCRUBBERS)]
    daemons = [place.launch("--daemon", "--log-file", str(log)) for log in logs]

    def told(log: Path) -> list[str]:
        return REMOVED.findall(log.read_text()) if log.exists() else []

    images_left_are(place, PENDING // 2)
    # One that queues, and removes as the others do.
    leader = next(n for n, log in enumerate(logs) if log.exists() and "has the lead" in log.read_text())
    daemons[leader].kill()
    images_left_are(place, 0)
    wait_until("all are deleted", lambda: place.statuses(images) == {"deleted"})
    names = [name for log in logs for name in told(log)]
    assert len(names) == len(set(names))
    assert set(names) <= images
    for number, daemon in enumerate(daemons):
        daemon.terminate()
        assert daemon.wait(30) == (-signal.SIGKILL if number == leader else 0)


def test_the_memory_of_a_daemon_is_flat(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    place = Place(tmp_path, f"sqlite:///{tmp_path}/db")
    place.write("wakeup_time = 0\n")
    scrubber = make_scrubber(settings_of(Source("glance-scrubber", (str(place.config),))))
    deletions = scrubber.transfer.catalog.records.deletions
    wake_ups = 0

    class Counting:
        """Counts the looks for images."""

        def __getattr__(self, name: str) -> Callable[..., object]:
            return getattr(deletions, name)  # type: ignore[no-any-return]

        def queue(self, *arguments: object) -> int:
            nonlocal wake_ups
            wake_ups += 1
            return deletions.queue(*arguments)  # type: ignore[arg-type]

    catalog = scrubber.transfer.catalog
    records = replace(catalog.records, deletions=Counting())  # type: ignore[arg-type]
    counted = replace(scrubber.transfer, catalog=replace(catalog, records=records))

    async def work() -> list[int]:
        daemon = asyncio.create_task(scrub_forever(replace(scrubber, transfer=counted)))
        memory = []
        for reached in (WAKE_UPS // 5, WAKE_UPS):
            while wake_ups < reached:
                await asyncio.sleep(0.01)
                assert not daemon.done()
            memory.append(resident_kib())
        daemon.cancel()
        await asyncio.gather(daemon, return_exceptions=True)
        return memory

    early, late = asyncio.run(work())
    record_property("resident KiB", (early, late))
    assert late - early < GROWTH_KIB


def resident_kib() -> int:
    """The memory of this process."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1])  # type: ignore[index]
