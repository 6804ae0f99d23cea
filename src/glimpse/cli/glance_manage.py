"""`glance-manage`: the database, in upstream's two spellings: `db sync` and `db_sync`."""

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Table

import glimpse
from glimpse import __version__
from glimpse.app import utc_now
from glimpse.catalog.metadef_files import export_metadefs, load_metadefs, unload_metadefs
from glimpse.catalog.metadef_ports import LoadMode, MetadefRecords, Outcome
from glimpse.cli.database import current_database
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.cli.serve import make_folder
from glimpse.config.files import Source
from glimpse.config.settings import read_config, settings_of
from glimpse.domain.errors import Conflict, Invalid
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.purge import PURGED, held_back, purge, purgeable
from glimpse.records.schema import GLANCE_REVISION, GLIMPSE_REVISION, revisions, upgrade
from glimpse.records.tables import images

# What `db check` answers; 4 (migrate) and 5 (contract) never come up, as both are part of one step here.
UP_TO_DATE = 0
NEEDS_EXPAND = 3


# What comes with the service.
SHIPPED_METADEFS = Path(glimpse.__file__).parent / "metadefs"


def _flag(word: str) -> bool:
    """Whether a word of the old spelling means yes: any does, but these."""
    return word.lower() not in ("", "0", "false", "no", "off", "none")


