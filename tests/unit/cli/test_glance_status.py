import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from glimpse.cli.glance_status import glance_status
from glimpse.records.schema import upgrade


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    upgrade(f"sqlite:///{tmp_path}/db")
    path = tmp_path / "glance-api.conf"
    write(path, "")
    return path


def write(config: Path, text: str) -> None:
    config.write_text(
        f"[database]\nconnection = sqlite:///{config.parent}/db\n"
        f"[glimpse]\nauth_strategy = http_basic\nstate_dir = {config.parent}/state\n{text}"
    )


def check(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(glance_status, ["--config-file", str(config), "upgrade", "check", *arguments])


def results(config: Path) -> dict[str, tuple[int, str | None]]:
    document: dict[str, Any] = json.loads(check(config, "--json").output)
    assert document["name"] == "Upgrade Check Results"
    return {each["check"]: (each["result"], each["details"]) for each in document["checks"]}


def test_all_is_well(config: Path) -> None:
    answer = check(config)
    assert answer.exit_code == 0, answer.output
    assert {code for code, _ in results(config).values()} == {0}
    assert "| Result: Success" in answer.output
    assert len({len(line) for line in answer.output.splitlines()}) == 1


def test_what_is_ignored_is_a_warning(config: Path) -> None:
    write(config, "[DEFAULT]\nimage_cache_sqlite_db = x\nadmin_role = y\nbind_hots = z\n")
    answer = check(config)
    assert answer.exit_code == 1
    for line, name in ((7, "image_cache_sqlite_db"), (8, "admin_role"), (9, "bind_hots")):
        assert f"{config}:{line}: [DEFAULT] {name} is " in answer.output


def test_a_key_of_the_wrong_length_is_a_failure(config: Path) -> None:
    write(config, "[DEFAULT]\nmetadata_encryption_key = abc\n")
    answer = check(config)
    assert (answer.exit_code, "16, 24 or 32" in answer.output, "abc" in answer.output) == (2, True, False)


def test_a_wrong_value_is_a_failure(config: Path) -> None:
    write(config, "[DEFAULT]\nworkers = many\n")
    assert check(config).exit_code == 2
    [(name, (_, details))] = results(config).items()
    assert (name, f"{config}:7" in str(details)) == ("Configuration", True)


@pytest.mark.parametrize(("revision", "code"), [("train_contract01", 2), (None, 1)])
def test_the_database(config: Path, revision: str | None, code: int) -> None:
    config.with_name("db").unlink()
    if revision:
        with sqlite3.connect(config.with_name("db")) as connection:
            connection.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
            connection.execute("INSERT INTO alembic_version VALUES (?)", [revision])
    assert results(config)["Database"][0] == code
    assert check(config).exit_code == code


def test_no_files_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("OS_DATABASE__CONNECTION", f"sqlite:///{tmp_path}/db")
    monkeypatch.setenv("OS_GLIMPSE__AUTH_STRATEGY", "http_basic")
    answer = CliRunner().invoke(glance_status, ["upgrade", "check"])
    assert answer.exit_code == 1
    assert "No configuration file" in answer.output


def test_policy_files(config: Path) -> None:
    policy = config.with_name("policy.yaml")
    policy.write_text('"get_image": "role:admin"\n"get_imagge": "role:admin"\n')
    code, details = results(config)["Policy"]
    assert (code, details) == (1, "There is no rule get_imagge.")
    policy.write_text('"get_image": "role:admin"\n"get_images": [\n')
    code, details = results(config)["Policy"]
    assert code == 2
    assert f"{policy}:3" in str(details)
    write(config, "[oslo_policy]\npolicy_file = policy.json\n")
    config.with_name("policy.json").write_text('{"get_image": "role:admin"}')
    code, details = results(config)["Policy"]
    assert (code, "JSON" in str(details)) == (1, True)


def test_property_protection(config: Path) -> None:
    write(config, "[DEFAULT]\nproperty_protection_file = protections.conf\n")
    assert results(config)["Property protection"][0] == 2
    rules = "".join(f"{operation} = admin\n" for operation in ("create", "read", "update", "delete"))
    config.with_name("protections.conf").write_text(f"[.*]\n{rules}")
    assert results(config)["Property protection"] == (0, None)
