"""`glance-manage db purge` and `db purge_images_table`."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import click
from sqlalchemy import Table

from glimpse.cli.database import current_database
from glimpse.cli.manage_schema import Progress, dry_run_option
from glimpse.config.files import Source
from glimpse.config.settings import settings_of
from glimpse.domain.errors import Conflict, Invalid
from glimpse.parts import utc_now
from glimpse.records.purge import PURGED, held_back, purge, purgeable
from glimpse.records.tables import images


def _options(default_age: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    # Read as texts: what is no number ends the program with the status 1, as in Glance.
    age = click.option(
        "--age_in_days", default=default_age, show_default=True, help="Only what was deleted longer ago."
    )
    rows = click.option(
        "--max_rows", default="100", show_default=True, help="At most so many rows of each table; -1: all."
    )
    return lambda function: age(rows(dry_run_option(function)))


@click.command("purge")
@_options("30")
@click.pass_obj
def purge_children(source: Source, age_in_days: str, max_rows: str, *, dry_run: bool) -> None:
    """Remove for good what was deleted long ago, but images themselves.

    These are properties, tags, locations and members of images, and tasks. The service may run meanwhile.
    What belongs to images that are pending_delete stays.
    """
    _purge(source, PURGED, age_in_days, max_rows, dry_run=dry_run)


@click.command("purge_images_table")
@_options("180")
@click.pass_obj
def purge_images(source: Source, age_in_days: str, max_rows: str, *, dry_run: bool) -> None:
    """Remove for good images that were deleted long ago. Their IDs can be used again from then on.

    The exit status is 1 if some are left because `db purge` has not removed yet what belongs to them.
    """
    _purge(source, (images,), age_in_days, max_rows, dry_run=dry_run)


def _purge(source: Source, purged: Iterable[Table], age: str, rows: str, *, dry_run: bool) -> None:
    days = _integer("age_in_days", age, 0)
    limit = _integer("max_rows", rows, -1)
    now = utc_now()
    if days >= (now - datetime(1970, 1, 1)).days:  # noqa: DTZ001 - naive UTC, as the tables keep it
        raise Invalid("age_in_days", "that is before 1970")
    before = now - timedelta(days=days)
    with current_database(settings_of(source)) as database:
        for table in purged:
            rows_at_most = None if limit < 0 else limit
            if dry_run:
                count = purgeable(database, table, before, rows_at_most)
                click.echo(f"Would remove {count} rows of {table.name}")
                continue
            count = purge(database, table, before, rows_at_most, Progress(table.name))
            click.echo(f"Removed {count} rows of {table.name}")
            left = held_back(database, before) if table is images else 0
            if left:
                raise Conflict(
                    f"{left} images stay, as other tables have rows of them: run `db purge` first."
                )


def _integer(name: str, text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise Invalid(name, f"'{text}' is not a number") from None
    if number < least:
        raise Invalid(name, f"it must be at least {least}")
    return number


ACTIONS = (purge_children, purge_images)
