"""`glimpse store`, on stores of files and of HTTP locations."""

import json
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glimpse.cli.main import cli, main

LINES = """
[DEFAULT]
enabled_backends = fast:file, broken:file, web:http
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {folder}/fast
weight = 7
store_description = quick
[broken]
filesystem_store_datadir = {folder}/file/deep/broken
"""


@pytest.fixture(autouse=True)
def kept_signals() -> Iterator[None]:
    kept = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, kept)


@pytest.fixture
def config(tmp_path: Path) -> str:
    (tmp_path / "file").touch()
    (tmp_path / "x.conf").write_text(LINES.format(folder=tmp_path))
    return str(tmp_path / "x.conf")


def store(config: str, verb: str, *arguments: str) -> Result:
    return CliRunner().invoke(cli, ["store", verb, "--config-file", config, *arguments])


def test_listing(config: str) -> None:
    listed = store(config, "list")
    assert listed.exit_code == 0
    assert listed.output.splitlines() == [
        "ID      TYPE  DEFAULT  TAKES DATA  WEIGHT  DESCRIPTION",
        "fast    file  yes      yes         7       quick",
        "broken  file  no       yes         0",
        "web     http  no       no          0",
    ]


def test_listing_for_programs(config: str, tmp_path: Path) -> None:
    fast, _, web = json.loads(store(config, "list", "--json").output)
    assert fast["properties"]["data_dir"] == str(tmp_path / "fast")
    assert (fast["id"], fast["default"], fast["description"]) == ("fast", True, "quick")
    assert (web["type"], web["read_only"], web["weight"]) == ("http", True, 0)


def test_good_stores(config: str, tmp_path: Path) -> None:
    checked = store(config, "check", "web", "fast", "--size", "1")
    assert checked.exit_code == 0, checked.output
    _, web, fast = checked.output.splitlines()
    assert web.split() == ["web", "http", "-", "read-only", "-", "-", "-", "-"]
    assert re.match(r"fast +file +yes +ok, [\d.]+ +ok, [\d.]+ +ok +[\d.]+ [MG]iB +[\d.]+ [MG]iB$", fast)
    assert list((tmp_path / "fast").iterdir()) == []


def test_store_that_fails(config: str) -> None:
    checked = store(config, "check", "--size", "1")
    assert checked.exit_code == 1
    assert [line.split()[:3] for line in checked.stdout.splitlines()[1:]] == [
        ["fast", "file", "yes"],
        ["broken", "file", "no"],
        ["web", "http", "-"],
    ]
    assert checked.stderr == "broken: The store broken is not available: Not a directory\n"


def test_check_for_programs(config: str) -> None:
    checked = store(config, "check", "--size", "1", "--json")
    assert checked.exit_code == 1
    fast, broken, web = json.loads(checked.stdout)
    assert (fast["ok"], fast["reachable"], fast["deletable"], fast["error"]) == (True, True, True, None)
    assert fast["write_mib_per_second"] > 0
    assert (broken["ok"], broken["reachable"], broken["writable"]) == (False, False, None)
    assert broken["error"] == "The store broken is not available: Not a directory"
    assert (web["ok"], web["read_only"], web["reachable"], web["free_bytes"]) == (True, True, None, None)


def test_unknown_store(
    config: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["glimpse", "store", "check", "nowhere", "--config-file", config])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 1
    assert capsys.readouterr().err == "glimpse: No store found with ID nowhere\n"


@pytest.mark.parametrize("size", ["0", "-1", "x"])
def test_size_that_is_none(config: str, size: str) -> None:
    assert store(config, "check", "--size", size).exit_code == 2
