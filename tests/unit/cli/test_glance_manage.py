import json
import sqlite3
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glimpse import __version__
from glimpse.cli.glance_manage import glance_manage, main
from glimpse.cli.manage_metadefs import SHIPPED_METADEFS
from glimpse.domain.errors import GlimpseError
from glimpse.records.glance_history import GLANCE_REVISION

ACTIONS = (
    *("version", "check", "sync", "expand", "migrate", "contract"),
    *("load_metadefs", "unload_metadefs", "export_metadefs", "purge", "purge_images_table"),
    *("upgrade", "version_control"),
)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = tmp_path / "glance-api.conf"
    path.write_text(
        f"[database]\nconnection = sqlite:///{tmp_path}/db\n[glimpse]\nstate_dir = {tmp_path}/s\n"
    )
    return path


def manage(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(glance_manage, ["--config-file", str(config), *arguments])


def at_revision(config: Path, revision: str) -> None:
    with sqlite3.connect(config.with_name("db")) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])


@pytest.mark.parametrize("arguments", [[], ["db"], ["db", "nothing"], ["db_nothing"]])
def test_usage(config: Path, arguments: list[str]) -> None:
    assert manage(config, *arguments).exit_code == 2


def test_the_program_version(config: Path) -> None:
    assert manage(config, "--version").output == f"{__version__}\n"


@pytest.mark.parametrize("action", ACTIONS)
def test_both_spellings(config: Path, action: str) -> None:
    assert manage(config, "db", action, "--help").exit_code == 0
    assert manage(config, f"db_{action}", "--help").exit_code == 0


def test_an_empty_database(config: Path) -> None:
    assert "no tables" in manage(config, "db", "version").output
    assert manage(config, "db", "check").exit_code == 3
    for action in ("sync", "expand", "upgrade"):
        foreseen = manage(config, "db", action, "--dry-run")
        assert (foreseen.exit_code, "Would make the tables of Glance" in foreseen.output) == (0, True)
    assert "no tables" in manage(config, "db", "version").output
    for step in ("migrate", "contract"):
        refused = manage(config, "db", step)
        assert refused.exit_code == 1
        assert "db expand" in str(refused.exception)


@pytest.mark.parametrize(
    "arguments", [["db", "sync"], ["db_sync"], ["db_sync", "liberty"], ["db", "sync", "--version", "x"]]
)
def test_sync(config: Path, arguments: list[str]) -> None:
    for _ in range(2):
        assert manage(config, *arguments).exit_code == 0
    assert manage(config, "db", "check").exit_code == 0
    assert manage(config, "db_version").output == f"{GLANCE_REVISION}\n"


def test_the_three_steps(config: Path) -> None:
    assert manage(config, "db", "expand").exit_code == 0
    assert manage(config, "db_migrate").output == "Migrated 0 rows\n"
    assert manage(config, "db_contract").exit_code == 0
    assert manage(config, "db_check").exit_code == 0


