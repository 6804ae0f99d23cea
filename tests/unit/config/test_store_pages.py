"""The examples of the pages on stores can be started with."""

import re
import textwrap
from pathlib import Path

import pytest

from glimpse.config.settings import read_settings

PAGES = Path(__file__).parents[3] / "docs" / "stores"
# What is indented or fenced, with the empty lines in between.
BLOCK = re.compile(r"(?:^ {4}.*\n+)+|^```\w*\n(?:.*\n)+?```", re.MULTILINE)
SECTION = re.compile(r"^\[\w+\]$", re.MULTILINE)
NAMES = sorted(page.stem for page in PAGES.glob("*.md") if page.stem != "README")


def blocks(page: str) -> list[str]:
    """What stands in the blocks of a page, from the first section on."""
    found = BLOCK.findall((PAGES / f"{page}.md").read_text())
    plain = [textwrap.dedent(block.strip("`\n")) for block in found]
    sections = [(block, SECTION.search(block)) for block in plain]
    return [block[section.start() :] for block, section in sections if section]


@pytest.mark.parametrize("page", NAMES)
def test_the_example_is_a_configuration(page: str, tmp_path: Path) -> None:
    example, *others = blocks(page)
    # That file is read when the service starts.
    (tmp_path / "glance-api.conf").write_text(re.sub(r"\w+_ca_file = .*\n", "", example))
    for accounts in others[:1]:
        (tmp_path / "glance-swift.conf").write_text(accounts)
    settings = read_settings([str(tmp_path / "glance-api.conf")], state_dir=tmp_path / "state")
    assert {"filesystem": "file"}.get(page, page) in [place.kind for place in settings.stores]
