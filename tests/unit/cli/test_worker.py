"""`glimpse worker` in process; what becomes of it when it is killed is in `tests/faults`."""

import asyncio
import os
import signal
from pathlib import Path

import pytest

from glimpse.app import make_service
from glimpse.cli.worker import work
from glimpse.config.settings import read_settings
from glimpse.jobs.ports import Job
from glimpse.records.schema import upgrade
from tests.unit.world import run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_works_until_a_signal_comes(tmp_path: Path, number: signal.Signals) -> None:
    settings = read_settings(state_dir=tmp_path)
    upgrade(settings.database_url)
    service = make_service(settings)
    begun: list[bool] = []

    def ready() -> None:
        begun.append(True)
        os.kill(os.getpid(), number)

    run(work(service, ready))
    assert begun == [True]


def test_it_does_jobs_whatever_the_processes_that_serve_do(tmp_path: Path) -> None:
    config = tmp_path / "glimpse.conf"
    config.write_text("[glimpse]\nrun_jobs = false\n")
    settings = read_settings([str(config)], state_dir=tmp_path)
    upgrade(settings.database_url)
    service = make_service(settings)
    jobs = service.catalog.records.jobs
    # Of an image that nobody knows: it is given up.
    jobs.add(Job("job", "location_import", "image", {"url": "http://127.0.0.1/", "digests": {}}))

    async def scenario() -> None:
        begun = asyncio.Event()
        working = asyncio.create_task(work(service, begun.set))
        await begun.wait()
        while jobs.get("job") is not None:
            await asyncio.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)
        await working

    run(scenario())
    assert jobs.page(1) == []
