from dataclasses import make_dataclass
from datetime import datetime

import pytest

from glimpse.catalog.ports import Condition, Operator, PageQuery, SortKey, Viewer
from glimpse.domain import errors
from glimpse.domain.errors import Invalid
from glimpse.domain.image import Image, Location, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.registry.wire import (
    CALLS,
    PORTS,
    Call,
    decode_arguments,
    decode_error,
    decode_result,
    encode_arguments,
    encode_error,
    encode_result,
)

NOW = datetime.fromisoformat("2026-01-02T03:04:05")
GET = PORTS["images"]["get"]
PAGE = PORTS["images"]["page"]
IMAGE = Image(
    "i",
    ImageStatus.ACTIVE,
    Visibility.SHARED,
    NOW,
    NOW,
    properties={"a": None, "b": "ü"},
    tags=frozenset({"x", "y"}),
    locations=(Location("file:///x", {"store": "s", "more": [1, {"$": None}]}),),
)


def test_paths_are_unique() -> None:
    assert len(CALLS) == sum(map(len, PORTS.values()))


def test_an_image() -> None:
    assert decode_result(GET, encode_result(GET, IMAGE)) == IMAGE


@pytest.mark.parametrize("visibility", [None, "all", Visibility.PUBLIC])
@pytest.mark.parametrize("value", [NOW, ("a", "b"), "2026-01-02T03:04:05", 7, True, None])
def test_values_of_any_type(visibility: Visibility | str | None, value: object) -> None:
    conditions = (Condition("name", Operator.EQUAL, value),)
    query = PageQuery((SortKey("id"),), 5, visibility=visibility, conditions=conditions, marker=IMAGE)
    said = PAGE.arguments(query, Viewer("p"))
    heard = decode_arguments(PAGE, encode_arguments(PAGE, said))
    assert heard == said
    assert type(heard.query.visibility) is type(visibility)  # type: ignore[attr-defined]


@pytest.mark.parametrize("image_id", ["\ud800", 2**70])
def test_what_has_no_form(image_id: object) -> None:
    with pytest.raises(Invalid):
        encode_arguments(GET, GET.arguments(image_id, None))


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"{}", b'{"query": 5, "viewer": null}'])
def test_a_body_that_is_none(body: bytes) -> None:
    with pytest.raises(Invalid, match=r"images\.page"):
        decode_arguments(PAGE, body)


@pytest.mark.parametrize(
    "error",
    [
        errors.NotFound("image", "x"),
        errors.LimitExceeded("quota", 5, 6, "MiB"),
        errors.Duplicate("taken"),
        errors.Unavailable("database", "away"),
    ],
)
def test_errors(error: errors.GlimpseError) -> None:
    heard = decode_error(encode_error(error))
    assert type(heard) is type(error)
    assert vars(heard) == vars(error)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"error": "os", "fields": {}}', b'{"error": "NotFound"}'])
def test_no_error(body: bytes) -> None:
    with pytest.raises(ValueError, match="Error"):
        decode_error(body)


def test_another_type_is_another_call() -> None:
    def path(*fields: tuple[str, object], result: object = None) -> str:
        return Call("a", "b", make_dataclass("A", fields), result).path

    ways = [path(("x", int)), path(("x", str)), path(("y", int)), path(("x", int), result=Image)]
    assert len(set(ways)) == 4
    assert path(("x", int)) == ways[0]
