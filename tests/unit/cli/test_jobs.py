"""`glimpse job`, on a database that is there."""

import re
import sqlite3
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glimpse.catalog.records import Records
from glimpse.cli import jobs
from glimpse.cli.jobs import table
from glimpse.cli.main import cli, main
from glimpse.domain.errors import Conflict, GlimpseError, NotFound
from glimpse.jobs.ports import Job, Progress
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import upgrade

FAR = 4_000_000_000.0


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    url = f"sqlite:///{tmp_path}/glimpse.db"
    upgrade(url)
    database = connect(url)
    yield open_records(database)
    database.close()


def job(state: Path, verb: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["job", verb, "--state-dir", str(state), *arguments])


def running(records: Records) -> Job:
    records.jobs.add(Job("job-1", "copy", "image-1"))
    [claimed] = records.jobs.claim("copy", "host:1:ab", FAR, 1.0, 1)
    records.jobs.renew({claimed.id: Progress(12 * 2**20, 100 * 2**20, 2.0**20)}, "host:1:ab", FAR)
    return claimed


def test_nothing_to_show(tmp_path: Path, records: Records) -> None:
    listed = job(tmp_path, "list")
    assert (listed.exit_code, listed.output) == (0, "")


def test_listing(tmp_path: Path, records: Records, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "_PAGE", 1)
    running(records)
    records.jobs.add(Job("job-2", "location_import", "image-2"))
    listed = job(tmp_path, "list")
    assert listed.exit_code == 0
    assert listed.output.splitlines() == [
        "ID     KIND             IMAGE    STATUS   PROGRESS",
        "job-1  copy             image-1  running  12 of 100 MiB, 1 MiB/s",
        "job-2  location_import  image-2  waiting  waiting for a worker",
    ]


def test_showing(tmp_path: Path, records: Records) -> None:
    claimed = running(records)
    shown = job(tmp_path, "show", claimed.id)
    assert shown.exit_code == 0
    assert shown.output.splitlines() == [
        "id        job-1",
        "kind      copy",
        "image     image-1",
        "status    running",
        "progress  12 of 100 MiB, 1 MiB/s",
        "attempts  1",
        "worker    host:1:ab",
        "due       2096-10-02 07:06:40 UTC",
    ]
    records.jobs.postpone(claimed, FAR, "it is away")
    assert re.search(r"^last error +it is away$", job(tmp_path, "show", claimed.id).output, re.MULTILINE)
    records.jobs.add(Job("job-2", "copy", "image-2"))
    assert re.search(r"^due +since it was added$", job(tmp_path, "show", "job-2").output, re.MULTILINE)


def test_cancelling(tmp_path: Path, records: Records) -> None:
    claimed = running(records)
    for _ in range(2):
        cancelled = job(tmp_path, "cancel", claimed.id)
        assert (cancelled.exit_code, cancelled.output) == (0, "job-1 is being cancelled.\n")
    found = records.jobs.get(claimed.id)
    assert found is not None
    assert found.cancelled
    assert "cancelling" in job(tmp_path, "list").output


@pytest.mark.parametrize("verb", ["show", "cancel"])
def test_a_job_that_has_ended(
    tmp_path: Path,
    records: Records,
    verb: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert isinstance(job(tmp_path, verb, "job-1").exception, NotFound)
    monkeypatch.setattr(sys, "argv", ["glimpse", "job", verb, "--state-dir", str(tmp_path), "job-1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "glimpse: No job found with ID job-1\n"


def test_a_database_that_will_not_do(tmp_path: Path) -> None:
    assert isinstance(job(tmp_path / "absent", "list").exception, GlimpseError)
    sqlite3.connect(tmp_path / "glimpse.db").close()
    assert isinstance(job(tmp_path, "list").exception, Conflict)


def test_columns_are_as_wide_as_they_must_be() -> None:
    assert table([("a", "bcd", ""), ("efg", "h", "i")]) == "a    bcd\nefg  h    i"
