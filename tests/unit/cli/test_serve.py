import stat
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import bcrypt
import pytest

from glimpse.access.users import User, UserFiles
from glimpse.cli.serve import (
    RESTART_SECONDS,
    _worker,
    create_administrator,
    greeting,
    password_file,
    prepare_state,
)
from glimpse.config.backends.files import FileBackend
from glimpse.config.backends.http import HttpBackend
from glimpse.config.places import StorePlace
from glimpse.config.settings import Settings, read_settings
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.stores.folders import Folder

pytestmark = pytest.mark.usefixtures("quick_bcrypt")

URL = "http://127.0.0.1:9292"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings(state_dir=tmp_path / "state")


@pytest.fixture
def prepared(settings: Settings) -> Settings:
    prepare_state(settings)
    return settings


def test_folders(settings: Settings) -> None:
    for _ in range(2):
        prepare_state(settings)
    assert stat.S_IMODE(settings.state_dir.stat().st_mode) == 0o700
    [[images]] = settings.image_folders
    assert stat.S_IMODE(images.stat().st_mode) == 0o750


def test_every_store_has_its_folder(settings: Settings, tmp_path: Path) -> None:
    places = [StorePlace(name, "file", FileBackend((Folder(tmp_path / name),))) for name in ("fast", "slow")]
    several = replace(
        settings,
        stores=(*places, StorePlace("web", "http", HttpBackend(settings.url_rules))),
        database_url="sqlite:////a/b",
    )
    prepare_state(replace(several, auth_strategy="paste"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fast", "slow"]


def test_a_state_folder_that_nothing_is_in_is_not_made(settings: Settings, tmp_path: Path) -> None:
    images = (StorePlace("file", "file", FileBackend((Folder(tmp_path / "images"),))),)
    elsewhere = replace(settings, stores=images, database_url="sqlite:////a/b")
    prepare_state(replace(elsewhere, auth_strategy="paste"))
    assert not settings.state_dir.exists()
    prepare_state(elsewhere)
    assert settings.state_dir.exists()


def test_folders_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Invalid) as refused:
        prepare_state(read_settings(state_dir=tmp_path / "file" / "state"))
    assert refused.value.field == "state_dir"


def test_the_administrator(prepared: Settings) -> None:
    password = create_administrator(prepared)
    assert password is not None
    assert len(password) >= 16
    users = UserFiles(prepared.htpasswd)
    assert users.all() == [User("admin", "admin", frozenset({"admin", "member", "reader"}))]
    found = users.find("admin")
    assert found is not None
    assert bcrypt.checkpw(password.encode(), found[1])


def test_the_administrator_is_made_once(prepared: Settings) -> None:
    password = create_administrator(prepared)
    before = prepared.htpasswd.read_text()
    assert create_administrator(prepared) is None
    assert prepared.htpasswd.read_text() == before
    assert password_file(prepared).read_text() == f"{password}\n"


def test_passwords_are_not_guessable(prepared: Settings, tmp_path: Path) -> None:
    other = read_settings(state_dir=tmp_path / "other")
    prepare_state(other)
    assert create_administrator(prepared) != create_administrator(other)


def test_the_password_is_kept_for_its_owner_alone(prepared: Settings) -> None:
    create_administrator(prepared)
    assert stat.S_IMODE(password_file(prepared).stat().st_mode) == 0o600


def test_a_file_that_was_there_is_not_left_open(prepared: Settings) -> None:
    kept = password_file(prepared)
    kept.write_text("old")
    kept.chmod(0o644)
    create_administrator(prepared)
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


def test_nobody_is_made_where_nobody_is_asked(prepared: Settings) -> None:
    assert create_administrator(replace(prepared, auth_strategy="noauth")) is None
    assert not prepared.htpasswd.exists()
    assert not password_file(prepared).exists()


def test_nobody_is_made_where_somebody_is(prepared: Settings) -> None:
    UserFiles(prepared.htpasswd).add("alice", "secret", ["admin"], None)
    assert create_administrator(prepared) is None
    assert not password_file(prepared).exists()


def test_greeting_of_a_new_service(prepared: Settings) -> None:
    password = create_administrator(prepared)
    text = greeting(prepared, URL, password)
    assert text.startswith(f"Glimpse is listening on {URL}   (state in {prepared.state_dir})\n")
    assert f"An administrator was created: admin, password {password}" in text
    assert f"OS_USERNAME=admin OS_PASSWORD={password}" in text
    assert f"export OS_AUTH_TYPE=http_basic OS_ENDPOINT={URL}" in text
    assert f"curl -u admin:{password} {URL}/v2/images" in text
    assert f"password='{password}'" in text
    assert f"{URL}/docs" in text


def test_greeting_of_a_service_that_was_there(prepared: Settings) -> None:
    password = create_administrator(prepared)
    assert password is not None
    text = greeting(prepared, URL, None)
    assert password not in text
    assert "was created" not in text
    assert f'"$(cat {password_file(prepared)})"' in text


def test_greeting_when_the_password_was_put_away(prepared: Settings) -> None:
    create_administrator(prepared)
    password_file(prepared).unlink()
    text = greeting(prepared, URL, None)
    assert "OS_PASSWORD=...\n" in text
    assert "$(cat" not in text


def test_greeting_without_identity(prepared: Settings) -> None:
    text = greeting(replace(prepared, auth_strategy="noauth"), URL, None)
    assert f"export OS_AUTH_TYPE=none OS_ENDPOINT={URL}" in text
    assert "administrator" in text
    assert "password" not in text.lower()


def test_greeting_with_a_pipeline_of_glance(prepared: Settings) -> None:
    text = greeting(replace(prepared, auth_strategy="paste"), URL, None)
    assert text == f"Glimpse is listening on {URL}   (state in {prepared.state_dir})"


def test_a_worker_that_cannot_start_says_why_and_ends_without_haste(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr("glimpse.cli.serve.time.sleep", pauses.append)

    def create() -> NoReturn:
        raise Unavailable("the database", "connection refused")

    with pytest.raises(SystemExit) as end:
        _worker(create)
    assert end.value.code == 1
    assert pauses == [RESTART_SECONDS]
    (line,) = caplog.messages
    assert line.startswith("a worker cannot start: ")
    assert "connection refused" in line
