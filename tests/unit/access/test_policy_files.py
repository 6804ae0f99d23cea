from pathlib import Path

import pytest

from glimpse.access.policy_files import check_policy
from glimpse.config.settings import read_config
from glimpse.domain.errors import Invalid


def check(folder: Path, text: str) -> list[str]:
    (folder / "policy.yaml").write_text(text)
    config = folder / "glimpse.conf"
    config.write_text("[oslo_policy]\npolicy_file = policy.yaml\n")
    return check_policy(read_config([str(config)]))


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ('"get_image": "role:a"\n"get_images": [unclosed\n', 3, "expected"),
        ("- get_image\n", 1, "rules by name"),
        ('"get_image": "role:a"\n\n"get_images": "role:a and"\n', 3, "get_images"),
        ('"get_image": "role"\n', 1, "'role'"),
        ('"get_image": "(role:a or role:b"\n', 1, "get_image"),
        ('"get_image": {"a": "b"}\n', 1, "must be text"),
        ('"a": "rule:b"\n"b": "not rule:a"\n', 1, "refers to itself"),
        ('"context_is_admin": "rule:metadef_admin"\n', 1, "refers to itself"),
        ('{"get_image":\n "role"}', 1, "get_image"),
    ],
)
def test_what_will_not_do_is_named_with_its_line(tmp_path: Path, text: str, line: int, word: str) -> None:
    with pytest.raises(Invalid) as refused:
        check(tmp_path, text)
    assert f"policy.yaml:{line}: " in str(refused.value)
    assert word in str(refused.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing\n",
        '"get_image": "!"\n"get_images": "@"\n"add_image": ""\n"delete_image":\n',
        '"get_image": "not (! or role:b) and \'x\':%(name)s"\n',
        '"get_image": "rule:mine"\n"mine": "role:a or rule:context_is_admin"\n',
        '"get_image": [["role:a"], ["role:b"]]\n',
        '"get_image": "http://policy.example/%(name)s"\n',
    ],
)
def test_what_is_right(tmp_path: Path, text: str) -> None:
    assert check(tmp_path, text) == []


def test_rules_that_nobody_asks_for_are_told(tmp_path: Path) -> None:
    assert check(tmp_path, '"get_imgae": "@"\n"get_image": "rule:mine"\n"mine": "@"\n') == ["get_imgae"]


def test_no_file_is_no_mistake(tmp_path: Path) -> None:
    assert check_policy(read_config([])) == []
    (tmp_path / "policy.yaml").write_bytes(b"\xff\xfe\x00")
    config = tmp_path / "glimpse.conf"
    config.write_text("[oslo_policy]\npolicy_file = policy.yaml\n")
    with pytest.raises(Invalid, match=r"policy\.yaml"):
        check_policy(read_config([str(config)]))
