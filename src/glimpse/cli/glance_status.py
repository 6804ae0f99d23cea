"""`glance-status upgrade check`: what an operator should know before this service takes over from Glance."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

import click
from oslo_config import cfg

from glimpse import __version__
from glimpse.checks import FILE_CHECKS
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.config.files import Source
from glimpse.config.registry import RegistryLink
from glimpse.config.report import findings
from glimpse.config.settings import Settings, read_config, settings_of
from glimpse.domain.errors import Conflict, GlimpseError
from glimpse.records.glance_history import GLANCE_REVISION
from glimpse.records.schema import GLIMPSE_REVISION, revisions
from glimpse.registry.service import try_registry

TITLE = "Upgrade Check Results"


class Code(IntEnum):
    """How a check ended, and the exit status of the worst."""

    SUCCESS = 0
    WARNING = 1
    FAILURE = 2


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of a check."""

    name: str
    code: Code
    details: str | None


@click.group("glance-status", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@click.pass_context
def glance_status(
    context: click.Context, /, files: tuple[str, ...], dirs: tuple[str, ...], **said: object
) -> None:
    """Tell how things are."""
    context.obj = source_of("glance-status", files, dirs, **said)


@glance_status.group("upgrade")
def upgrade() -> None:
    """Taking over from Glance."""


@upgrade.command("check")
@click.option("--json", "as_json", is_flag=True, help="As a JSON document.")
@click.pass_obj
def check(source: Source, as_json: bool) -> None:
    """Check configuration, files and database. Exit status: 0 all is well, 1 a warning, 2 a failure."""
    results = all_results(source)
    click.echo(_as_json(results) if as_json else _as_table(results))
    sys.exit(max(result.code for result in results))


def all_results(source: Source) -> list[Result]:
    """The results of all checks; of the first one alone if the settings cannot be read."""
    try:
        settings, config = settings_of(source), read_config(source)
    except GlimpseError as error:
        return [Result("Configuration", Code.FAILURE, str(error))]
    return [
        _options(source, config),
        *(_attempt(name, look, settings) for name, look in FILE_CHECKS.items()),
        _attempt("Database", _database, settings)
        if settings.registry.link is None
        else _attempt("Registry", _registry(settings.registry.link), settings),
    ]


def _options(source: Source, config: cfg.ConfigOpts) -> Result:
    found = findings(source, config)
    lines = [str(finding) for finding in found]
    lines += [] if source.files or source.dirs else ["No configuration file was found."]
    code = Code.WARNING if lines else Code.SUCCESS
    return Result("Configuration", code, "\n".join(lines) or None)


def _attempt(name: str, look: Callable[[Settings], list[str]], settings: Settings) -> Result:
    """What `look` found to warn of; or its failure."""
    try:
        warnings = look(settings)
    except GlimpseError as error:
        return Result(name, Code.FAILURE, str(error))
    return Result(name, Code.WARNING if warnings else Code.SUCCESS, "\n".join(warnings) or None)


def _database(settings: Settings) -> list[str]:
    glance, ours = revisions(settings.database_url)
    if not glance:
        return [
            "It is empty: the tables will be made at the start of glance-api, or by glance-manage db sync."
        ]
    if glance != {GLANCE_REVISION}:
        raise Conflict(
            f"It is at {', '.join(sorted(glance))}, and must be at {GLANCE_REVISION}: "
            "run `glance-manage db sync`."
        )
    return (
        []
        if ours == {GLIMPSE_REVISION}
        else ["The tables of our own will be added at the start of glance-api."]
    )


def _registry(link: RegistryLink) -> Callable[[Settings], list[str]]:
    def look(settings: Settings) -> list[str]:
        try_registry(settings, link)
        return []

    return look


def _as_json(results: list[Result]) -> str:
    checks = [{"check": each.name, "result": int(each.code), "details": each.details} for each in results]
    return json.dumps({"name": TITLE, "checks": checks})


def _as_table(results: list[Result]) -> str:
    blocks = [[TITLE]]
    for result in results:
        details = (result.details or "None").splitlines()
        head = [f"Check: {result.name}", f"Result: {result.code.name.capitalize()}"]
        blocks.append([*head, f"Details: {details[0]}", *(f"  {line}" for line in details[1:])])
    width = max(len(line) for block in blocks for line in block)
    rule = f"+{'-' * (width + 2)}+"
    lines = [rule]
    for block in blocks:
        lines += [*(f"| {line:{width}} |" for line in block), rule]
    return "\n".join(lines)


def main() -> None:
    """Run `glance-status`."""
    run(glance_status)
