"""`glance-manage db load_metadefs`, `unload_metadefs` and `export_metadefs`."""

import json
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import click

import glimpse
from glimpse.catalog.metadef_files import (
    all_namespaces,
    export_metadefs,
    foresee_loading,
    load_metadefs,
    unload_metadefs,
)
from glimpse.catalog.metadef_ports import LoadMode, MetadefRecords, Outcome
from glimpse.cli.manage_schema import database_of, dry_run_option
from glimpse.config.files import Source
from glimpse.config.settings import read_config
from glimpse.domain.errors import Conflict, Invalid
from glimpse.domain.metadef_documents import Document
from glimpse.parts import utc_now
from glimpse.records import open_records
from glimpse.records.database import connect
from glimpse.records.glance_history import EXPANDED, GLANCE_REVISION
from glimpse.records.schema import revisions

# What comes with the service.
SHIPPED_METADEFS = Path(glimpse.__file__).parent / "metadefs"


def _flag(word: str) -> bool:
    """Whether a word of the old spelling means yes: any does, but these."""
    return word.lower() not in ("", "0", "false", "no", "off", "none")


@click.command("load_metadefs")
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
@dry_run_option
@click.pass_obj
def load(
    source: Source, /, path: str | None, path_: str | None, *, dry_run: bool, **said: bool | None
) -> None:
    """Bring metadata definitions in from files. Namespaces that are there already are left alone.

    What is wrong with a file is told, the others are taken, and the exit status is 0 all the same.
    """
    merge, prefer_new, overwrite = (
        bool(said[name] or said[f"{name}_"]) for name in ("merge", "prefer_new", "overwrite")
    )
    if ((prefer_new or overwrite) and not merge) or (prefer_new and overwrite):
        click.echo("ERROR: --prefer_new and --overwrite exclude each other, and need --merge", err=True)
        return
    wanted = LoadMode.OVERWRITE if overwrite else LoadMode.PREFER_NEW if prefer_new else LoadMode.MERGE
    mode = wanted if merge else LoadMode.SKIP
    files = _read_documents(_metadef_files(source, path or path_))
    with _metadefs(source) as records:
        foreseen = foresee_loading(records, files, mode) if dry_run else None
        report = foreseen or load_metadefs(records, files, mode, utc_now())
    for _, reason in report.failures:
        click.echo(f"ERROR: {reason}", err=True)
    counts = ", ".join(f"{report.count(outcome)} {outcome}" for outcome in Outcome)
    click.echo(f"Would be: {counts}" if dry_run else counts)


@click.command("unload_metadefs")
@dry_run_option
@click.pass_obj
def unload(source: Source, *, dry_run: bool) -> None:
    """Delete all metadata definitions."""
    with _metadefs(source) as records:
        if dry_run:
            click.echo(f"Would delete {sum(1 for _ in all_namespaces(records))} namespaces")
        else:
            unload_metadefs(records)


@click.command("export_metadefs")
@click.argument("path_", metavar="[PATH]", required=False)
@click.option("--path", help="The folder to write to. Default: metadata_source_path.")
@dry_run_option
@click.pass_obj
def export(source: Source, path: str | None, path_: str | None, *, dry_run: bool) -> None:
    """Write metadata definitions to files, one for each namespace, such as load_metadefs takes."""
    folder = Path(path or path_ or _source_path(source))
    with _metadefs(source) as records:
        for name, document in export_metadefs(records):
            if not dry_run:
                _write_document(folder / name, document)
            click.echo(f"Would write {folder / name}" if dry_run else folder / name)


def _write_document(path: Path, document: Document) -> None:
    try:
        path.write_text(f"{json.dumps(document, indent=4)}\n", encoding="utf-8")
    except OSError as error:
        raise Invalid("path", f"{path}: {error.strerror}") from None


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
    url = database_of(source)
    if not revisions(url)[0] & {EXPANDED, GLANCE_REVISION}:
        raise Conflict("The database is not expanded: run `glance-manage db expand` first.")
    with closing(connect(url)) as database:
        yield open_records(database).metadefs


ACTIONS = (load, unload, export)
