import pytest

from glimpse.domain.errors import Invalid, Reserved
from glimpse.domain.properties import KnownProperties, check_custom, check_required, known_schemas

KNOWN = KnownProperties(
    {
        "kernel_id": {"type": ["null", "string"], "pattern": "^k[0-9]+$"},
        "team": {"enum": ["a", "b"]},
        "word": {"type": "string", "minLength": 2, "maxLength": 3, "description": "A word"},
    },
    frozenset({"team", "word"}),
)


@pytest.mark.parametrize(
    ("name", "value"),
    [("kernel_id", None), ("kernel_id", "k1"), ("team", "b"), ("word", "abc"), ("any", "x"), ("any", "")],
)
def test_what_will_do(name: str, value: str | None) -> None:
    assert check_custom(KNOWN, name, value) == value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("kernel_id", "x1"),
        ("kernel_id", 1),
        ("team", "c"),
        ("team", None),
        ("team", []),
        ("word", "a"),
        ("word", "abcd"),
        ("word", "a\0"),
        ("word", None),
        ("any", None),
        ("any", 1),
    ],
)
def test_what_will_not_do(name: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        check_custom(KNOWN, name, value)
    assert refused.value.field == name


def test_names() -> None:
    with pytest.raises(Reserved):
        check_custom(KNOWN, "os_glance_x", "x")


def test_required() -> None:
    check_required(KNOWN, ["word", "team", "more"])
    with pytest.raises(Invalid, match="word"):
        check_required(KNOWN, ["team"])


def test_schemas_for_the_document() -> None:
    assert known_schemas(KNOWN)["team"] == {"enum": ["a", "b"], "is_base": False}
