"""Writes the reference pages below `docs/reference` from the source: `make docs`.

A test compares the pages with what this module would write, so that nothing stays undocumented.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import click
from oslo_config import cfg

from glimpse.api.operations import Operation
from glimpse.api.problems import STATUS
from glimpse.api.v1.routes import OPERATIONS as V1_OPERATIONS
from glimpse.api.v2.routes import OPERATIONS
from glimpse.cli.glance_api import glance_api
from glimpse.cli.glance_cache import cleaner, prefetcher, pruner
from glimpse.cli.glance_cache_manage import glance_cache_manage
from glimpse.cli.glance_control import glance_control
from glimpse.cli.glance_manage import glance_manage
from glimpse.cli.glance_registry import glance_registry
from glimpse.cli.glance_replicator import glance_replicator
from glimpse.cli.glance_scrubber import glance_scrubber
from glimpse.cli.glance_status import glance_status
from glimpse.cli.main import cli
from glimpse.config.known import LIBRARY_GROUPS
from glimpse.config.options import GROUPS

_UPSTREAM: tuple[click.Command, ...] = (
    glance_api,
    cleaner,
    glance_cache_manage,
    prefetcher,
    pruner,
    glance_control,
    glance_manage,
    glance_registry,
    glance_replicator,
    glance_scrubber,
    glance_status,
)
# All programs; those that keep upstream's names come after our own.
COMMANDS: Mapping[str, click.Command] = {"glimpse": cli, **{str(each.name): each for each in _UPSTREAM}}

FOLDER = Path(__file__).parents[1] / "docs" / "reference"


def pages() -> Mapping[str, str]:
    """The text of every page by its file name."""
    return {
        "api.md": _page("The API", _api()),
        "commands.md": _page("Commands", _commands()),
        "configuration.md": _page("Configuration", _configuration()),
        "errors.md": _page("Errors", _errors()),
    }


def _page(title: str, lines: Iterator[str]) -> str:
    note = "<!-- Written by `make docs` from the source. -->"
    return "\n".join([f"# {title}", note, "", *lines]) + "\n"


def _api() -> Iterator[str]:
    yield "The operations of the Image API v2 that the service answers."
    yield "The same as OpenAPI: `/openapi.json`; in a browser: `/docs`."
    yield "Versions: `/` and `/versions`. Health: `/healthcheck`."
    yield ""
    yield from _operations(OPERATIONS)
    yield from ("", "## Image API v1", "", "With `enable_v1_api` the service answers these, too.", "")
    yield from _operations(V1_OPERATIONS)


def _operations(operations: Iterable[Operation]) -> Iterator[str]:
    yield "| Operation | What it does | Success | May also answer |"
    yield "|---|---|---|---|"
    for operation in operations:
        yield _operation(operation)


def _operation(operation: Operation) -> str:
    others = ", ".join(str(status.value) for status in sorted(operation.errors))
    name = f"`{operation.method} {operation.path}`"
    return f"| {name} | {operation.summary} | {operation.success.value} | {others} |"


def _configuration() -> Iterator[str]:
    yield "Options by group, in the files that `--config-file` names; later files win over earlier ones. The"
    yield "`glance-*` commands look for theirs in `~/.glance`, `~`, `/etc/glance` and `/etc`. The environment"
    yield "(`OS_<GROUP>__<OPTION>`) wins over files, and the command line over both. Options of the groups"
    yield f"{', '.join(f'`[{group}]`' for group in LIBRARY_GROUPS)} are those of the libraries."
    for group, options in GROUPS.items():
        yield from ("", f"## [{group}]", "", "| Option | Default | Meaning |", "|---|---|---|")
        for option in options:
            yield f"| `{option.dest}` | {_default(option)} | {option.help} |"


def _default(option: cfg.Opt) -> str:
    if option.default is None:
        return ""
    if isinstance(option.default, list):
        return f"`{','.join(option.default)}`"
    return f"`{option.default}`"


def _commands() -> Iterator[str]:
    for name, command in COMMANDS.items():
        yield from _command(command, name, None)


def _command(command: click.Command, name: str, parent: click.Context | None) -> Iterator[str]:
    settings = {**command.context_settings, "terminal_width": 100, "max_content_width": 100}
    context = click.Context(command, info_name=name, parent=parent, **settings)
    yield from (f"## `{context.command_path}`", "", "```text", command.get_help(context), "```", "")
    if isinstance(command, click.Group):
        for child, found in children(context, command):
            yield from _command(found, child, context)


def children(context: click.Context, group: click.Group) -> Iterator[tuple[str, click.Command]]:
    """The sub-commands of a group, but for the old spellings: `db_sync` is `db sync`."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is not None and not name.startswith("db_"):
            yield name, command


def _errors() -> Iterator[str]:
    yield "Errors as the service knows them, and the HTTP status of each."
    yield "The texts name the field and the limit."
    yield from ("", "| Code | Status | Meaning |", "|---|---|---|")
    for error, status in STATUS.items():
        meaning = (error.__doc__ or "").splitlines()[0]
        yield f"| `{error.code}` | {status.value} {status.phrase} | {meaning} |"


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
