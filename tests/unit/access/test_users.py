import os
import stat
from pathlib import Path

import bcrypt
import pytest

from glimpse.access.users import MAX_PASSWORD_BYTES, User, UserFiles
from glimpse.domain.errors import GlimpseError, Invalid, NotFound

pytestmark = pytest.mark.usefixtures("quick_bcrypt")


@pytest.fixture
def htpasswd(tmp_path: Path) -> Path:
    return tmp_path / "htpasswd"


@pytest.fixture
def users(htpasswd: Path) -> UserFiles:
    return UserFiles(htpasswd)


def roles(*names: str) -> frozenset[str]:
    return frozenset(names)


def test_nobody_at_first(users: UserFiles) -> None:
    assert users.all() == []
    assert users.find("alice") is None


def test_round_trip(users: UserFiles, htpasswd: Path) -> None:
    users.add("alice", "secret", ["admin"], "lab")
    users.add("bob", "other", ["member"], None)
    for read in (users, UserFiles(htpasswd)):
        assert read.all() == [
            User("alice", "lab", roles("admin", "member", "reader")),
            User("bob", "bob", roles("member", "reader")),
        ]
        found = read.find("alice")
        assert found is not None
        assert bcrypt.checkpw(b"secret", found[1])


@pytest.mark.parametrize(
    ("given", "has"),
    [
        (["admin"], roles("admin", "member", "reader")),
        (["member"], roles("member", "reader")),
        (["reader"], roles("reader")),
        (["Reader"], roles("reader")),
        (["service", "reader"], roles("service", "reader")),
        ([], roles()),
    ],
)
def test_roles_include_those_below(users: UserFiles, given: list[str], has: frozenset[str]) -> None:
    users.add("alice", "secret", given, None)
    assert users.all()[0].roles == has


def test_files_are_for_their_owner_alone(users: UserFiles, tmp_path: Path) -> None:
    users.add("alice", "secret", ["member"], None)
    users.add("bob", "secret", ["member"], None)
    users.remove("bob")
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["htpasswd", "users.ini"]
    for name in files:
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_replacing_somebody(users: UserFiles) -> None:
    users.add("alice", "old", ["admin"], "lab")
    users.add("alice", "new", ["reader"], None)
    assert users.all() == [User("alice", "alice", roles("reader"))]
    found = users.find("alice")
    assert found is not None
    assert bcrypt.checkpw(b"new", found[1])


def test_removing_somebody(users: UserFiles, tmp_path: Path) -> None:
    users.add("alice", "secret", ["admin"], "lab")
    users.add("bob", "secret", ["member"], None)
    users.remove("alice")
    assert [user.name for user in users.all()] == ["bob"]
    assert "alice" not in (tmp_path / "users.ini").read_text()
    with pytest.raises(NotFound) as refused:
        users.remove("alice")
    assert (refused.value.kind, refused.value.name) == ("user", "alice")


def test_a_name_that_comes_back_does_not_get_its_old_rights(users: UserFiles, htpasswd: Path) -> None:
    users.add("alice", "secret", ["admin"], "lab")
    users.remove("alice")
    with htpasswd.open("a") as file:
        file.write("alice:$2b$04$abc\n")
    assert users.all() == [User("alice", "alice", roles("member", "reader"))]


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "a:b", "a\nb", "alice\n", "[x]", "#alice", "-x", ".x", "ä", "x" * 65, "a/b", "\0"],
)
def test_bad_names(users: UserFiles, name: str) -> None:
    with pytest.raises(Invalid) as refused:
        users.add(name, "secret", ["member"], None)
    assert refused.value.field == "name"
    assert users.all() == []


@pytest.mark.parametrize("name", ["a", "alice@example.org", "A.b-c_d", "x" * 64, "9"])
def test_good_names(users: UserFiles, name: str) -> None:
    users.add(name, "secret", ["reader"], "lab")
    assert users.all() == [User(name, "lab", roles("reader"))]


