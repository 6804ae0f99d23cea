"""The differences that are meant: the table in `docs/differences.md`."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

PAGE = Path(__file__).parents[3] / "docs" / "differences.md"


@dataclass(slots=True)
class Row:
    """One row: which exchanges (a pattern), which aspect of the answer, what each says, and why."""

    requests: str
    aspect: str
    theirs: str
    ours: str
    reason: str
    used: list[str] = field(default_factory=list)

    def covers(self, name: str, aspect: str, theirs: object, ours: object) -> bool:
        """Whether this row explains the difference. An asterisk stands for anything."""
        pairs = (
            (name, self.requests),
            (aspect, self.aspect),
            (str(theirs), self.theirs),
            (str(ours), self.ours),
        )
        return all(fnmatchcase(text, pattern) for text, pattern in pairs)


def read_rows() -> list[Row]:
    """The rows of the table between the markers of the page."""
    text = PAGE.read_text(encoding="utf-8").split("<!-- differences -->")[1]
    rows = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.startswith("| `") and len(cells) == 5:
            requests, aspect, theirs, ours = (cell.strip("`") for cell in cells[:4])
            rows.append(Row(requests, aspect, theirs, ours, cells[4]))
    return rows


def explain(rows: Sequence[Row], name: str, aspect: str, theirs: object, ours: object) -> bool:
    """Whether a row explains the difference; it is noted as used."""
    for row in rows:
        if row.covers(name, aspect, theirs, ours):
            row.used.append(name)
            return True
    return False
