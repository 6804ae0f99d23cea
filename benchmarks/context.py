"""What every suite is handed."""

from dataclasses import dataclass

from benchmarks.databases import Database
from benchmarks.report import Sheet
from benchmarks.servers import Side
from benchmarks.settings import Settings


@dataclass(frozen=True, slots=True)
class Context:
    """The choices of this run, the sides that take part, and the sheet for what is measured."""

    chosen: Settings
    database: Database
    sides: list[Side]
    sheet: Sheet
