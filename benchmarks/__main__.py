"""python -m benchmarks: measures both sides and prints the table."""

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from benchmarks import (
    backends,
    cache,
    databases,
    growth,
    imports,
    observing,
    readers,
    records,
    registry,
    report,
    servers,
    settings,
    startup,
    transfers,
    writers,
)
from benchmarks.context import Context
from benchmarks.keystone import Keystone
from benchmarks.report import Sheet
from benchmarks.settings import Settings

SUITES: dict[str, Callable[[Context], None]] = {
    "startup": startup.run,
    "records": records.run,
    "growth": growth.run,
    "writers": writers.run,
    "transfers": transfers.run,
    "readers": readers.run,
    "imports": imports.run,
    "backends": backends.run,
    "registry": registry.run,
    "cache": cache.run,
    "observing": observing.run,
}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter and smaller: some minutes")
    parser.add_argument(
        "--only", action="append", choices=list(SUITES), metavar="NAME", help=", ".join(SUITES)
    )
    parser.add_argument("--side", action="append", choices=["upstream", "glimpse"], help="default: both")
    parser.add_argument("--database", choices=["mariadb", "postgresql", "sqlite"], default="mariadb")
    parser.add_argument(
        "--identity",
        choices=["headers", "keystone"],
        default="headers",
        help="headers: costs upstream nothing, glimpse HTTP basic; keystone: both ask the same one",
    )
    parser.add_argument(
        "--store-dir", type=Path, metavar="DIR", help="image data, e.g. on a disk; default: in memory"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table there too")
    return parser.parse_args()


def choose(options: argparse.Namespace) -> Settings:
    folder = settings.CHECKOUT / ".bench"
    folder.mkdir(exist_ok=True)
    around = options.store_dir or settings.default_stores(folder)
    stores = Path(tempfile.mkdtemp(prefix="glimpse-bench-", dir=around))
    sides = tuple(options.side or ("upstream", "glimpse"))
    return Settings(folder, stores, options.database, options.identity, options.quick, sides)


def run_suite(name: str, context: Context) -> None:
    """A suite that fails leaves a note, and the others go on."""
    try:
        SUITES[name](context)
    except Exception as error:
        traceback.print_exc()
        context.sheet.note(f"{name} ended early: {error}")


def main() -> None:
    options = arguments()
    chosen = choose(options)
    settings.raise_file_limit()
    begun = time.monotonic()
    sheet = Sheet()
    try:
        database = databases.connect(chosen.database, chosen.folder)
        keystone = Keystone(chosen.folder) if chosen.identity == "keystone" else None
        sides = servers.sides(chosen, database, keystone)
        context = Context(chosen, database, sides, sheet)
        for name in options.only or SUITES:
            print(f"{name}:", file=sys.stderr)
            run_suite(name, context)
        versions = [database.version(), *(side.version() for side in sides)]
    finally:
        databases.disconnect(chosen.folder)
        shutil.rmtree(chosen.stores, ignore_errors=True)
    page = report.page(sheet, chosen, versions)
    print(page)
    print(f"{(time.monotonic() - begun) / 60:.1f} minutes", file=sys.stderr)
    if options.out:
        options.out.write_text(page)


if __name__ == "__main__":
    main()
