"""What a patch makes of an image, and what it may not change."""

import pytest

from glimpse.api.operations import PATCH_TYPES
from glimpse.catalog.catalog import Catalog
from glimpse.domain.errors import Conflict, Forbidden, Invalid, LimitExceeded, NotFound, ReadOnly, Reserved
from glimpse.domain.image import Visibility
from glimpse.domain.status import ImageStatus
from tests.unit.api.v2.test_patch import OLDER, newer, patch
from tests.unit.world import ADMIN, MEMBER, MISSING, OTHER, READER, put_in_status, register, reload


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
