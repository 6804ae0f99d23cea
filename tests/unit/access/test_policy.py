import time
from collections.abc import Callable
from pathlib import Path

import pytest

from glimpse.access import policy as module
from glimpse.access.policy import OsloPolicy
from glimpse.access.rules import RULES, rules
from glimpse.config.settings import read_config
from glimpse.domain.caller import Caller
from tests.unit.world import ADMIN, ANONYMOUS, MEMBER, NOBODYS, OTHER, OTHER_READER, READER, ROLELESS

PEOPLE = {
    "reader": READER,
    "member": MEMBER,
    "admin": ADMIN,
    "other": OTHER,
    "other reader": OTHER_READER,
    "nobody's": NOBODYS,
    "anonymous": ANONYMOUS,
    "roleless": ROLELESS,
}

Target = dict[str, object]
OWN: Target = {"project_id": "lab", "owner": "lab", "member_id": None, "visibility": "private"}
SHARED: Target = {**OWN, "visibility": "shared", "member_id": "elsewhere"}
PUBLIC: Target = {**OWN, "visibility": "public"}

OWNER_WRITES = [
    "delete_image",
    "modify_image",
    "communitize_image",
    "upload_image",
    "add_member",
    "delete_member",
    "deactivate",
    "reactivate",
]

ADMINS = [
    "delete_image_location",
    "copy_image",
    "manage_image_cache",
    "list_cached_nodes",
    "cache_image",
    "cache_list",
    "cache_delete",
    "cache_clean",
    "cache_prune",
    "tasks_api_access",
    "fetch_image_location",
    "stores_info_detail",
    "metadef_admin",
    *(
        f"{verb}_metadef_{what}"
        for verb in ("add", "modify", "delete")
        for what in ("namespace", "object", "tag")
    ),
    *(f"{verb}_metadef_property" for verb in ("add", "modify", "remove")),
    *(f"{verb}_metadef_tags" for verb in ("add", "delete")),
    *(f"{verb}_metadef_resource_type_association" for verb in ("add", "remove")),
]
METADEF_READS = [
    *(f"get_metadef_{what}" for what in ("namespace", "object", "objects", "property", "properties")),
    *(f"get_metadef_{what}" for what in ("tag", "tags", "resource_type")),
    "list_metadef_resource_types",
]

# Who may do what to an image of the project "lab", by the table of rules and their defaults.
ALLOWED: list[tuple[str, Target, set[str]]] = [
    *((rule, target, {"member", "admin"}) for rule in OWNER_WRITES for target in (OWN, SHARED, PUBLIC)),
    ("add_image", OWN, {"member", "admin"}),
    ("add_image", {**OWN, "owner": "elsewhere"}, {"admin"}),
    ("publicize_image", OWN, {"admin"}),
    ("context_is_admin", {}, {"admin"}),
    ("get_image", OWN, {"reader", "member", "admin"}),
    ("get_image", PUBLIC, {"reader", "member", "admin", "other", "other reader", "nobody's", "anonymous"}),
    (
        "get_image",
        {**OWN, "visibility": "community"},
        {"reader", "member", "admin", "other", "other reader", "nobody's", "anonymous"},
    ),
    ("get_image", SHARED, {"reader", "member", "admin", "other", "other reader", "nobody's", "anonymous"}),
    ("download_image", OWN, {"member", "admin"}),
    ("download_image", PUBLIC, {"member", "admin", "other", "nobody's"}),
    ("download_image", SHARED, {"member", "admin", "other", "nobody's"}),
    ("get_images", {"project_id": "lab"}, {"reader", "member", "admin"}),
    *((rule, OWN, {"reader", "member", "admin"}) for rule in ("get_member", "get_members")),
    *(
        (rule, SHARED, {"reader", "member", "admin", "other", "other reader"})
        for rule in ("get_member", "get_members")
    ),
    ("modify_member", SHARED, {"admin", "other"}),
    *((rule, OWN, set(PEOPLE)) for rule in ("default", "metadef_default", "copy_from")),
    *((rule, OWN, set(PEOPLE)) for rule in ("get_task", "get_tasks", "add_task", "modify_task")),
    *((rule, OWN, {"admin"}) for rule in ADMINS),
    *(
        (rule, OWN, {"reader", "member", "admin"})
        for rule in ("get_image_location", "get_metadef_namespaces")
    ),
    ("set_image_location", PUBLIC, {"member", "admin"}),
    ("download_from_store", PUBLIC, {"member", "admin", "other", "nobody's"}),
    ("add_image_location", OWN, {"member", "admin"}),
    ("add_image_location", {**OWN, "owner": "elsewhere"}, {"admin"}),
    *((rule, OWN, {"reader", "member", "admin"}) for rule in METADEF_READS),
    *(
        (rule, PUBLIC, {"reader", "member", "admin", "other", "other reader", "nobody's", "anonymous"})
        for rule in METADEF_READS
    ),
    ("a_rule_that_nobody_knows", OWN, set(PEOPLE)),
]


