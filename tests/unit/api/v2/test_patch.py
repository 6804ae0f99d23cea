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
from glimpse.domain.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound, ReadOnly, Reserved
from glimpse.domain.image import Image, Location, Visibility
from glimpse.domain.status import ImageStatus
from tests.unit.world import ADMIN, MEMBER, MISSING, OTHER, READER, put_in_status, register, reload

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


def test_a_new_property(catalog: Catalog) -> None:
    image = register(catalog)
    patch(catalog, MEMBER, image, newer("add", "/os_distro", "debian"))
    assert reload(catalog, image.id).properties == {"os_distro": "debian"}


def test_add_overwrites_in_the_newer_dialect(catalog: Catalog) -> None:
    image = register(catalog, properties={"a": "1"}, name="old")
    patch(catalog, MEMBER, image, newer("add", "/a", "2"), newer("add", "/name", "new"))
    assert (reload(catalog, image.id).properties, reload(catalog, image.id).name) == ({"a": "2"}, "new")


@pytest.mark.parametrize(("path", "value"), [("/a", "2"), ("/name", "new"), ("/tags", [])])
def test_add_insists_on_absence_in_the_older_dialect(catalog: Catalog, path: str, value: object) -> None:
    image = register(catalog, properties={"a": "1"})
    with pytest.raises(Conflict):
        patch(catalog, MEMBER, image, {"add": path, "value": value}, media=OLDER)
    assert reload(catalog, image.id) == image


def test_add_of_what_is_absent_in_the_older_dialect(catalog: Catalog) -> None:
    image = register(catalog)
    assert patch(catalog, MEMBER, image, {"add": "/a", "value": "1"}, media=OLDER).properties == {"a": "1"}


@pytest.mark.parametrize("media", PATCH_TYPES)
def test_replace_and_remove_insist_on_presence(catalog: Catalog, media: str) -> None:
    image = register(catalog)
    changes = [newer("replace", "/a", "1"), newer("remove", "/a")]
    if media == OLDER:
        changes = [{"replace": "/a", "value": "1"}, {"remove": "/a"}]
    for change in changes:
        with pytest.raises(Conflict):
            patch(catalog, MEMBER, image, change, media=media)


def test_changes_apply_in_order(catalog: Catalog) -> None:
    image = register(catalog, properties={"a": "1"})
    after = patch(
        catalog,
        MEMBER,
        image,
        newer("remove", "/a"),
        newer("add", "/a", "2"),
        newer("replace", "/a", "3"),
        newer("add", "/b", "4"),
        newer("remove", "/b"),
    )
    assert after.properties == {"a": "3"}
    assert reload(catalog, image.id).properties == {"a": "3"}


def test_all_or_nothing(catalog: Catalog) -> None:
    image = register(catalog, name="old")
    with pytest.raises(Conflict):
        patch(catalog, MEMBER, image, newer("replace", "/name", "new"), newer("remove", "/absent"))
    assert reload(catalog, image.id) == image


@pytest.mark.parametrize("name", ["name", "tags", "visibility", "min_ram", "owner", "id", "status"])
def test_base_attributes_cannot_be_removed(catalog: Catalog, name: str) -> None:
    image = register(catalog)
    with pytest.raises(Forbidden):
        patch(catalog, MEMBER, image, newer("remove", f"/{name}"))


READ_ONLY = [
    "status",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
    "size",
    "virtual_size",
    "created_at",
    "updated_at",
    "direct_url",
    "self",
    "file",
    "schema",
]


@pytest.mark.parametrize("op", ["add", "replace"])
def test_read_only_attributes(catalog: Catalog, op: str) -> None:
    image = register(catalog)
    for name in READ_ONLY:
        with pytest.raises(ReadOnly) as refused:
            patch(catalog, MEMBER, image, newer(op, f"/{name}", "x"))
        assert refused.value.field == name


@pytest.mark.parametrize("op", ["add", "replace"])
def test_the_id_stays(catalog: Catalog, op: str) -> None:
    image = register(catalog)
    with pytest.raises((Forbidden, ReadOnly)):
        patch(catalog, ADMIN, image, newer(op, "/id", MISSING))


@pytest.mark.parametrize("op", ["add", "replace", "remove"])
def test_reserved_names(catalog: Catalog, op: str) -> None:
    image = register(catalog)
    for name in ("location", "deleted", "deleted_at", "os_glance_x", "image_id"):
        with pytest.raises(Reserved) as refused:
            patch(catalog, MEMBER, image, newer(op, f"/{name}", "x"))
        assert refused.value.field == name


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", 5),
        ("name", "x" * 256),
        ("visibility", "hidden"),
        ("protected", "true"),
        ("os_hidden", None),
        ("min_ram", -1),
        ("min_disk", 2**31),
        ("disk_format", "floppy"),
        ("tags", "x"),
        ("tags", ["x" * 256]),
        ("os_distro", 5),
        ("os_distro", None),
        ("os_distro", True),
        ("p" * 256, "x"),
        ("os_distro", "\U0001f600"),
    ],
)
def test_values_outside_the_rules(catalog: Catalog, name: str, value: object) -> None:
    image = register(catalog)
    with pytest.raises(Invalid):
        patch(catalog, MEMBER, image, newer("add", f"/{name}", value))
    assert reload(catalog, image.id) == image


