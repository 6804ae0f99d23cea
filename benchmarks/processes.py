"""Processes that the benchmark starts: their beginning, their end, and what they cost."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A program did not do what the measure needs."""


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of a tree of processes."""

    workers: int
    rss: int
    pss: int
    largest_rss: int


def spawn(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, with what it prints in a file."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            env={**os.environ, **(environment or {})},
        )


def run(command: Sequence[str | Path], text: str = "") -> str:
    """Runs a program to its end, with a text as its input; what it prints."""
    words = [str(word) for word in command]
    return subprocess.run(words, input=text, text=True, check=True, stdout=subprocess.PIPE).stdout.strip()


def end(process: subprocess.Popen[bytes]) -> None:
    """Ends a program and every process that descends from it, by pid."""
    descendants = tree(process.pid)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for pid in descendants:
        if session_of(pid) == process.pid:
            os.kill(pid, signal.SIGKILL)


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the state on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def session_of(pid: int) -> int:
    fields = stat_fields(pid)
    return int(fields[3]) if fields else 0


def tree(root: int) -> list[int]:
    """The process and all that descend from it."""
    parents: dict[int, int] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (fields := stat_fields(int(entry))):
            parents[int(entry)] = int(fields[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(root: int) -> float:
    """Processor time that the tree has used, in user and in system mode, with those of it that have ended."""
    ticks = 0
    for pid in tree(root):
        if fields := stat_fields(pid):
            ticks += sum(int(field) for field in fields[11:15])
    return ticks / TICKS


def memory(root: int) -> Memory:
    """What the tree holds. The workers are the processes that have no children."""
    pids = tree(root)
    parents = {int(fields[1]) for pid in pids if (fields := stat_fields(pid))}
    rollups = [rollup for pid in pids if (rollup := smaps_rollup(pid))]
    return Memory(
        workers=len([pid for pid in pids if pid not in parents]),
        rss=sum(rollup["Rss"] for rollup in rollups),
        pss=sum(rollup["Pss"] for rollup in rollups),
        largest_rss=max((rollup["Rss"] for rollup in rollups), default=0),
    )


def smaps_rollup(pid: int) -> dict[str, int]:
    """Rss and Pss of one process; empty when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return {}
    return {line.split(":")[0]: int(line.split()[1]) * 1024 for line in lines}