@pytest.mark.parametrize(
    ("rule", "target", "allowed"), ALLOWED, ids=lambda value: value if isinstance(value, str) else ""
)
def test_defaults(policy: OsloPolicy, rule: str, target: Target, allowed: set[str]) -> None:
    assert {name for name, caller in PEOPLE.items() if policy.allows(rule, caller, target)} == allowed


def test_every_rule_is_in_a_table_here() -> None:
    told = {rule for rule, _, _ in ALLOWED} - {"a_rule_that_nobody_knows"}
    assert told | {"service_api"} == set(RULES)
    assert {rule.name for rule in rules()} == set(RULES)


SYSTEM = Caller("sys", None, frozenset({"admin", "member", "reader"}), system_scope="all")
DOMAIN = Caller("dom", None, frozenset({"admin", "member", "reader"}), domain_id="default")


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_for_callers_with_a_project(policy: OsloPolicy, rule: str) -> None:
    for _ in range(2):
        assert not policy.allows(rule, SYSTEM, PUBLIC)
        assert not policy.allows(rule, DOMAIN, PUBLIC)
    assert not policy.is_admin(SYSTEM)
    assert not policy.is_admin(DOMAIN)


def test_roles_of_a_service_that_passes_a_request_on_do_not_count(policy: OsloPolicy) -> None:
    passed_on = Caller("mel", "elsewhere", frozenset(), service_roles=frozenset({"admin", "service"}))
    assert not policy.allows("service_api", passed_on, {})
    assert not policy.allows("get_image", passed_on, PUBLIC)


def test_services(policy: OsloPolicy) -> None:
    assert policy.allows("service_api", Caller(roles=frozenset({"service"})), {})
    assert policy.allows("service_api", ADMIN, {})
    assert not policy.allows("service_api", MEMBER, {})


def test_what_is_unknown_is_not_equal(policy: OsloPolicy) -> None:
    nobodys: Target = {"project_id": None, "owner": None, "member_id": None, "visibility": "public"}
    for project in (None, "None"):
        caller = Caller("eve", project, frozenset({"member", "reader"}))
        for rule in OWNER_WRITES:
            assert not policy.allows(rule, caller, nobodys)


def test_who_is_administrator(policy: OsloPolicy) -> None:
    assert policy.is_admin(Caller("x", "y", frozenset({"admin"})))
    assert not policy.is_admin(MEMBER)


def test_answers_that_are_remembered_are_not_mixed_up(policy: OsloPolicy) -> None:
    for _ in range(2):
        assert policy.allows("modify_image", MEMBER, OWN)
        assert not policy.allows("modify_image", OTHER, OWN)
        assert not policy.allows("modify_image", READER, OWN)
        assert policy.allows("modify_image", OTHER, {**OWN, "project_id": "elsewhere"})


@pytest.fixture
def with_rules(tmp_path: Path) -> Callable[[str], OsloPolicy]:
    def make(text: str) -> OsloPolicy:
        (tmp_path / "policy.yaml").write_text(text)
        config = tmp_path / "glimpse.conf"
        config.write_text(f"[oslo_policy]\npolicy_file = {tmp_path / 'policy.yaml'}\n")
        return OsloPolicy(read_config([str(config)]))

    return make


def test_the_operators_file(with_rules: Callable[[str], OsloPolicy]) -> None:
    policy = with_rules('"publicize_image": "role:member"\n"context_is_admin": "role:boss"\n')
    assert policy.allows("publicize_image", MEMBER, OWN)
    assert not policy.is_admin(ADMIN)
    assert policy.is_admin(Caller(roles=frozenset({"boss"})))
    assert policy.allows("modify_image", MEMBER, OWN)
    assert not policy.allows("modify_image", ADMIN, OWN)


def test_the_old_name_of_a_rule_counts_where_the_file_has_it(with_rules: Callable[[str], OsloPolicy]) -> None:
    policy = with_rules('"manage_image_cache": "role:member"\n')
    assert policy.allows("cache_list", MEMBER, {})


def test_old_defaults_count_on_request_but_others_images_stay_theirs(tmp_path: Path) -> None:
    config = tmp_path / "glimpse.conf"
    config.write_text("[oslo_policy]\nenforce_new_defaults = false\n")
    policy = OsloPolicy(read_config([str(config)]))
    assert policy.allows("get_images", ROLELESS, {"project_id": "lab"})
    assert policy.allows("modify_image", ROLELESS, OWN)
    assert not policy.allows("modify_image", OTHER, OWN)
    assert policy.allows("modify_member", OTHER, SHARED)
    assert not policy.allows("modify_member", MEMBER, SHARED)
    assert not policy.allows("publicize_image", MEMBER, OWN)