def test_a_schema_from_before_queens_is_left_alone(
    config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    at_revision(config, "ocata_contract01")
    assert manage(config, "db", "version").output == "ocata_contract01\n"
    assert manage(config, "db", "check").exit_code == 1
    monkeypatch.setattr("sys.argv", ["glance-manage", "--config-file", str(config), "db", "sync"])
    with pytest.raises(SystemExit) as refused:
        main()
    assert refused.value.code == 1
    error = capsys.readouterr().err
    assert error.startswith("ERROR: ")
    assert "ocata_contract01" in error
    assert "glance-manage db sync" in error
    assert manage(config, "db", "version").output == "ocata_contract01\n"


@pytest.mark.parametrize("action", ["check", "sync", "expand", "migrate", "contract", "upgrade"])
@pytest.mark.parametrize("table", ["alembic_version", "glimpse_alembic_version"])
def test_a_database_that_is_newer_is_named_and_left_alone(config: Path, action: str, table: str) -> None:
    manage(config, "db", "sync")
    with sqlite3.connect(config.with_name("db")) as connection:
        connection.execute(f"UPDATE {table} SET version_num = '2099_1'")
    for words in ([action], [action, "--dry-run"]):
        if words == ["check", "--dry-run"]:
            continue
        refused = manage(config, "db", *words)
        assert refused.exit_code == 1
        assert "2099_1" in str(refused.exception)
        assert "newer" in str(refused.exception)
    with sqlite3.connect(config.with_name("db")) as connection:
        assert connection.execute(f"SELECT version_num FROM {table}").fetchall() == [("2099_1",)]


def test_upgrading_to_a_revision(config: Path) -> None:
    refused = manage(config, "db", "upgrade", "train_contract01")
    assert "heads" in str(refused.exception)
    assert manage(config, "db", "upgrade", "--version", "expand@head").exit_code == 0
    assert manage(config, "db_upgrade", "heads").exit_code == 0
    assert manage(config, "db", "check").exit_code == 0


def test_version_control(config: Path) -> None:
    assert manage(config, "db", "version_control", "nothing").exit_code == 1
    manage(config, "db", "version_control", "--dry-run")
    assert "no tables" in manage(config, "db", "version").output
    assert manage(config, "db", "version_control").exit_code == 0
    assert manage(config, "db", "version").output == "liberty\n"
    refused = manage(config, "db_version_control", "--version", GLANCE_REVISION)
    assert (refused.exit_code, "at liberty" in str(refused.exception)) == (1, True)
    assert manage(config, "db", "version").output == "liberty\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[database\nconnection = sqlite:///x\n", ":1"),
        ("[database]\nconnection\n", ":2"),
        ("[DEFAULT]\ndebug = maybe\n", "debug"),
        (None, "glance-api.conf"),
    ],
)
def test_a_configuration_that_is_no_good(config: Path, content: str | None, said: str) -> None:
    if content is None:
        config.unlink()
    else:
        config.write_text(content)
    refused = manage(config, "db", "sync")
    assert refused.exit_code == 1
    assert isinstance(refused.exception, GlimpseError)
    assert said in str(refused.exception)
    assert not config.with_name("db").exists()


def test_sections_that_come_twice_count_together(config: Path) -> None:
    config.write_text(f"[database]\n[DEFAULT]\n[database]\nconnection = sqlite:///{config.parent}/db\n")
    assert manage(config, "db", "sync").exit_code == 0
    assert config.with_name("db").exists()


def test_files_in_upstreams_places(config: Path) -> None:
    assert CliRunner().invoke(glance_manage, ["db", "sync"]).exit_code == 0
    assert config.with_name("db").exists()


def test_the_folder_of_the_default_database_is_made(config: Path) -> None:
    config.write_text(f"[glimpse]\nstate_dir = {config.parent}/new/state\n")
    assert manage(config, "db", "sync").exit_code == 0
    assert (config.parent / "new/state/glimpse.db").exists()


def definition(name: str, *properties: str) -> str:
    kinds = {each: {"title": each, "type": "string"} for each in properties}
    return json.dumps(
        {"namespace": name, "display_name": f"The {name}", "visibility": "public", "properties": kinds}
    )


@pytest.fixture
def definitions(config: Path) -> Path:
    folder = config.parent / "metadefs"
    folder.mkdir()
    for name in ("One", "Two"):
        (folder / f"{name}.json").write_text(definition(name, "a"))
    with config.open("a") as file:
        file.write(f"[DEFAULT]\nmetadata_source_path = {folder}\n")
    assert manage(config, "db", "sync").exit_code == 0
    return folder


def exported(config: Path) -> dict[str, list[str]]:
    """The names of the properties of each namespace."""
    folder = config.parent / "exported"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    assert manage(config, "db", "export_metadefs", "--path", str(folder)).exit_code == 0
    documents = [json.loads(path.read_text()) for path in folder.iterdir()]
    return {each["namespace"]: sorted(each.get("properties", {})) for each in documents}


