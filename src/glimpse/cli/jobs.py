"""`glimpse job`: look at jobs and cancel them, in the database, whether the service runs or not."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import click

from glimpse.app import records_of
from glimpse.cli.places import config_option, state_option
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.errors import Conflict, NotFound
from glimpse.jobs.ports import Job, JobRecords
from glimpse.jobs.report import progress_text, status_of
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.schema import GLIMPSE_REVISION, revisions

_PAGE = 500
_HEADINGS = ("ID", "KIND", "IMAGE", "STATUS", "PROGRESS")


@click.group()
def job() -> None:
    """The work that goes on behind requests: imports, copies, digests."""


@job.command("list")
@config_option
@state_option
def job_list(config_files: tuple[str, ...], state_dir: Path | None) -> None:
    """Show the jobs that are not done yet."""
    now = time.time()
    with _records(read_settings(config_files, state_dir=state_dir)) as records:
        rows = [_row(one, now) for one in _all(records)]
    if rows:
        click.echo(table([_HEADINGS, *rows]))


@job.command("show")
@config_option
@state_option
@click.argument("job_id", metavar="ID")
def job_show(config_files: tuple[str, ...], state_dir: Path | None, job_id: str) -> None:
    """Show all that is known of a job. The exit status is 1 if there is none, or it has ended."""
    with _records(read_settings(config_files, state_dir=state_dir)) as records:
        found = records.get(job_id)
    if found is None:
        raise NotFound("job", job_id)
    click.echo(table(_details(found, time.time())))


@job.command("cancel")
@config_option
@state_option
@click.argument("job_id", metavar="ID")
def job_cancel(config_files: tuple[str, ...], state_dir: Path | None, job_id: str) -> None:
    """Have a job given up. The exit status is 1 if there is none, or it has ended."""
    with _records(read_settings(config_files, state_dir=state_dir)) as records:
        if not records.cancel(job_id, time.time()):
            raise NotFound("job", job_id)
    click.echo(f"{job_id} is being cancelled.")


def table(rows: Sequence[Sequence[str]]) -> str:
    """Rows below each other, their columns as wide as they need to be."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _row(one: Job, now: float) -> tuple[str, ...]:
    return one.id, one.kind, one.subject, status_of(one, now), progress_text(one)


def _details(one: Job, now: float) -> list[tuple[str, str]]:
    due = datetime.fromtimestamp(one.due_at, UTC)
    details = [
        *zip(("id", "kind", "image", "status", "progress"), _row(one, now), strict=True),
        ("attempts", str(one.attempts)),
        ("last error", one.error),
        ("worker", one.worker),
        ("due", f"{due:%Y-%m-%d %H:%M:%S} UTC" if one.due_at else "since it was added"),
    ]
    return [(name, text) for name, text in details if text]


def _all(records: JobRecords) -> Iterator[Job]:
    after = ""
    while page := records.page(_PAGE, after):
        yield from page
        after = page[-1].id


def require_tables(settings: Settings) -> None:
    """:raises Conflict: the tables are not there. :raises Unavailable: the database cannot be used."""
    if revisions(settings.database_url)[1] != {GLIMPSE_REVISION}:
        raise Conflict("The database is not up to date: start the service, or run `glance-manage db sync`.")


@contextmanager
def _records(settings: Settings) -> Iterator[JobRecords]:
    """:raises Conflict: the tables are not there. :raises Unavailable: the records cannot be reached."""
    if settings.registry.link is not None:
        yield records_of(settings).jobs
        return
    require_tables(settings)
    database = connect(settings.database_url)
    try:
        yield open_records(database).jobs
    finally:
        database.close()
