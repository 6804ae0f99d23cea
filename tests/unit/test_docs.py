"""What is not documented does not exist."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from tools import man
from tools.reference import COMMANDS, FOLDER, children, pages

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", sorted(pages()))
def test_reference_is_what_the_source_says(name: str) -> None:
    written = (FOLDER / name).read_text(encoding="utf-8")
    assert written == pages()[name], "run `make docs`"


@pytest.mark.parametrize("name", sorted(man.pages()))
def test_manual_pages_are_what_the_source_says(name: str) -> None:
    written = (man.FOLDER / name).read_text(encoding="utf-8")
    assert written == man.pages()[name], "run `make docs`"


def test_each_program_has_a_manual_page() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert {path.name for path in man.FOLDER.iterdir()} == {f"{name}.1" for name in scripts}


def words_of(name: str, command: click.Command, *before: str) -> set[str]:
    """All options that a program tells by itself when it is asked with --help, and its sub-commands, too."""
    said = CliRunner().invoke(COMMANDS[name], [*before, "--help"]).output
    words = set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", said.partition("Options:")[2], re.IGNORECASE))
    if isinstance(command, click.Group):
        context = click.Context(command)
        for child, found in children(context, command):
            words |= {child} | words_of(name, found, *before, child)
    return words


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_manual_pages_name_all_options_and_commands(name: str) -> None:
    page = (man.FOLDER / f"{name}.1").read_text(encoding="utf-8").replace(r"\-", "-")
    words = words_of(name, COMMANDS[name])
    assert "--help" in words
    assert {word for word in words if not re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", page)} == set()


@pytest.mark.skipif(shutil.which("groff") is None, reason="groff is not installed")
@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_manual_pages_can_be_set(name: str) -> None:
    command = ["groff", "-man", "-ww", "-Tutf8", str(man.FOLDER / f"{name}.1")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert name in done.stdout
