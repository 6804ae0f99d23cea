"""`glance-manage db version`, `check`, `sync` and what else has to do with the schema."""

import sys
import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

import click

from glimpse.cli.serve import make_folder
from glimpse.config.files import Source
from glimpse.config.settings import read_config, settings_of
from glimpse.domain.errors import Invalid
from glimpse.records import schema
from glimpse.records.database import connect
from glimpse.records.glance_history import EXPANDED, GLANCE_REVISION, is_known

# What `db check` answers, as in Glance.
UP_TO_DATE, NEEDS_EXPAND, NEEDS_MIGRATE, NEEDS_CONTRACT = 0, 3, 4, 5

# Seconds from one line about long work to the next.
_INTERVAL = 2.0

dry_run_option = click.option("--dry-run", is_flag=True, help="Only tell what would be done.")


class Progress:
    """Tells now and then, on the standard error output, how many rows are done."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._due = time.monotonic() + _INTERVAL

    def __call__(self, count: int) -> None:
        """`count` rows are done."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + _INTERVAL
            click.echo(f"{self._text}: {count} rows so far", err=True)


def database_of(source: Source) -> str:
    """The URL of the database. :raises Invalid: this node has none of its own, or it has no place."""
    settings = settings_of(source)
    if settings.registry.link is not None and read_config(source).database.connection is None:
        raise Invalid("data_api", "this node has no database of its own: run this where glance-registry runs")
    if settings.database_url.startswith(f"sqlite:///{settings.state_dir}/"):
        make_folder("state_dir", settings.state_dir, 0o700)
    return settings.database_url


@click.command("version")
@click.pass_obj
def version(source: Source) -> None:
    """Show the revision of Glance's tables."""
    found, _ = schema.revisions(database_of(source))
    click.echo("\n".join(sorted(found)) or "There are no tables of Glance in the database.")


@click.command("check")
@click.pass_obj
def check(source: Source) -> None:
    """Tell whether the database is up to date.

    The exit status is 0 if it is, 3 when it needs `db expand`, 4 for `db migrate`, 5 for `db contract`, and 1
    if that cannot be told, or the database is newer than this program.
    """
    todo = schema.plan(database_of(source))
    for needed, status, action in (
        (todo.steps, NEEDS_EXPAND, "expand"),
        (todo.rows, NEEDS_MIGRATE, "migrate"),
        (todo.contract, NEEDS_CONTRACT, "contract"),
    ):
        if needed:
            click.echo(f"The database is not up to date: run `glance-manage db {action}`.")
            sys.exit(status)
    click.echo("The database is up to date.")
    sys.exit(UP_TO_DATE)


@click.command("sync")
@click.argument("revision", required=False)
@click.option("--version", "version_", help="Accepted, and ignored.")
@dry_run_option
@click.pass_obj
def sync(source: Source, revision: str | None, version_: str | None, *, dry_run: bool) -> None:
    """Make the tables, or bring those of a Glance since Queens up to date: expand, migrate and contract.

    The Glance that uses the database may go on, and may be gone back to.
    """
    del revision, version_
    _synchronize(database_of(source), dry_run=dry_run)


def _synchronize(url: str, *, dry_run: bool) -> None:
    if dry_run:
        todo = schema.plan(url)
        _tell_steps(todo)
        _tell_rows(todo)
        _tell_contraction(todo)
        return
    schema.expand(url, click.echo)
    _migrate(url)
    schema.contract(url)
    click.echo(f"The database is up to date, at {GLANCE_REVISION}.")


@click.command("expand")
@dry_run_option
@click.pass_obj
def expand(source: Source, *, dry_run: bool) -> None:
    """Make the tables, or add what they lack: the first of three steps."""
    _expand(database_of(source), dry_run=dry_run)


def _expand(url: str, *, dry_run: bool) -> None:
    if dry_run:
        _tell_steps(schema.plan(url))
        return
    schema.expand(url, click.echo)
    click.echo(f"The database is expanded, at {', '.join(sorted(schema.revisions(url)[0]))}.")


@click.command("migrate")
@dry_run_option
@click.pass_obj
def migrate(source: Source, *, dry_run: bool) -> None:
    """Migrate data, also what the upgrades of Glance left out: the second step.

    In the metadata of locations the store, which was called `backend` until Stein, is called `store`.
    """
    url = database_of(source)
    if dry_run:
        _tell_rows(schema.plan(url))
    else:
        click.echo(f"Migrated {_migrate(url)} rows")


def _migrate(url: str) -> int:
    with closing(connect(url)) as database:
        return schema.migrate(database, Progress("image_locations"))


@click.command("contract")
@dry_run_option
@click.pass_obj
def contract(source: Source, *, dry_run: bool) -> None:
    """Note that all is done: the third step. Nothing is removed."""
    url = database_of(source)
    if dry_run:
        _tell_contraction(schema.plan(url))
        return
    schema.contract(url)
    click.echo(f"The database is contracted, at {GLANCE_REVISION}.")


def _version_argument(default: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    argument = click.argument("version_", metavar="[VERSION]", required=False)
    option = click.option("--version", default=default, show_default=True, help="The revision.")
    return lambda function: argument(option(function))


@click.command("upgrade")
@_version_argument("heads")
@dry_run_option
@click.pass_obj
def upgrade(source: Source, version_: str | None, version: str, *, dry_run: bool) -> None:
    """Upgrade to a revision: `heads` is all that `db sync` does, `expand@head` what `db expand` does."""
    wanted = version_ or version
    if wanted in ("heads", "head", "contract@head", GLANCE_REVISION):
        _synchronize(database_of(source), dry_run=dry_run)
    elif wanted in ("expand@head", EXPANDED):
        _expand(database_of(source), dry_run=dry_run)
    else:
        raise Invalid(
            "version", f"'{wanted}' is neither {GLANCE_REVISION} (heads) nor {EXPANDED} (expand@head)"
        )


@click.command("version_control")
@_version_argument("liberty")
@dry_run_option
@click.pass_obj
def version_control(source: Source, version_: str | None, version: str, *, dry_run: bool) -> None:
    """Write down at which revision of Glance the tables are; nothing else is changed.

    For tables about which nothing is written down.
    """
    wanted = version_ or version
    if not is_known(wanted):
        raise Invalid("version", f"Glance has no revision '{wanted}'")
    schema.stamp(database_of(source), wanted, dry_run=dry_run)
    click.echo(f"The database {'would be' if dry_run else 'is'} under version control, at {wanted}.")


def _tell_steps(todo: schema.Plan) -> None:
    for step in todo.steps:
        click.echo(f"Would {step}")
    if not todo.steps:
        click.echo("There is nothing to expand.")


def _tell_rows(todo: schema.Plan) -> None:
    click.echo(f"Would migrate {todo.rows} rows")


def _tell_contraction(todo: schema.Plan) -> None:
    click.echo(
        f"Would note the revision {GLANCE_REVISION}" if todo.contract else "There is nothing to contract."
    )


ACTIONS = (version, check, sync, expand, migrate, contract, upgrade, version_control)
