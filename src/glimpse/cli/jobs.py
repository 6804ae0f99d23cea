"""`glimpse job`: look at jobs and cancel them, in the database, whether the service runs or not."""

import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click

from glimpse.cli.database import current_records
from glimpse.cli.places import config_option, state_option
from glimpse.config.settings import read_settings
from glimpse.domain.errors import NotFound
from glimpse.jobs.ports import Job, JobRecords
from glimpse.jobs.report import progress_text, status_of

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
    with current_records(read_settings(config_files, state_dir=state_dir)) as records:
        rows = [_row(one, now) for one in _all(records.jobs)]
    if rows:
        click.echo(table([_HEADINGS, *rows]))


@job.command("show")
@config_option
@state_option
@click.argument("job_id", metavar="ID")
def job_show(config_files: tuple[str, ...], state_dir: Path | None, job_id: str) -> None:
    """Show all that is known of a job. The exit status is 1 if there is none, or it has ended."""
    with current_records(read_settings(config_files, state_dir=state_dir)) as records:
        found = records.jobs.get(job_id)
    if found is None:
        raise NotFound("job", job_id)
    click.echo(table(_details(found, time.time())))


@job.command("cancel")
@config_option
@state_option
@click.argument("job_id", metavar="ID")
def job_cancel(config_files: tuple[str, ...], state_dir: Path | None, job_id: str) -> None:
    """Have a job given up. The exit status is 1 if there is none, or it has ended."""
    with current_records(read_settings(config_files, state_dir=state_dir)) as records:
        if not records.jobs.cancel(job_id, time.time()):
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
