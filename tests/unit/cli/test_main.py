import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from glimpse import __version__
from glimpse.access.users import UserFiles
from glimpse.cli.main import cli, main
from glimpse.domain.errors import GlimpseError, Invalid, NotFound

pytestmark = pytest.mark.usefixtures("quick_bcrypt")


def glimpse(*arguments: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli, arguments, input=typed)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "new" / "state"


def user(state: Path, verb: str, *arguments: str, typed: str = "") -> Result:
    return glimpse("user", verb, "--state-dir", str(state), *arguments, typed=typed)


@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_help(flag: str) -> None:
    result = glimpse(flag)
    assert result.exit_code == 0
    assert "OpenStack Image API v2" in result.output
    for command in ("serve", "worker", "job", "store", "user"):
        assert command in result.output


@pytest.mark.parametrize(
    "command",
    [
        ["serve"],
        ["worker"],
        *(["job", *verb] for verb in ([], ["list"], ["show"], ["cancel"])),
        *(["store", *verb] for verb in ([], ["list"], ["check"])),
        *(["user", *verb] for verb in ([], ["add"], ["list"], ["remove"])),
    ],
    ids=" ".join,
)
def test_every_command_explains_itself(command: list[str]) -> None:
    result = glimpse(*command, "--help")
    assert result.exit_code == 0
    assert len(result.output.splitlines()) > 3


def test_version() -> None:
    assert __version__ in glimpse("--version").output


def test_adding_listing_removing(state: Path) -> None:
    added = user(
        state, "add", "alice", "--role", "admin", "--project", "lab", "--password-stdin", typed="secret\n"
    )
    assert (added.exit_code, added.output) == (0, "alice may use the service.\n")
    assert user(state, "add", "bob", typed="hidden\nhidden\n").exit_code == 0
    listed = user(state, "list")
    assert listed.output == "alice\tlab\tadmin,member,reader\nbob\tbob\tmember,reader\n"
    assert "secret" not in added.output
    removed = user(state, "remove", "alice")
    assert removed.output == "alice may not use the service any more.\n"
    assert user(state, "list").output == "bob\tbob\tmember,reader\n"
    assert state.stat().st_mode & 0o777 == 0o700


def test_several_roles(state: Path) -> None:
    user(state, "add", "alice", "--role", "reader", "--role", "service", "--password-stdin", typed="x\n")
    assert user(state, "list").output == "alice\talice\treader,service\n"


def test_passwords_are_typed_twice_and_not_shown(state: Path) -> None:
    result = user(state, "add", "alice", typed="first\nsecnd\nthird\nthird\n")
    assert result.exit_code == 0
    for word in ("first", "secnd", "third"):
        assert word not in result.output
    assert UserFiles(state / "htpasswd").find("alice") is not None


def test_nobody_is_there(state: Path) -> None:
    assert user(state, "list").output == ""


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["remove", "nobody"], NotFound),
        (["add", "bad name", "--password-stdin"], Invalid),
        (["add", "alice", "--password-stdin", "--config-file", "/absent.conf"], Invalid),
    ],
)
def test_mistakes_are_errors_of_ours(state: Path, arguments: list[str], error: type[GlimpseError]) -> None:
    result = user(state, *arguments, typed="secret\n")
    assert isinstance(result.exception, error)


def test_an_empty_password_is_no_password(state: Path) -> None:
    assert isinstance(user(state, "add", "alice", "--password-stdin").exception, Invalid)
    assert user(state, "list").output == ""


def test_mistakes_are_told_in_one_line(
    state: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["glimpse", "user", "remove", "--state-dir", str(state), "nobody"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert capsys.readouterr().err == "glimpse: No user found with ID nobody\n"


def test_a_state_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = user(tmp_path / "file" / "below", "list")
    assert isinstance(result.exception, GlimpseError)
