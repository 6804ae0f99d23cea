"""The examples: files that programs and systemd take, and a container file whose parts are there."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from glimpse.config.files import Source
from glimpse.config.report import findings
from glimpse.config.settings import read_config, settings_of

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
UNITS = sorted((EXAMPLES / "systemd").glob("*.service"))
CONTAINER = EXAMPLES / "container" / "Containerfile"

# What `systemd-analyze security` may say, in tenths; 100 is a service that may do all.
EXPOSURE = 25

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize("program", ["glance-api", "glance-scrubber"])
def test_the_cloud(program: str) -> None:
    source = Source(program, (str(EXAMPLES / "cloud" / f"{program}.conf"),))
    settings = settings_of(source)
    assert settings.default_store == "ceph"
    assert settings.scrubbing.delayed_delete
    assert findings(source, read_config(source)) == []


def command_of(unit: Path) -> list[str]:
    [line] = re.findall(r"^ExecStart=(.*)$", unit.read_text(), re.M)
    words: list[str] = line.split()
    return words


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_units_name_programs_and_options_that_there_are(unit: Path) -> None:
    program, *words = command_of(unit)
    name = Path(program).name
    assert name in PROJECT["scripts"]
    group = [word for word in words[:1] if not word.startswith("-")]
    told = subprocess.run(
        [Path(sys.executable).with_name(name), *group, "--help"], capture_output=True, text=True, check=True
    ).stdout
    assert all(word in told for word in words if word.startswith("--"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_takes_them(unit: Path, tmp_path: Path) -> None:
    program = command_of(unit)[0]
    here = Path(sys.executable).with_name(Path(program).name)
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text().replace(program, str(here)))
    for words in (["verify"], ["security", "--offline=true", f"--threshold={EXPOSURE}"]):
        done = subprocess.run(
            ["systemd-analyze", *words, copy], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert done.returncode == 0, done.stdout
        assert "verify" not in words or not done.stdout


def test_the_container_file_copies_and_starts_what_there_is() -> None:
    lines = CONTAINER.read_text().replace("\\\n", " ").splitlines()
    steps = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    copied = [words for step, words in steps if step == "COPY" and not words.startswith("--from")]
    assert all((ROOT / name).exists() for words in copied for name in words.split()[:-1])
    [extras] = re.findall(r"pip install .*'\.\[(.*)\]'", CONTAINER.read_text())
    assert set(extras.split(",")) <= PROJECT["optional-dependencies"].keys()
    [command] = re.findall(r'^CMD \["(.*)"\]$', CONTAINER.read_text(), re.M)
    assert command in PROJECT["scripts"]
    # What is needed to build the package is copied before it is built.
    assert {"pyproject.toml", "constraints.txt", PROJECT["readme"], *PROJECT["license-files"]} <= {
        name for words in copied for name in words.split()
    }
    assert [words for step, words in steps if step == "USER"] == ["glance"]
