"""What configuration files ask for in vain: options that are ignored, deprecated, removed or unknown."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum

from oslo_config import cfg

from glimpse.config import known
from glimpse.config.files import Entry, Source, entries, files_of, group_name
from glimpse.config.options import GROUPS, registered


class Kind(StrEnum):
    """What is amiss with an option."""

    IGNORED = "ignored"
    DEPRECATED = "deprecated"
    REMOVED = "removed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """An option in a file that does not do what its author may expect."""

    entry: Entry
    kind: Kind
    reason: str

    def __str__(self) -> str:
        """One line: where, which, what and why."""
        entry = self.entry
        return f"{entry.file}:{entry.line}: [{entry.group}] {entry.name} is {self.kind}: {self.reason}"


def findings(source: Source, config: cfg.ConfigOpts) -> list[Finding]:
    """What is amiss with the files of `source`, which `config` has read, in their order.

    :raises OSError: a file cannot be read.
    """
    used = {group_name(group): names for group, names in registered(config).items()}
    stores = {"backend_defaults", *map(group_name, config.enabled_backends or ())}
    judged = (_judge(entry, used, stores) for path in files_of(source) for entry in entries(path))
    return [finding for finding in judged if finding]


def _judge(entry: Entry, used: Mapping[str, set[str]], stores: Collection[str]) -> Finding | None:
    # What is known of the options of stores is written down once, for the group that they all once were in.
    group = "glance_store" if entry.group in stores else entry.group
    for kind, reason in _reasons(entry, group, used):
        return Finding(entry, kind, reason)
    names = used.get(entry.group, set())
    if entry.name in names or entry.group in known.LIBRARY_GROUPS:
        return None
    close = get_close_matches(entry.name, names, 1)
    if entry.group not in used:
        return Finding(entry, Kind.UNKNOWN, "no option of that group is known")
    return Finding(entry, Kind.UNKNOWN, f"did you mean {close[0]}?" if close else "no such option is known")


def _reasons(entry: Entry, group: str, used: Mapping[str, set[str]]) -> Iterator[tuple[Kind, str]]:
    if entry.name not in used.get(entry.group, set()):
        for kind, table in (
            (Kind.IGNORED, known.IGNORED),
            (Kind.REMOVED, known.REMOVED),
        ):
            if entry.name in table.get(group, {}):
                yield kind, table[group][entry.name]
        for place, option in _moved().get((entry.group, entry.name), ()):
            yield Kind.DEPRECATED, f"use [{place}] {option}"
        for prefix, reason in known.REMOVED_PREFIXES.get(group, {}).items():
            if entry.name.startswith(prefix):
                yield Kind.REMOVED, reason
        family, dot, _ = entry.group.partition(".")
        nothing = f"only [{family}] itself is read" if dot and family in used else None
        if ignored := known.IGNORED_GROUPS.get(family, nothing):
            yield Kind.IGNORED, ignored
    elif entry.name in known.DEPRECATED.get(group, {}):
        yield Kind.DEPRECATED, known.DEPRECATED[group][entry.name]


def _moved() -> dict[tuple[str, str], list[tuple[str, str]]]:
    return {
        (old.group or group, old.name or option.dest): [(group, option.dest)]
        for group, options in GROUPS.items()
        for option in options
        for old in option.deprecated_opts
    }
