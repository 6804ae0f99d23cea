"""What the commands with upstream's names have in common: their options, and how they tell errors."""

import sys
from collections.abc import Callable
from typing import Any

import click

from glimpse.config.files import Source, find_source
from glimpse.domain.errors import GlimpseError

CONTEXT = {"help_option_names": ["-h", "--help"]}

_OPTIONS = (
    click.option(
        "--config-file",
        "files",
        multiple=True,
        help="A configuration file; may be repeated. Default: those in ~/.glance, ~, /etc/glance and /etc.",
    ),
    click.option(
        "--config-dir",
        "dirs",
        multiple=True,
        help="A folder of *.conf files, read after the files; may be repeated.",
    ),
    click.option("-d", "--debug/--nodebug", default=None, help="Log more."),
    click.option("--log-file", help="File of the log."),
    click.option("--log-dir", help="Folder of the log."),
)


def common_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click function the options `files`, `dirs`, `debug`, `log_file` and `log_dir`."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def source_of(program: str, files: tuple[str, ...], dirs: tuple[str, ...], **said: object) -> Source:
    """Where a program's settings come from; what is `said` on the command line is not None."""
    overrides = [("DEFAULT", name, value) for name, value in said.items() if value is not None]
    return find_source(program, files, dirs, overrides)


def run(command: click.Command) -> None:
    """Run a command; what the operator can mend is told in one line, and ends it with the status 1."""
    try:
        command(prog_name=command.name)
    except GlimpseError as error:
        click.echo(f"ERROR: {error}", err=True)
        sys.exit(1)
