"""Which configuration files a program reads, and what stands in them line by line."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

# The files and the `.conf.d` folders of each command, by their base names; later ones win. A program that is
# not here reads only what is named.
PROGRAMS = {
    "glance-api": ("glance", "glance-image-import", "glance-api"),
    "glance-cache-cleaner": ("glance", "glance-api", "glance-cache"),
    "glance-cache-prefetcher": ("glance", "glance-api", "glance-cache"),
    "glance-cache-pruner": ("glance", "glance-api", "glance-cache"),
    "glance-control": ("glance", "glance-control"),
    "glance-registry": ("glance", "glance-registry"),
    "glance-replicator": ("glance", "glance-replicator"),
    "glance-manage": ("glance", "glance-registry", "glance-api", "glance-manage"),
    "glance-scrubber": ("glance", "glance-scrubber"),
    "glance-status": ("glance", "glance-api", "glance-status"),
}

_SECTION = re.compile(r"\[([^\]]+)\]")
_OPTION = re.compile(r"([^\s=:#;\[][^=:]*?)\s*[=:]\s*(.*)")


@dataclass(frozen=True, slots=True)
class Source:
    """Where settings come from, so that another process, or the same one later, can read them again.

    `overrides` are (group, option, value): what the command line says, which wins over files and environment.
    """

    program: str = "glimpse"
    files: tuple[str, ...] = ()
    dirs: tuple[str, ...] = ()
    overrides: tuple[tuple[str, str, object], ...] = ()

    @property
    def project(self) -> str:
        """The name of the folder below /etc in which files are looked for."""
        return "glance" if self.program in PROGRAMS else "glimpse"


@dataclass(frozen=True, slots=True)
class Entry:
    """An option set in a file. Groups are as oslo.config compares them."""

    file: str
    line: int
    group: str
    name: str
    value: str


def find_source(
    program: str,
    files: Sequence[str] = (),
    dirs: Sequence[str] = (),
    overrides: Sequence[tuple[str, str, object]] = (),
) -> Source:
    """The source of a program: files and folders that are named, else those in upstream's places."""
    names = PROGRAMS.get(program, ())
    return Source(
        program,
        tuple(files) or _present(f"{name}.conf" for name in names),
        tuple(dirs) or _present(f"{name}.conf.d" for name in names if name != "glance-image-import"),
        tuple(overrides),
    )


def _present(names: Iterator[str]) -> tuple[str, ...]:
    found = (next((path for path in _places(name) if path.exists()), None) for name in names)
    return tuple(str(path) for path in found if path)


def _places(name: str) -> Iterator[Path]:
    yield Path.home() / ".glance" / name
    yield Path.home() / name
    yield Path("/etc/glance") / name
    yield Path("/etc") / name
    for variable in ("SNAP_COMMON", "SNAP"):
        if variable in os.environ:
            yield Path(os.environ[variable]) / "etc" / "glance" / name


def files_of(source: Source) -> list[str]:
    """Every file that is read, in order: later ones win."""
    folders = [str(path) for folder in source.dirs for path in sorted(Path(folder).glob("*.conf"))]
    return [*source.files, *folders]


def entries(path: str) -> Iterator[Entry]:
    """The options that a file sets. :raises OSError: it cannot be read."""
    group = "DEFAULT"
    for number, line in enumerate(Path(path).read_text(errors="replace").splitlines(), 1):
        if section := _SECTION.match(line):
            group = group_name(section[1])
        elif option := _OPTION.match(line):
            yield Entry(path, number, group, option[1], option[2].strip())


def group_name(name: str) -> str:
    """A group as oslo.config compares it: lower case, but for DEFAULT."""
    return name if name == "DEFAULT" else name.lower()
