from pathlib import Path

import pytest

from glimpse.access.policy import OsloPolicy
from glimpse.access.protection import OPERATIONS, PropertyProtection, read_protection
from glimpse.config.settings import read_config
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid
from tests.unit.world import ADMIN, MEMBER, OTHER, READER, ROLELESS

OPEN = "create = @\nread = @\nupdate = @\ndelete = @\n"


def protection(folder: Path, text: str, rule_format: str = "roles") -> PropertyProtection:
    (folder / "protection.conf").write_text(text)
    config = folder / "glimpse.conf"
    config.write_text(
        "[DEFAULT]\nproperty_protection_file = protection.conf\n"
        f"property_protection_rule_format = {rule_format}\n"
    )
    parsed = read_config([str(config)])
    made = read_protection(parsed, OsloPolicy(parsed))
    assert made is not None
    return made


def test_without_a_file_there_is_none() -> None:
    config = read_config([])
    assert read_protection(config, OsloPolicy(config)) is None


def test_roles(tmp_path: Path) -> None:
    rules = protection(
        tmp_path,
        "[^x_]\ncreate = Admin, member\nread = @\nupdate = admin\ndelete = !\n"
        f"[billing]\ncreate = biller\nread =\nupdate = @,member\ndelete = admin\n[^z$]\n{OPEN}",
    )
    people = {"admin": ADMIN, "member": MEMBER, "reader": READER, "roleless": ROLELESS}

    def allowed(operation: str, name: str) -> set[str]:
        return {who for who, caller in people.items() if rules.allows(operation, name, caller)}

    assert allowed("create", "x_billing") == {"admin", "member"}, "the first section decides"
    assert allowed("read", "x_1") == set(people)
    assert allowed("update", "x_1") == {"admin"}
    assert allowed("delete", "x_1") == set()
    assert allowed("read", "my_billing") == set()
    assert allowed("update", "my_billing") == set(people)
    assert [allowed(operation, "z") for operation in OPERATIONS] == [set(people)] * 4
    assert [allowed(operation, "zz") for operation in OPERATIONS] == [set()] * 4, "fits no section"
    service = Caller("mel", "lab", frozenset(), service_roles=frozenset({"biller"}))
    assert rules.allows("create", "billing", service)


def test_the_services_own_properties_are_open(tmp_path: Path) -> None:
    closed = "create = !\nread = !\nupdate = !\ndelete = !\n"
    rules = protection(tmp_path, f"[^os_glance]\n{closed}[.*]\n{closed}")
    assert rules.allows("read", "os_glance_failed_import", OTHER)
    assert not rules.allows("read", "x_os_glance", ADMIN)


def test_policies(tmp_path: Path) -> None:
    text = "[.*]\ncreate = context_is_admin\nread = @\nupdate = mine\ndelete = !\n"
    (tmp_path / "policy.yaml").write_text('"mine": "role:reader"\n')
    rules = protection(tmp_path, text, "policies")
    assert rules.allows("create", "a", ADMIN)
    assert not rules.allows("create", "a", MEMBER)
    assert rules.allows("read", "a", ROLELESS)
    assert rules.allows("update", "a", READER)
    assert not rules.allows("update", "a", ROLELESS)
    assert not rules.allows("delete", "a", ADMIN)


@pytest.mark.parametrize(
    ("text", "rule_format", "words"),
    [
        ("[a\n", "roles", ["protection.conf"]),
        ("[(]\n" + OPEN, "roles", ["[(]", "regular expression"]),
        ("[a]\ncreate = @\nread = @\nupdate = @\n", "roles", ["[a]", "delete"]),
        ("[a]\ncreate = @,!\n", "roles", ["[a]", "create", "exclude"]),
        ("[a]\ncreate = one, two\n", "policies", ["[a]", "create", "one policy rule"]),
        ("[a]\ncreate = unheard_of\n", "policies", ["[a]", "create", "unheard_of"]),
        (f"[a]\n{OPEN}[a]\n{OPEN}", "roles", ["protection.conf", "a"]),
    ],
)
def test_what_will_not_do(tmp_path: Path, text: str, rule_format: str, words: list[str]) -> None:
    with pytest.raises(Invalid) as refused:
        protection(tmp_path, text, rule_format)
    assert refused.value.field == "property_protection_file"
    assert all(word in str(refused.value) for word in words)


def test_a_missing_file(tmp_path: Path) -> None:
    config = tmp_path / "glimpse.conf"
    config.write_text("[DEFAULT]\nproperty_protection_file = absent.conf\n")
    parsed = read_config([str(config)])
    with pytest.raises(Invalid, match=r"absent\.conf"):
        read_protection(parsed, OsloPolicy(parsed))
