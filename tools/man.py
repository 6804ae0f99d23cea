"""Writes the manual pages below `docs/man` from the commands themselves: `make docs`.

A test compares the pages with what this module would write. A command with sub-commands has one page for all.
"""

import inspect
from collections.abc import Iterator, Mapping
from pathlib import Path

import click

from glimpse.config.files import PROGRAMS
from tools.reference import COMMANDS, children

FOLDER = Path(__file__).parents[1] / "docs" / "man"


def pages() -> Mapping[str, str]:
    """The text of every page by its file name."""
    return {f"{name}.1": "\n".join(_page(name, command)) + "\n" for name, command in COMMANDS.items()}


def _page(name: str, command: click.Command) -> Iterator[str]:
    context = _context(command, name, None)
    yield f'.TH {_text(name.upper())} 1 "" Glimpse "Manual of Glimpse"'
    # Neither spread out nor hyphenated: command lines are to be read as they are typed.
    yield from (".ad l", ".nh")
    yield from (".SH NAME", rf"{_text(name)} \- {_text(_summary(command))}")
    yield from (".SH SYNOPSIS", f".B {_usage(context)}")
    yield from (".SH DESCRIPTION", *_description(command))
    yield from (".SH OPTIONS", *_options(context))
    if isinstance(command, click.Group):
        yield ".SH COMMANDS"
        yield from _commands(context, command)
    yield from _files(name)
    yield ".SH EXIT STATUS"
    yield "0: all is well. 1: something failed; it is told in a line. 2: the options or arguments will not"
    yield "do. Other statuses, where there are some, are told above."
    yield from (".SH SEE ALSO", "The operator guide and the reference in the documentation of Glimpse.")


def _commands(context: click.Context, group: click.Group) -> Iterator[str]:
    for name, command in children(context, group):
        inner = _context(command, name, context)
        yield from (f".SS {_usage(inner)}", *_description(command), *_options(inner))
        if isinstance(command, click.Group):
            yield from _commands(inner, command)


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, **command.context_settings)


def _summary(command: click.Command) -> str:
    first, _, _ = inspect.cleandoc(command.help or "").partition("\n\n")
    return " ".join(first.split()).split(". ")[0].rstrip(".")


def _usage(context: click.Context) -> str:
    return _text(" ".join([context.command_path, *context.command.collect_usage_pieces(context)]))


def _description(command: click.Command) -> Iterator[str]:
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        lines = paragraph.removeprefix("\b\n").splitlines()
        # As click has it: these lines stay as they are.
        kept = paragraph.startswith(("\b\n", " "))
        yield ".PP"
        yield from (".nf", *map(_text, lines), ".fi") if kept else map(_text, lines)


def _options(context: click.Context) -> Iterator[str]:
    for parameter in context.command.get_params(context):
        record = parameter.get_help_record(context)
        if isinstance(parameter, click.Option) and record is not None:
            names, text = record
            yield from (".TP", f".B {_text(names)}", _text(text) or r"\&")


def _files(name: str) -> Iterator[str]:
    if name in PROGRAMS:
        names = [f"{base}.conf" for base in PROGRAMS[name]]
        yield from (".SH FILES", _text(f"{', '.join(names)}: without --config-file, each is looked for in"))
        yield _text("~/.glance, ~, /etc/glance and /etc; later ones win.")


def _text(text: str) -> str:
    """Text in which nothing is a request or an escape of roff."""
    escaped = " ".join(text.split("\n")).replace("\\", r"\e").replace("-", r"\-")
    return rf"\&{escaped}" if escaped.startswith((".", "'")) else escaped


def main() -> None:
    """Write the pages."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
