from typing import Any

import pytest

from glimpse.domain.errors import Invalid, ReadOnly
from glimpse.domain.json_schema import MAX_DEPTH, check_document

SCHEMA: dict[str, Any] = {
    "definitions": {"count": {"type": "integer", "minimum": 0}},
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 3},
        "kind": {"type": "string", "enum": ["a", "b", None]},
        "count": {"$ref": "#/definitions/count"},
        "ratio": {"type": "number"},
        "flag": {"type": "boolean"},
        "made": {"type": "string", "readOnly": True},
        "words": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "parts": {
            "type": "object",
            "maxLength": 2,
            "additionalProperties": {"type": "object", "required": ["x"], "properties": {"x": {}}},
        },
    },
    "additionalProperties": False,
}

NO_COUNTS: tuple[object, ...] = (-1, 1.5, True, "1", None, [])


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "äöü"},
        {"kind": "a", "flag": True},
        *({"count": value} for value in (0, 7, 2**70, 3.0)),
        *({"ratio": value} for value in (0, -1.5, 2**70)),
        {"words": []},
        {"words": ["a", "b"]},
        {"parts": {"a": {"x": None, "y": [1, {"z": 2}]}}},
    ],
    ids=str,
)
def test_what_fits(fields: dict[str, Any]) -> None:
    document = {"name": "n", **fields}
    assert check_document(SCHEMA, document) is document


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "long"}, "name"),
        ({"name": None}, "name"),
        ({"kind": "c"}, "kind"),
        ({"kind": None}, "kind"),
        *(({"count": wrong}, "count") for wrong in NO_COUNTS),
        *(({"ratio": wrong}, "ratio") for wrong in (False, "1", None)),
        ({"flag": 1}, "flag"),
        ({"words": "a"}, "words"),
        ({"words": ["a", 1]}, "words.1"),
        ({"words": ["a", "b", "a"]}, "words"),
        ({"parts": []}, "parts"),
        ({"parts": {"a": {}}}, "parts.a.x"),
        ({"parts": {"abc": {"x": 1}}}, "parts.abc"),
        ({"other": 1}, "other"),
    ],
    ids=str,
)
def test_what_does_not_fit(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as caught:
        check_document(SCHEMA, {"name": "n", **fields})
    assert caught.value.field == field


@pytest.mark.parametrize("document", [None, [], "name", 5, [{"name": "n"}]])
def test_only_objects_are_documents(document: object) -> None:
    with pytest.raises(Invalid):
        check_document(SCHEMA, document)


def test_what_only_the_service_writes() -> None:
    with pytest.raises(ReadOnly) as caught:
        check_document(SCHEMA, {"name": "n", "made": "x"})
    assert caught.value.field == "made"


def test_what_is_required() -> None:
    with pytest.raises(Invalid) as caught:
        check_document(SCHEMA, {})
    assert caught.value.field == "name"


@pytest.mark.parametrize("text", ["\0", "\U0001f600", "\ud800"])
@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text], lambda text: {text: 1}])
def test_what_no_database_keeps(text: str, wrap: Any) -> None:
    with pytest.raises(Invalid):
        check_document(SCHEMA, {"name": "n", "parts": {"a": {"x": wrap(text)}}})


def test_depth() -> None:
    deep: object = 1
    for _ in range(MAX_DEPTH - 3):
        deep = [deep]
    check_document(SCHEMA, {"name": "n", "parts": {"a": {"x": deep}}})
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Invalid):
        check_document(SCHEMA, {"name": "n", "parts": {"a": {"x": deep}}})
