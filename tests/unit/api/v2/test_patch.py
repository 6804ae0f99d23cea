import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from glimpse.api.operations import PATCH_TYPES
from glimpse.api.v2.patch import Step, as_change, read_offers, read_path, read_steps
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.images import edit
from glimpse.catalog.locations import Offer
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, Invalid
from glimpse.domain.image import Image, Location

OLDER, NEWER = PATCH_TYPES

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def newer(op: object, path: object, *value: object) -> dict[str, object]:
    change = {"op": op, "path": path}
    return {**change, "value": value[0]} if value else change


def patch(
    catalog: Catalog, caller: Caller, image: Image, *changes: dict[str, object], media: str = NEWER
) -> Image:
    """What the handler of PATCH does."""
    steps = read_steps(media, list(changes))
    return edit(catalog, caller, image.id, [as_change(catalog, caller, step) for step in steps])


def test_media_types_of_the_api() -> None:
    assert OLDER == "application/openstack-images-v2.0-json-patch"
    assert NEWER == "application/openstack-images-v2.1-json-patch"


def test_the_newer_dialect() -> None:
    steps = read_steps(NEWER, [newer("add", "/a", 1), newer("replace", "/b", None), newer("remove", "/c")])
    assert steps == [
        Step("add", "a", 1, False),
        Step("replace", "b", None, False),
        Step("remove", "c", None, False),
    ]


def test_the_older_dialect() -> None:
    steps = read_steps(OLDER, [{"add": "/a", "value": 1}, {"replace": "/b", "value": 2}, {"remove": "/c"}])
    assert steps == [
        Step("add", "a", 1, True),
        Step("replace", "b", 2, True),
        Step("remove", "c", None, True),
    ]


def test_unknown_keys_of_the_newer_dialect_are_ignored() -> None:
    assert read_steps(NEWER, [{**newer("remove", "/a"), "comment": 5}]) == [Step("remove", "a", None, False)]


@pytest.mark.parametrize("media", PATCH_TYPES)
def test_nothing_to_change(media: str) -> None:
    assert read_steps(media, []) == []


@pytest.mark.parametrize(
    ("media", "document"),
    [
        (NEWER, {}),
        (NEWER, ["x"]),
        (NEWER, [[]]),
        (NEWER, [None]),
        (NEWER, [{}]),
        (NEWER, [{"path": "/a", "value": 1}]),
        (NEWER, [newer("test", "/a", 1)]),
        (NEWER, [newer("move", "/a", 1)]),
        (NEWER, [newer("copy", "/a", 1)]),
        (NEWER, [newer("ADD", "/a", 1)]),
        (NEWER, [newer(None, "/a", 1)]),
        (NEWER, [newer(["add"], "/a", 1)]),
        (NEWER, [newer("add", "/a")]),
        (NEWER, [newer("replace", "/a")]),
        (NEWER, [{"op": "add", "value": 1}]),
        (NEWER, [newer("add", 5, 1)]),
        (NEWER, [newer("add", "/a", 1), newer("add", "b", 1)]),
        (NEWER, [{"add": "/a", "value": 1}]),
        (OLDER, {}),
        (OLDER, ["x"]),
        (OLDER, [{}]),
        (OLDER, [{"value": 1}]),
        (OLDER, [{"add": "/a"}]),
        (OLDER, [{"replace": "/a"}]),
        (OLDER, [{"add": "/a", "remove": "/a", "value": 1}]),
        (OLDER, [{"add": "/a", "replace": "/a", "value": 1}]),
        (OLDER, [{"test": "/a", "value": 1}]),
        (OLDER, [newer("add", "/a", 1)]),
        (OLDER, [{"add": None, "value": 1}]),
    ],
)
def test_what_is_no_patch(media: str, document: object) -> None:
    with pytest.raises(Invalid):
        read_steps(media, document)


@given(st.sampled_from(PATCH_TYPES), JSON)
def test_any_document_is_read_or_refused(media: str, document: object) -> None:
    with contextlib.suppress(Invalid, Forbidden):
        assert all(isinstance(step, Step) for step in read_steps(media, document))


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/name", "name"),
        ("/", ""),
        ("/a~1b", "a/b"),
        ("/a~0b", "a~b"),
        ("/a~01", "a~1"),
        ("/~1~0", "/~"),
        ("/with blank", "with blank"),
        ("/trait:HW", "trait:HW"),
    ],
)
def test_paths(path: str, name: str) -> None:
    assert read_path(path) == (name, None)


@pytest.mark.parametrize(
    "path",
    [
        None,
        5,
        "",
        "name",
        "name/",
        "/name/",
        "//",
        "//name",
        "/a//b",
        "/a~",
        "/a~2",
        "/a~b",
        "/a/b",
        "/a/b/c",
    ],
)
def test_bad_paths(path: object) -> None:
    with pytest.raises(Invalid) as refused:
        read_path(path)
    assert refused.value.field == "path"


@pytest.mark.parametrize("position", ["-", "0", "x"])
def test_locations_have_positions(position: str) -> None:
    assert read_path(f"/locations/{position}") == ("locations", position)


@pytest.mark.parametrize(
    ("operation", "path"),
    [("add", "/locations"), ("remove", "/locations"), ("replace", "/locations/0"), ("add", "/locations/0/1")],
)
def test_how_locations_are_named(operation: str, path: str) -> None:
    with pytest.raises(Invalid) as refused:
        read_steps(NEWER, [newer(operation, path, [])])
    assert refused.value.field == "path"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "http://a/b",
        {"url": "http://a/b"},
        {"url": "a", "metadata": {}},
        {"url": 5, "metadata": {}},
        {"url": "http://a/\U0001f600", "metadata": {}},
        {"url": "http://a/b", "metadata": []},
        {"url": "http://a/b", "metadata": {"store": []}},
        {"url": "http://a/b", "metadata": {}, "status": "active"},
        {"url": "http://a/b", "metadata": {}, "validation_data": []},
        {"url": "http://a/b", "metadata": {}, "validation_data": {"checksum": "0" * 32}},
        {"url": "http://a/b", "metadata": {}, "validation_data": {"x": "y"}},
        {
            "url": "http://a/b",
            "metadata": {},
            "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "0" * 64},
        },
        {
            "url": "http://a/b",
            "metadata": {},
            "validation_data": {"os_hash_algo": "shake_128", "os_hash_value": ""},
        },
    ],
)
def test_bad_locations(value: object) -> None:
    for step in (
        {"op": "add", "path": "/locations/-", "value": value},
        newer("replace", "/locations", [value]),
    ):
        with pytest.raises(Invalid):
            [read_offers(one, "sha512") for one in read_steps(NEWER, [step])]


def test_a_location_with_digests() -> None:
    digests = {"os_hash_algo": "sha512", "os_hash_value": "a" * 128, "checksum": "b" * 32}
    value = {"url": "http://a/b", "metadata": {"a": {"b": 1}}, "validation_data": digests}
    [step] = read_steps(NEWER, [newer("add", "/locations/7", value)])
    assert read_offers(step, "sha512") == [Offer(Location("http://a/b", {"a": {"b": 1}}), digests)]
    with pytest.raises(Conflict):
        read_offers(step, "sha256")