def test_json_and_a_folder_of_files(tmp_path: Path) -> None:
    (tmp_path / "policy.json").write_text('{"publicize_image": "role:member", "copy_image": "role:member"}')
    (tmp_path / "more.d").mkdir()
    (tmp_path / "more.d" / "1.yaml").write_text('"copy_image": "role:reader"\n')
    config = tmp_path / "glimpse.conf"
    config.write_text("[oslo_policy]\npolicy_file = policy.json\npolicy_dirs = more.d\n")
    policy = OsloPolicy(read_config([str(config)]))
    assert policy.allows("publicize_image", MEMBER, OWN)
    assert not policy.allows("publicize_image", READER, OWN)
    assert policy.allows("copy_image", READER, OWN)


def test_a_file_that_breaks_later_changes_nothing(
    with_rules: Callable[[str], OsloPolicy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = with_rules('"publicize_image": "role:member"\n')
    (tmp_path / "policy.yaml").write_text('"publicize_image": [unclosed\n')
    later = time.monotonic() + module.REFRESH_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert policy.allows("publicize_image", MEMBER, OWN)
    assert not policy.allows("publicize_image", READER, OWN)


@pytest.mark.parametrize("two", ["rule:one", "not rule:one", "role:a or (role:b and rule:two)"])
def test_a_rule_that_refers_to_itself_is_refused(with_rules: Callable[[str], OsloPolicy], two: str) -> None:
    with pytest.raises(ValueError, match="refers to itself"):
        with_rules(f'"one": "rule:two"\n"two": "{two}"\n')


def test_the_operators_file_may_forbid_everything(with_rules: Callable[[str], OsloPolicy]) -> None:
    policy = with_rules('"get_images": "!"\n"default": "!"\n')
    assert not policy.allows("get_images", ADMIN, {"project_id": "office"})
    assert not policy.allows("unheard_of", ADMIN, {})


def test_a_changed_file_counts_soon(
    with_rules: Callable[[str], OsloPolicy], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policy = with_rules('"publicize_image": "!"\n')
    assert not policy.allows("publicize_image", ADMIN, OWN)
    (tmp_path / "policy.yaml").write_text('"publicize_image": "role:member"\n"one": "more"\n')
    later = time.monotonic() + module.REFRESH_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert policy.allows("publicize_image", MEMBER, OWN)


def test_attributes_that_a_rule_looks_at(policy: OsloPolicy) -> None:
    assert policy.attributes("get_image") == frozenset({"project_id", "member_id", "visibility"})
    assert policy.attributes("add_image") == frozenset({"project_id", "owner"})
    assert policy.attributes("publicize_image") == frozenset()
    assert policy.attributes("default") == frozenset()


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (
            '"get_image": "rule:mine"\n"mine": "project_id:%(owner)s and rule:more"\n'
            '"more": "\'a\':%(name)s"\n',
            {"owner", "name"},
        ),
        ('"get_image": "not \'x\':%(os-type)s"\n', {"os-type"}),
        ('"get_image": "\'x\':%(trait:HW_CPU)s"\n', {"trait:HW_CPU"}),
        ('"get_image": "\'x\':%(a.b)s"\n', {"a.b"}),
        ('"get_image": "rule:of.mine"\n"of.mine": "\'x\':%(name)s"\n', {"name"}),
        ('"get_image": "rule:unheard_of"\n"default": "\'x\':%(name)s"\n', {"name"}),
    ],
)
def test_attributes_of_the_operators_rules(
    with_rules: Callable[[str], OsloPolicy], text: str, names: set[str]
) -> None:
    assert with_rules(text).attributes("get_image") == frozenset(names)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_rule_that_asks_elsewhere_may_look_at_everything(
    with_rules: Callable[[str], OsloPolicy], scheme: str
) -> None:
    policy = with_rules(f'"get_image": "rule:far"\n"far": "{scheme}://policy.example/%(name)s"\n')
    assert policy.attributes("get_image") is None


@pytest.mark.parametrize(
    ("rule", "yes", "no"),
    [
        ("'secret':%(os-type)s", {"os-type": "secret"}, {"os-type": "open"}),
        ("'True':%(protected)s", {"protected": True}, {"protected": False}),
        ("'1':%(min_ram)s", {"min_ram": 1}, {"min_ram": 0}),
        ("'[\\'a\\']':%(tags)s or 'x':%(name)s", {"tags": [], "name": "x"}, {"tags": ["b"], "name": "y"}),
    ],
)
def test_rules_may_ask_about_every_attribute(
    with_rules: Callable[[str], OsloPolicy], rule: str, yes: Target, no: Target
) -> None:
    policy = with_rules(f'"get_image": "{rule}"\n'.replace("\\'", ""))
    for _ in range(2):
        assert policy.allows("get_image", MEMBER, yes)
        assert not policy.allows("get_image", MEMBER, no)