@click.group("glance-manage", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@click.pass_context
def glance_manage(
    context: click.Context, /, files: tuple[str, ...], dirs: tuple[str, ...], **said: object
) -> None:
    """Make, check and fill the database."""
    context.obj = source_of("glance-manage", files, dirs, **said)


@glance_manage.group("db")
def db() -> None:
    """The database. Each action is also a command of its own: `db_sync` is `db sync`."""


def action(name: str) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a function the action `db NAME`, and `db_NAME`."""

    def add(function: Callable[..., Any]) -> click.Command:
        made = click.command(name)(click.pass_obj(function))
        db.add_command(made)
        glance_manage.add_command(made, f"db_{name}")
        return made

    return add


@action("version")
def version(source: Source) -> None:
    """Show the revision of Glance's tables."""
    found, _ = revisions(_database(source))
    click.echo("\n".join(sorted(found)) or "There are no tables of Glance in the database.")


@action("check")
def check(source: Source) -> None:
    """Tell whether the database is up to date: exit status 0, or 3 when it needs `db expand`."""
    if revisions(_database(source)) == ({GLANCE_REVISION}, {GLIMPSE_REVISION}):
        click.echo("The database is up to date.")
        sys.exit(UP_TO_DATE)
    click.echo("The database is not up to date: run `glance-manage db expand`.")
    sys.exit(NEEDS_EXPAND)


@action("sync")
@click.argument("revision", required=False)
@click.option("--version", "version_", help="Accepted, and ignored.")
def sync(source: Source, revision: str | None, version_: str | None) -> None:
    """Make the tables, or complete those of a Glance database at its head."""
    del revision, version_
    upgrade(_database(source))
    click.echo(f"The database is up to date, at {GLANCE_REVISION}.")


@action("expand")
def expand(source: Source) -> None:
    """Make the tables, or complete them. The first of three steps; the others have nothing to do."""
    upgrade(_database(source))
    click.echo(f"The database is expanded, at {GLANCE_REVISION}.")


@action("migrate")
def migrate(source: Source) -> None:
    """Migrate data. There is none to migrate at the revision that is needed."""
    _require_expanded(source)
    click.echo("Migrated 0 rows")


@action("contract")
def contract(source: Source) -> None:
    """Remove what is not used any more. There is nothing at the revision that is needed."""
    _require_expanded(source)
    click.echo(f"The database is contracted, at {GLANCE_REVISION}.")


def _purge_options(default_age: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    # Read as texts: what is no number ends the program with the status 1, as in Glance.
    age = click.option(
        "--age_in_days", default=default_age, show_default=True, help="Only what was deleted longer ago."
    )
    rows = click.option(
        "--max_rows", default="100", show_default=True, help="At most so many rows of each table; -1: all."
    )
    dry = click.option("--dry-run", is_flag=True, help="Only tell how many rows would be removed.")
    return lambda function: age(rows(dry(function)))


@action("purge")
@_purge_options("30")
def purge_children(source: Source, age_in_days: str, max_rows: str, *, dry_run: bool) -> None:
    """Remove for good what was deleted long ago, but images themselves.

    These are properties, tags, locations and members of images, and tasks. The service may run meanwhile.
    What belongs to images that are pending_delete stays.
    """
    _purge(source, PURGED, age_in_days, max_rows, dry_run=dry_run)


@action("purge_images_table")
@_purge_options("180")
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
    work, told = (purgeable, "Would remove") if dry_run else (purge, "Removed")
    with current_database(settings_of(source)) as database:
        for table in purged:
            count = work(database, table, before, None if limit < 0 else limit)
            click.echo(f"{told} {count} rows of {table.name}")
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


@action("load_metadefs")
@click.argument("path_", metavar="[PATH]", required=False)
@click.argument("merge_", metavar="[MERGE]", required=False, type=_flag)
@click.argument("prefer_new_", metavar="[PREFER_NEW]", required=False, type=_flag)
@click.argument("overwrite_", metavar="[OVERWRITE]", required=False, type=_flag)
@click.option(
    "--path", help="A folder of *.json files, or one file. Default: metadata_source_path, or our own."
)
@click.option("--merge", is_flag=True, help="Add to namespaces that are there already what they lack.")
@click.option("--prefer_new", is_flag=True, help="With --merge: replace what they have, too.")
@click.option("--overwrite", is_flag=True, help="With --merge: drop what they have.")
def load(source: Source, path: str | None, path_: str | None, **said: bool | None) -> None:
    """Bring metadata definitions in from files. Namespaces that are there already are left alone.

    What is wrong with a file is told, the others are taken, and the exit status is 0 all the same.
    """
    merge, prefer_new, overwrite = (
        bool(said[name] or said[f"{name}_"]) for name in ("merge", "prefer_new", "overwrite")
    )
    if ((prefer_new or overwrite) and not merge) or (prefer_new and overwrite):
        click.echo("ERROR: --prefer_new and --overwrite exclude each other, and need --merge", err=True)
        return
    mode = LoadMode.OVERWRITE if overwrite else LoadMode.PREFER_NEW if prefer_new else LoadMode.MERGE
    files = _read_documents(_metadef_files(source, path or path_))
    with _metadefs(source) as records:
        report = load_metadefs(records, files, mode if merge else LoadMode.SKIP, utc_now())
    for _, reason in report.failures:
        click.echo(f"ERROR: {reason}", err=True)
    click.echo(", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome))


@action("unload_metadefs")
def unload(source: Source) -> None:
    """Delete all metadata definitions."""
    with _metadefs(source) as records:
        unload_metadefs(records)


@action("export_metadefs")
@click.argument("path_", metavar="[PATH]", required=False)
@click.option("--path", help="The folder to write to. Default: metadata_source_path.")
def export(source: Source, path: str | None, path_: str | None) -> None:
    """Write metadata definitions to files, one for each namespace, such as load_metadefs takes."""
    folder = Path(path or path_ or _source_path(source))
    with _metadefs(source) as records:
        for name, document in export_metadefs(records):
            try:
                (folder / name).write_text(f"{json.dumps(document, indent=4)}\n", encoding="utf-8")
            except OSError as error:
                raise Invalid("path", f"{folder / name}: {error.strerror}") from None
            click.echo(folder / name)


def _metadef_files(source: Source, path: str | None) -> list[Path]:
    given = Path(path or _source_path(source))
    if path is None and not given.exists():
        given = SHIPPED_METADEFS
    return sorted(given.glob("*.json")) if given.is_dir() else [given]


def _read_documents(paths: Iterable[Path]) -> Iterator[tuple[str, object]]:
    for path in paths:
        try:
            yield str(path), json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            click.echo(f"ERROR: {path}: {error}", err=True)


def _source_path(source: Source) -> str:
    return str(read_config(source).metadata_source_path)


@contextmanager
def _metadefs(source: Source) -> Iterator[MetadefRecords]:
    _require_expanded(source)
    database = connect(_database(source))
    try:
        yield open_records(database).metadefs
    finally:
        database.close()


def _require_expanded(source: Source) -> None:
    if revisions(_database(source))[0] != {GLANCE_REVISION}:
        raise Conflict("The database is not expanded: run `glance-manage db expand` first.")


def _database(source: Source) -> str:
    settings = settings_of(source)
    if settings.registry.link is not None and read_config(source).database.connection is None:
        raise Invalid("data_api", "this node has no database of its own: run this where glance-registry runs")
    if settings.database_url.startswith(f"sqlite:///{settings.state_dir}/"):
        make_folder("state_dir", settings.state_dir, 0o700)
    return settings.database_url


def main() -> None:
    """Run `glance-manage`."""
    run(glance_manage)