@pytest.mark.parametrize("op", ["add", "replace"])
def test_only_administrators_change_owners(catalog: Catalog, op: str) -> None:
    image = register(catalog, name="old")
    with pytest.raises(Forbidden):
        patch(catalog, MEMBER, image, newer("replace", "/name", "new"), newer(op, "/owner", "elsewhere"))
    assert reload(catalog, image.id) == image
    patch(catalog, ADMIN, image, newer(op, "/owner", "elsewhere"))
    assert reload(catalog, image.id).owner == "elsewhere"


@pytest.mark.parametrize("name", ["disk_format", "container_format"])
def test_formats_are_open_while_there_is_no_data(catalog: Catalog, name: str) -> None:
    value = {"disk_format": "qcow2", "container_format": "ova"}[name]
    queued, importing, active, deactivated = (register(catalog) for _ in range(4))
    put_in_status(catalog, importing.id, ImageStatus.IMPORTING)
    put_in_status(catalog, active.id, ImageStatus.ACTIVE)
    put_in_status(catalog, deactivated.id, ImageStatus.ACTIVE, ImageStatus.DEACTIVATED)
    for image in (queued, importing):
        assert getattr(patch(catalog, MEMBER, image, newer("replace", f"/{name}", value)), name) == value
    for image in (active, deactivated):
        for either in (value, getattr(image, name)):
            with pytest.raises(Forbidden):
                patch(catalog, ADMIN, image, newer("replace", f"/{name}", either))


def test_other_attributes_stay_open(catalog: Catalog) -> None:
    image = register(catalog)
    put_in_status(catalog, image.id, ImageStatus.ACTIVE, ImageStatus.DEACTIVATED)
    after = patch(catalog, MEMBER, image, newer("replace", "/min_disk", 5), newer("replace", "/name", "x"))
    assert (after.min_disk, after.name, after.status) == (5, "x", "deactivated")


def test_visibility_asks_its_own_rules(catalog: Catalog) -> None:
    image = register(catalog)
    with pytest.raises(Forbidden, match="publicize_image"):
        patch(catalog, MEMBER, image, newer("replace", "/visibility", "public"))
    assert (
        patch(catalog, MEMBER, image, newer("replace", "/visibility", "community")).visibility == "community"
    )
    assert patch(catalog, ADMIN, image, newer("replace", "/visibility", "public")).visibility == "public"


def test_tags_are_replaced_as_a_whole(catalog: Catalog) -> None:
    image = register(catalog, tags=["a", "b"])
    patch(catalog, MEMBER, image, newer("replace", "/tags", ["b", "c", "c"]))
    assert reload(catalog, image.id).tags == {"b", "c"}


def test_too_many_tags(catalog: Catalog) -> None:
    image = register(catalog)
    with pytest.raises(LimitExceeded) as refused:
        patch(catalog, MEMBER, image, newer("add", "/tags", [str(number) for number in range(129)]))
    assert refused.value.limit == "image_tag_quota"


def test_too_many_properties(catalog: Catalog) -> None:
    image = register(catalog, properties={str(number): "x" for number in range(128)})
    with pytest.raises(LimitExceeded) as refused:
        patch(catalog, MEMBER, image, newer("add", "/one_more", "x"))
    assert refused.value.limit == "image_property_quota"
    patch(catalog, MEMBER, image, newer("remove", "/0"), newer("add", "/one_more", "x"))


def test_who_may_not(catalog: Catalog) -> None:
    change = newer("replace", "/name", "new")
    mine = register(catalog, name="old")
    public = register(catalog, visibility=Visibility.PUBLIC, name="old")
    with pytest.raises(NotFound):
        patch(catalog, OTHER, mine, change)
    with pytest.raises(Forbidden):
        patch(catalog, OTHER, public, change)
    with pytest.raises(Forbidden):
        patch(catalog, READER, mine, change)
    assert reload(catalog, mine.id).name == reload(catalog, public.id).name == "old"


def test_an_empty_patch_needs_no_more_than_to_see(catalog: Catalog) -> None:
    public = register(catalog, visibility=Visibility.PUBLIC)
    assert patch(catalog, OTHER, public).id == public.id


def test_the_property_with_the_empty_name(catalog: Catalog) -> None:
    image = register(catalog)
    assert patch(catalog, MEMBER, image, newer("add", "/", "x")).properties == {"": "x"}
