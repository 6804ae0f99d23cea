from pathlib import Path

import pytest

from glimpse.config.files import Entry, Source, entries, files_of, find_source


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SNAP", str(tmp_path / "snap"))
    return tmp_path


def make(path: Path, text: str = "") -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return str(path)


def test_the_first_place_wins(home: Path) -> None:
    first = make(home / ".glance" / "glance-api.conf")
    make(home / "glance-api.conf")
    other = make(home / "glance.conf")
    last = make(home / "snap" / "etc" / "glance" / "glance-image-import.conf")
    assert find_source("glance-api").files == (other, last, first)
    assert find_source("glance-manage").files == (other, first)


def test_folders(home: Path) -> None:
    for name in ("b.conf", "a.conf", "c.txt"):
        make(home / ".glance" / "glance-api.conf.d" / name)
    make(home / "glance.conf.d" / "z.conf")
    source = find_source("glance-api")
    assert source.dirs == (str(home / "glance.conf.d"), str(home / ".glance" / "glance-api.conf.d"))
    assert [Path(path).name for path in files_of(source)] == ["z.conf", "a.conf", "b.conf"]


def test_what_is_named_replaces_the_default(home: Path) -> None:
    make(home / "glance-api.conf")
    make(home / "glance-api.conf.d" / "a.conf")
    source = find_source("glance-api", ["/x"], [], [("DEFAULT", "debug", True)])
    assert source.files == ("/x",)
    assert source.dirs == (str(home / "glance-api.conf.d"),)
    assert source.overrides == (("DEFAULT", "debug", True),)
    assert find_source("glance-api", [], ["/y"]).dirs == ("/y",)


def test_glimpse_reads_only_what_is_named(home: Path) -> None:
    make(home / "glimpse.conf")
    assert find_source("glimpse") == Source()


def test_lines(tmp_path: Path) -> None:
    path = make(
        tmp_path / "a.conf",
        "# a = 1\na = 1\n[ Group ]\n;b = 2\n\nlog-file: x\n  continued = no\n"
        "[Group]\nc=\n[DEFAULT]\nd = [x]\n",
    )
    found = list(entries(path))
    assert Entry(path, 2, "DEFAULT", "a", "1") in found
    assert [(entry.line, entry.name) for entry in found] == [(2, "a"), (6, "log-file"), (9, "c"), (11, "d")]
    assert found[-2:] == [Entry(path, 9, "group", "c", ""), Entry(path, 11, "DEFAULT", "d", "[x]")]