def test_a_name_that_means_something_to_the_file_is_kept_or_refused(users: UserFiles, htpasswd: Path) -> None:
    try:
        users.add("DEFAULT", "secret", ["reader"], "lab")
    except Invalid:
        return
    assert UserFiles(htpasswd).all() == [User("DEFAULT", "lab", roles("reader"))]


@pytest.mark.parametrize(
    ("project", "given"),
    [
        ("lab\nroles = admin", ["reader"]),
        ("lab", ["reader\n[bob]\nroles = admin"]),
        ("lab\n\n[bob]", ["reader"]),
    ],
)
def test_projects_and_roles_do_not_break_the_file(users: UserFiles, project: str, given: list[str]) -> None:
    users.add("bob", "secret", ["reader"], None)
    with pytest.raises(Invalid):
        users.add("alice", "secret", given, project)
    assert users.all() == [User("bob", "bob", roles("reader"))]


@pytest.mark.parametrize("password", ["", "x" * (MAX_PASSWORD_BYTES + 1), "ä" * 37])
def test_bad_passwords(users: UserFiles, password: str) -> None:
    with pytest.raises(Invalid) as refused:
        users.add("alice", password, ["member"], None)
    assert refused.value.field == "password"
    assert "72" in str(refused.value)


@pytest.mark.parametrize("password", ["x", "x" * MAX_PASSWORD_BYTES, "ä" * 36, "with blank:and colon"])
def test_good_passwords(users: UserFiles, password: str) -> None:
    users.add("alice", password, ["member"], None)
    found = users.find("alice")
    assert found is not None
    assert bcrypt.checkpw(password.encode(), found[1])


def test_files_of_other_programs(users: UserFiles, htpasswd: Path) -> None:
    htpasswd.write_text("# people\n\nalice:$2y$05$abc\n  bob:$apr1$x  \n")
    htpasswd.with_name("users.ini").write_text("[alice]\nroles = Admin\n\n[nobody]\nproject = x\n")
    assert users.all() == [
        User("alice", "alice", roles("admin", "member", "reader")),
        User("bob", "bob", roles("member", "reader")),
    ]
    found = users.find("bob")
    assert found is not None
    assert found[1] == b"$apr1$x"


def test_what_was_written_by_hand_is_kept(users: UserFiles, htpasswd: Path) -> None:
    """A section need not say everything."""
    htpasswd.write_text("alice:$2b$04$abc\ncarol:$2b$04$abc\n")
    htpasswd.with_name("users.ini").write_text("[alice]\nroles = admin\n\n[carol]\nproject = lab\n")
    users.add("bob", "secret", ["member"], None)
    assert users.all() == [
        User("alice", "alice", roles("admin", "member", "reader")),
        User("bob", "bob", roles("member", "reader")),
        User("carol", "lab", roles("member", "reader")),
    ]
    users.remove("bob")
    assert len(users.all()) == 2


def test_changes_of_others_are_seen(users: UserFiles, htpasswd: Path) -> None:
    other = UserFiles(htpasswd)
    stamps = [users.stamp]
    other.add("alice", "secret", ["member"], None)
    stamps.append(users.stamp)
    assert [user.name for user in users.all()] == ["alice"]
    details = htpasswd.with_name("users.ini")
    details.write_text("[alice]\nroles = admin\n")
    os.utime(details, ns=(1, 1))
    stamps.append(users.stamp)
    assert users.all()[0].roles == roles("admin", "member", "reader")
    htpasswd.unlink()
    stamps.append(users.stamp)
    assert users.all() == []
    assert len(set(stamps)) == 4


@pytest.mark.parametrize(
    "text", [b"roles = admin\n", b"[alice]\nroles\n", b"[alice]\n[alice]\n", b"[alice\n", b"\xff\xfe"]
)
def test_a_damaged_file_is_told_not_thrown(users: UserFiles, htpasswd: Path, text: bytes) -> None:
    htpasswd.write_text("alice:$2b$04$abc\n")
    htpasswd.with_name("users.ini").write_bytes(text)
    with pytest.raises(GlimpseError):
        users.find("alice")
