from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from glimpse.domain.image import EDITABLE, Image, ImageChange, Location, Visibility, difference
from glimpse.domain.status import ImageStatus
from tests.unit.world import MISSING, NOON

WORDS = st.sampled_from(["a", "b", "c", "d"])

IMAGES = st.builds(
    Image,
    id=st.just(MISSING),
    status=st.just(ImageStatus.QUEUED),
    visibility=st.sampled_from(Visibility),
    created_at=st.just(NOON),
    updated_at=st.just(NOON),
    name=st.none() | WORDS,
    disk_format=st.none() | WORDS,
    container_format=st.none() | WORDS,
    min_ram=st.integers(0, 2),
    min_disk=st.integers(0, 2),
    owner=st.none() | WORDS,
    protected=st.booleans(),
    os_hidden=st.booleans(),
    properties=st.dictionaries(WORDS, st.none() | WORDS),
    tags=st.frozensets(WORDS),
)


def apply(change: ImageChange, image: Image) -> Image:
    """What a database does with a change."""
    properties = {
        k: v for k, v in {**image.properties, **change.properties}.items() if k not in change.dropped
    }
    tags = (image.tags | change.tags_added) - change.tags_removed
    changed = replace(image, properties=properties, tags=tags)
    return replace(changed, **change.columns)  # type: ignore[arg-type]


@given(IMAGES, IMAGES)
def test_applying_the_difference_gives_the_target(before: Image, after: Image) -> None:
    assert apply(difference(before, after), before) == after


@given(IMAGES, IMAGES)
def test_the_difference_names_nothing_that_is_the_same(before: Image, after: Image) -> None:
    change = difference(before, after)
    for name, value in change.columns.items():
        assert getattr(before, name) != value
    for name, text in change.properties.items():
        assert name not in before.properties or before.properties[name] != text
    assert change.dropped <= before.properties.keys()
    assert not change.tags_added & before.tags
    assert change.tags_removed <= before.tags


@given(IMAGES)
def test_no_difference_is_false(image: Image) -> None:
    assert not difference(image, image)
    assert not ImageChange()


def test_each_part_makes_a_change_true() -> None:
    assert ImageChange(columns={"name": None})
    assert ImageChange(properties={"a": None})
    assert ImageChange(dropped=frozenset({"a"}))
    assert ImageChange(tags_added=frozenset({"a"}))
    assert ImageChange(tags_removed=frozenset({"a"}))


@given(IMAGES)
def test_what_the_service_writes_is_no_difference(image: Image) -> None:
    other = replace(
        image,
        updated_at=NOON + timedelta(days=1),
        virtual_size=5,
        member="lab",
    )
    assert not difference(image, other)


@given(IMAGES)
def test_other_locations_are_a_difference(image: Image) -> None:
    other = replace(image, locations=(*image.locations, Location("http://a/b")))
    assert difference(image, other) == ImageChange(locations=(image.locations, other.locations))


def test_editable_are_the_attributes_that_an_edit_may_change() -> None:
    assert set(EDITABLE) == {
        "name",
        "disk_format",
        "container_format",
        "visibility",
        "min_ram",
        "min_disk",
        "owner",
        "protected",
        "os_hidden",
        "status",
        "size",
        "checksum",
        "os_hash_algo",
        "os_hash_value",
    }
