"""Collects samples and prints medians and ratios as one Markdown table."""

import os
import platform
import statistics
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import settings
from benchmarks.settings import Settings

Key = tuple[str, str]


@dataclass(slots=True)
class Sheet:
    """Samples by measure and unit, then by who was measured: a side, or a limit (nginx, a digest)."""

    samples: dict[Key, dict[str, list[float]]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, measure: str, unit: str, who: str, value: float) -> None:
        self.samples.setdefault((measure, unit), {}).setdefault(who, []).append(value)
        print(f"  {who:>9}  {measure}: {number(value)} {unit}", file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """A fact that the table cannot show, once."""
        if text not in self.notes:
            self.notes.append(text)
            print(f"  note: {text}", file=sys.stderr, flush=True)

    def median(self, key: Key, who: str) -> float | None:
        values = self.samples[key].get(who)
        return statistics.median(values) if values else None


def table(sheet: Sheet) -> str:
    """The rows in the order in which they were first measured."""
    lines = [
        "| measure | unit | upstream | glimpse | glimpse : upstream | limit |",
        "|---|---|---:|---:|---:|---|",
    ]
    for key in sheet.samples:
        upstream, ours = sheet.median(key, "upstream"), sheet.median(key, "glimpse")
        ratio = f"{ours / upstream:.3f}" if upstream and ours is not None else ""
        lines.append(
            f"| {key[0]} | {key[1]} | {number(upstream)} | {number(ours)} | {ratio} | {limits(sheet, key)} |"
        )
    return "\n".join(lines)


def limits(sheet: Sheet, key: Key) -> str:
    """What bounds a measure, and how many times as much ours takes."""
    ours = sheet.median(key, "glimpse")
    cells = []
    for who in sheet.samples[key]:
        value = sheet.median(key, who)
        if who not in ("upstream", "glimpse") and value:
            times = f" (glimpse {ours / value:.2f} times)" if ours is not None else ""
            cells.append(f"{who} {number(value)}{times}")
    return ", ".join(cells)


def number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def page(sheet: Sheet, chosen: Settings, versions: Iterable[str]) -> str:
    """What the table was measured on, the table, and the notes."""
    facts = [
        f"{os.cpu_count()} cores ({processor()}), {memory_size()}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}; the clients run on the same cores",
        "; ".join(versions),
        f"{settings.WORKERS} workers on each side (upstream: {settings.UPSTREAM_THREADS} threads each), "
        f"{settings.CONNECTIONS} connections; medians of {chosen.rounds} rounds, the sides in turns"
        + (" (quick run)" if chosen.quick else ""),
        f"image data on {file_system(chosen.stores)}",
        "both verify tokens of the same Keystone, which they know already"
        if chosen.identity == "keystone"
        else "upstream is spared the validation of tokens (identity headers instead); ours has HTTP basic",
    ]
    lines = [*(f"- {fact}" for fact in facts), "", table(sheet), ""]
    return "\n".join([*lines, *(f"- {note}" for note in sheet.notes)]).rstrip() + "\n"


def processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return next(
        (line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def memory_size() -> str:
    kib = int(Path("/proc/meminfo").read_text().split()[1])
    return f"{kib / 1024**2:.0f} GiB of memory"


def file_system(folder: Path) -> str:
    """The kind of the file system that a folder is on."""
    mounts = [line.split()[1:3] for line in Path("/proc/mounts").read_text().splitlines()]
    around = [mount for mount in mounts if folder.is_relative_to(mount[0])]
    kind = max(around, key=lambda mount: len(mount[0]))[1]
    return "tmpfs (memory)" if kind == "tmpfs" else kind
