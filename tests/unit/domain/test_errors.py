import inspect
import re
from collections.abc import Iterator

import pytest

from glimpse.domain import errors
from glimpse.domain.errors import GlimpseError

TREE = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, GlimpseError)]

TEXTS: list[tuple[GlimpseError, str, list[str]]] = [
    (errors.GlimpseError(), "error", []),
    (errors.Invalid("min_ram", "it is negative"), "invalid", ["min_ram", "it is negative"]),
    (errors.SizeMismatch(10, 7), "size-mismatch", ["10", "only 7"]),
    (errors.SizeMismatch(10, 12), "size-mismatch", ["10", "more than 12"]),
    (errors.ChecksumMismatch("a1", "b2"), "checksum-mismatch", ["a1", "b2"]),
    (errors.SignatureInvalid("not that data"), "signature-invalid", ["not that data"]),
    (errors.Unauthenticated(), "unauthenticated", ["could not verify"]),
    (errors.Unauthenticated("token expired"), "unauthenticated", ["token expired"]),
    (errors.Forbidden("not yours"), "forbidden", ["not yours"]),
    (errors.ReadOnly("status"), "read-only", ["status", "read-only"]),
    (errors.Reserved("deleted"), "reserved", ["deleted", "reserved"]),
    (errors.NotFound("image", "42"), "not-found", ["image", "42"]),
    (errors.Conflict("not queued"), "conflict", ["not queued"]),
    (errors.Duplicate("taken"), "duplicate", ["taken"]),
    (errors.StoreObjectInUse("a clone"), "store-object-in-use", ["a clone"]),
    (errors.NotEnabled("image cache"), "not-enabled", ["image cache"]),
    (errors.Gone("deleted meanwhile"), "gone", ["deleted meanwhile"]),
    (
        errors.LimitExceeded("image_tag_quota", 3, 4),
        "limit-exceeded",
        ["image_tag_quota", "3", "attempted 4"],
    ),
    (
        errors.LimitExceeded("image_size_cap", 9, None, "bytes"),
        "limit-exceeded",
        ["image_size_cap", "9 bytes"],
    ),
    (errors.UnsupportedContent("no qcow2"), "unsupported-content", ["no qcow2"]),
    (errors.RangeNotSatisfiable(5, "bytes=9-"), "range-not-satisfiable", ["5", "bytes=9-"]),
    (errors.TooManyAttempts(5), "too-many-attempts", ["5 s"]),
    (errors.Unavailable("database", "no answer"), "unavailable", ["database", "no answer"]),
]


@pytest.mark.parametrize(("error", "code", "parts"), TEXTS, ids=lambda value: str(value)[:30])
def test_code_and_text(error: GlimpseError, code: str, parts: list[str]) -> None:
    assert error.code == code
    for part in parts:
        assert part in str(error)


def test_every_error_of_the_tree_is_in_the_table_above() -> None:
    assert {type(error) for error, _, _ in TEXTS} == set(TREE)


def test_codes_are_unique() -> None:
    codes = [kind.code for kind in TREE]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", code) for code in codes)


def test_a_text_without_attempt_or_unit_says_neither() -> None:
    assert str(errors.LimitExceeded("x", 1)) == "The limit x of 1 would be exceeded"


def _drawing() -> Iterator[tuple[str, str | None]]:
    """The pairs of class and parent that the module's docstring draws."""
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)([A-Z]\w+)(?: {2,}\S|$)", line)
        if match:
            depth = len(match[1]) // 4
            path[depth:] = [match[2]]
            yield match[2], path[depth - 1] if depth else None


def test_the_drawing_shows_the_tree() -> None:
    drawn = list(_drawing())
    real = [(kind.__name__, kind.__base__.__name__ if kind.__base__ else None) for kind in TREE]
    parents = {name: None if name == "GlimpseError" else parent for name, parent in real}
    assert sorted(drawn, key=str) == sorted(parents.items(), key=str)


def test_errors_are_told_apart_by_identity() -> None:
    assert errors.Conflict("x") != errors.Conflict("x")
    assert len({errors.Conflict("x"), errors.Conflict("x")}) == 2
