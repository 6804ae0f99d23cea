"""How much work waits, on every database."""

from dataclasses import replace

from glimpse.catalog.records import Records
from glimpse.jobs.ports import Job
from glimpse.records.database import Database
from glimpse.records.figures import SqlFigures
from glimpse.records.notifications import SqlBacklogRecords

JOB = Job("1", "import", "image")


def test_nothing_waits(database: Database) -> None:
    figures = SqlFigures(database)
    assert (figures.jobs(0.0), figures.intents(), figures.notifications()) == ({}, {}, 0)


def test_what_waits(database: Database, records: Records) -> None:
    records.jobs.add(JOB)
    records.jobs.add(replace(JOB, id="2", worker="w", due_at=100.0))
    records.jobs.add(replace(JOB, id="3", worker="silent", due_at=5.0))
    records.jobs.add(replace(JOB, id="4", kind="other", cancelled=True))
    SqlBacklogRecords(database).keep([{"a": 1}, {"a": 2}], 10)
    figures = SqlFigures(database)
    assert figures.jobs(10.0) == {
        ("import", "waiting"): 2,
        ("import", "running"): 1,
        ("other", "cancelling"): 1,
    }
    assert figures.notifications() == 2