@pytest.mark.parametrize("words", [["db", "load_metadefs"], ["db_load_metadefs"]])
def test_loading_from_the_folder_that_is_configured(
    config: Path, definitions: Path, words: list[str]
) -> None:
    loaded = manage(config, *words)
    assert (loaded.exit_code, loaded.output) == (0, "2 created, 0 skipped, 0 merged, 0 overwritten\n")
    assert exported(config) == {"One": ["a"], "Two": ["a"]}
    assert manage(config, *words).output.startswith("0 created, 2 skipped")


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (["db", "load_metadefs", "--path", "{}"], ["a"]),
        (["db", "load_metadefs", "--path", "{}", "--merge"], ["a", "b"]),
        (["db", "load_metadefs", "--path", "{}", "--merge", "--prefer_new"], ["a", "b"]),
        (["db", "load_metadefs", "--path", "{}", "--merge", "--overwrite"], ["b"]),
        (["db_load_metadefs", "{}"], ["a"]),
        (["db_load_metadefs", "{}", "True"], ["a", "b"]),
        (["db_load_metadefs", "{}", "True", "False", "True"], ["b"]),
        (["db_load_metadefs", "{}", "False", "False", "False"], ["a"]),
    ],
)
def test_ways_of_merging(config: Path, definitions: Path, words: list[str], found: list[str]) -> None:
    manage(config, "db", "load_metadefs")
    newer = definitions / "One.json"
    newer.write_text(definition("One", "b"))
    assert manage(config, *(word.format(newer) for word in words)).exit_code == 0
    assert exported(config) == {"One": found, "Two": ["a"]}


@pytest.mark.parametrize(
    "flags", [["--prefer_new"], ["--overwrite"], ["--merge", "--prefer_new", "--overwrite"]]
)
def test_flags_that_exclude_each_other(config: Path, definitions: Path, flags: list[str]) -> None:
    refused = manage(config, "db", "load_metadefs", *flags)
    assert refused.exit_code == 0
    assert "ERROR: " in refused.output
    assert exported(config) == {}


def test_bad_files_are_told_and_the_others_taken(config: Path, definitions: Path) -> None:
    (definitions / "Bad.json").write_text("{")
    (definitions / "Empty.json").write_text("{}")
    loaded = manage(config, "db", "load_metadefs")
    assert loaded.exit_code == 0
    for name in ("Bad.json", "Empty.json"):
        assert f"ERROR: {definitions / name}: " in loaded.output
    assert sorted(exported(config)) == ["One", "Two"]


def test_what_comes_with_the_service(config: Path, definitions: Path) -> None:
    config.write_text(config.read_text().replace(str(definitions), "/nowhere/at/all"))
    loaded = manage(config, "db", "load_metadefs")
    assert "ERROR" not in loaded.output
    assert len(exported(config)) == len(list(SHIPPED_METADEFS.glob("*.json"))) > 0


def test_unloading(config: Path, definitions: Path) -> None:
    foreseen = manage(config, "db", "load_metadefs", "--dry-run").output
    assert foreseen == "Would be: 2 created, 0 skipped, 0 merged, 0 overwritten\n"
    assert exported(config) == {}
    manage(config, "db", "load_metadefs")
    for flags, words in ((), "0 created, 2 skipped"), (("--merge",), "0 created, 0 skipped, 2 merged"):
        assert words in manage(config, "db", "load_metadefs", "--dry-run", *flags).output
    assert manage(config, "db", "unload_metadefs", "--dry-run").output == "Would delete 2 namespaces\n"
    words = manage(config, "db", "export_metadefs", "--dry-run", "--path", "/nowhere").output
    assert words == "Would write /nowhere/TheOne.json\nWould write /nowhere/TheTwo.json\n"
    assert sorted(exported(config)) == ["One", "Two"]
    assert manage(config, "db_unload_metadefs").exit_code == 0
    assert exported(config) == {}


@pytest.mark.parametrize("action", ["load_metadefs", "unload_metadefs", "export_metadefs"])
def test_without_tables_there_is_nothing_to_do(config: Path, action: str) -> None:
    refused = manage(config, "db", action)
    assert refused.exit_code == 1
    assert "db expand" in str(refused.exception)


def test_a_folder_that_is_not_there(config: Path, definitions: Path) -> None:
    manage(config, "db", "load_metadefs")
    refused = manage(config, "db", "export_metadefs", "--path", "/nowhere/at/all")
    assert refused.exit_code == 1
