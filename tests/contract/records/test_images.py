from contextlib import suppress
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from glimpse.catalog.ports import Charge, Intent, IntentKind, Viewer
from glimpse.catalog.records import Records
from glimpse.domain.errors import Conflict, Duplicate, Invalid, LimitExceeded, NotFound
from glimpse.domain.image import ImageChange, Location, MemberStatus, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.records import tables
from glimpse.records.database import Database
from tests.contract.records.making import (
    EVERY_STATUS,
    LATER,
    NOW,
    a_query,
    an_intent,
    create,
    share,
    write_data,
)

QUEUED = frozenset({ImageStatus.QUEUED})


def test_an_image_comes_back_as_it_was_created(records: Records) -> None:
    image = create(
        records,
        name='quotes " and \\ and \u00fc',
        visibility=Visibility.PRIVATE,
        disk_format="qcow2",
        container_format="bare",
        min_ram=512,
        min_disk=20,
        protected=True,
        os_hidden=True,
        properties={"k": "v", "empty": "", 'a "key"': "line\nbreak", "nothing": None},
        tags=frozenset({"a", 'b "c"', "\u20ac"}),
    )
    assert records.images.get(image.id, "mine") == image


def test_a_bare_image_comes_back(records: Records) -> None:
    image = create(records, owner=None)
    assert records.images.get(image.id, None) == image


def test_large_sizes_and_long_property_values(records: Records) -> None:
    image = create(records, size=2**62, virtual_size=2**62, properties={"long": "x" * 60_000})
    assert records.images.get(image.id, None) == image


def test_many_properties_are_not_cut_off(records: Records) -> None:
    image = create(records, properties={f"p{number}": "x" * 50_000 for number in range(30)})
    assert records.images.get(image.id, None) == image


def test_an_id_is_taken_once(records: Records) -> None:
    image = create(records)
    with pytest.raises(Duplicate):
        create(records, id=image.id)


def test_the_id_of_a_deleted_image_stays_taken(records: Records) -> None:
    image = create(records)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)
    with pytest.raises(Duplicate):
        create(records, id=image.id)


def test_a_create_that_fails_leaves_nothing(records: Records) -> None:
    image = create(records, properties={"k": "v"})
    with pytest.raises(Duplicate):
        create(records, id=image.id, properties={"other": "v"}, tags=frozenset({"t"}))
    assert records.images.get(image.id, None) == image


def test_get_knows_only_what_is_there(records: Records) -> None:
    image = create(records, id="aaaaaaaa-0000-4000-8000-000000000000")
    for wrong in ("no such id", image.id.upper(), image.id + " ", ""):
        with pytest.raises(NotFound) as caught:
            records.images.get(wrong, "mine")
        assert caught.value.name == wrong


def test_get_tells_whether_the_project_is_a_member(records: Records) -> None:
    image, other = create(records), create(records)
    share(records, image, "guest", MemberStatus.REJECTED)
    assert records.images.get(image.id, "guest").member == "guest"
    assert records.images.get(image.id, "Guest").member is None
    assert records.images.get(image.id, "mine").member is None
    assert records.images.get(image.id, None).member is None
    assert records.images.get(other.id, "guest").member is None


def test_get_finds_deleted_images_only_on_demand(records: Records) -> None:
    image = create(records, properties={"k": "v"}, tags=frozenset({"t"}))
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, LATER)
    with pytest.raises(NotFound):
        records.images.get(image.id, None)
    gone = records.images.get(image.id, None, deleted=True)
    assert gone.status is ImageStatus.DELETED
    assert gone.updated_at == LATER
    assert not gone.properties


def test_only_active_locations_show(records: Records, database: Database) -> None:
    image = create(records)
    write_data(records, image)
    row = {"image_id": image.id, "created_at": NOW, "deleted": False, "meta_data": "no JSON"}
    with database.writer.begin() as connection:
        connection.execute(
            tables.image_locations.insert(),
            [
                row | {"value": "file:///pending", "status": "pending_delete"},
                row | {"value": "file:///deleted", "status": "active", "deleted": True},
                row | {"value": "file:///second", "status": "active"},
            ],
        )
    locations = records.images.get(image.id, None).locations
    assert locations == (Location("file:///images/1", {"store": "file"}), Location("file:///second", {}))


def test_an_image_that_was_never_updated_counts_as_updated_at_its_creation(
    records: Records, database: Database
) -> None:
    image = create(records)
    with database.writer.begin() as connection:
        connection.execute(update(tables.images).values(updated_at=None))
    assert records.images.get(image.id, None).updated_at == image.created_at


def test_change_writes_what_it_names_and_nothing_else(records: Records) -> None:
    image = create(
        records, name="old", min_ram=1, properties={"a": "1", "b": "2", "c": "3"}, tags=frozenset({"x", "y"})
    )
    change = ImageChange(
        columns={"name": "new", "visibility": Visibility.PUBLIC, "protected": True},
        properties={"a": "changed", "d": None},
        dropped=frozenset({"b", "absent"}),
        tags_added=frozenset({"z", "x"}),
        tags_removed=frozenset({"y", "absent"}),
    )
    records.images.change(image.id, change, QUEUED, LATER)
    after = records.images.get(image.id, None)
    assert (after.name, after.visibility, after.protected, after.min_ram) == ("new", "public", True, 1)
    assert after.properties == {"a": "changed", "c": "3", "d": None}
    assert after.tags == {"x", "z"}
    assert (after.created_at, after.updated_at) == (NOW, LATER)


def test_dropped_properties_and_tags_can_come_back(records: Records, database: Database) -> None:
    image = create(records, properties={"k": "first"}, tags=frozenset({"t"}))
    gone = ImageChange(dropped=frozenset({"k"}), tags_removed=frozenset({"t"}))
    back = ImageChange(properties={"k": "second"}, tags_added=frozenset({"t"}))
    for _ in range(3):
        records.images.change(image.id, gone, QUEUED, NOW)
        assert not records.images.get(image.id, None).properties
        assert not records.images.get(image.id, None).tags
        records.images.change(image.id, back, QUEUED, NOW)
    after = records.images.get(image.id, None)
    assert after.properties == {"k": "second"}
    assert after.tags == {"t"}
    with database.writer.begin() as connection:
        assert len(connection.execute(select(tables.image_tags)).all()) == 1


def test_change_is_refused_in_another_status(records: Records) -> None:
    image = create(records, status=ImageStatus.ACTIVE, properties={"k": "v"})
    with pytest.raises(Conflict):
        records.images.change(image.id, ImageChange({"name": "n"}, {"k": "w"}), QUEUED, LATER)
    assert records.images.get(image.id, None) == image


def test_change_of_an_image_that_is_gone(records: Records) -> None:
    image = create(records)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)
    for image_id in (image.id, "unknown"):
        with pytest.raises(NotFound):
            records.images.change(image_id, ImageChange({"name": "n"}), EVERY_STATUS, NOW)


def test_move_goes_only_from_its_sources(records: Records) -> None:
    image = create(records)
    records.images.move(image.id, QUEUED, ImageStatus.SAVING, LATER)
    assert records.images.get(image.id, None).status is ImageStatus.SAVING
    assert records.images.get(image.id, None).updated_at == LATER
    with pytest.raises(Conflict):
        records.images.move(image.id, QUEUED, ImageStatus.SAVING, LATER)
    with pytest.raises(NotFound):
        records.images.move("unknown", QUEUED, ImageStatus.SAVING, LATER)


def test_delete_marks_everything_with_the_same_time(records: Records, database: Database) -> None:
    image = create(records, properties={"k": "v"}, tags=frozenset({"t"}))
    write_data(records, image)
    share(records, image, "guest")
    (intent,) = records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, LATER)
    assert intent == an_intent(
        image, id=intent.id, kind=IntentKind.DELETE, target=intent.target, project_id=None
    )
    assert intent.target == "file:///images/1"
    with database.writer.begin() as connection:
        for table in (
            tables.images,
            tables.image_properties,
            tables.image_tags,
            tables.image_members,
            tables.image_locations,
        ):
            row = connection.execute(select(table.c.deleted, table.c.deleted_at)).one()
            assert tuple(row) == (True, LATER), table.name
        assert connection.execute(select(tables.images.c.status)).scalar_one() == "deleted"
        assert connection.execute(select(tables.image_locations.c.status)).scalar_one() == "deleted"
    assert records.intents.expired(2000, 10) == [intent]


def test_delete_is_refused(records: Records) -> None:
    protected, saving = create(records, protected=True), create(records, status=ImageStatus.SAVING)
    for image in (protected, saving):
        with pytest.raises(Conflict):
            records.images.delete(image.id, QUEUED, "w", 1000.125, LATER)
        assert records.images.get(image.id, None) == image
    with pytest.raises(NotFound):
        records.images.delete("unknown", QUEUED, "w", 1000.125, LATER)
    assert records.intents.expired(2000, 10) == []


def test_delete_twice(records: Records) -> None:
    image = create(records)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)
    with pytest.raises(NotFound):
        records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)


def test_usage_counts_size_times_locations(records: Records, database: Database) -> None:
    first, second = create(records), create(records)
    for image in (first, second, create(records, owner="theirs")):
        write_data(records, image)
    row = {"image_id": first.id, "value": "x", "status": "active", "created_at": NOW}
    with database.writer.begin() as connection:
        connection.execute(
            tables.image_locations.insert(), [row | {"deleted": deleted} for deleted in (False, True)]
        )
    assert records.images.usage("mine") == 7 * 2 + 7
    assert records.images.usage("nobody") == 0


def test_usage_forgets_deleted_and_killed_images_and_counts_reservations(records: Records) -> None:
    for status in (ImageStatus.KILLED, ImageStatus.DELETED, ImageStatus.PENDING_DELETE):
        image = create(records)
        write_data(records, image)
        records.images.move(image.id, EVERY_STATUS, status, NOW)
    records.intents.begin_write(an_intent(create(records), reserved_bytes=100), None, NOW)
    assert records.images.usage("mine") == 100


@pytest.mark.parametrize(
    "fields",
    [{"size": 2**70}, {"min_ram": 2**70}, {"name": "lone \ud800 surrogate"}],
    ids=["size", "min_ram", "surrogate"],
)
def test_values_that_do_not_fit_are_refused(records: Records, fields: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        create(records, **fields)
    assert records.images.page(a_query(), Viewer(None, is_admin=True)) == []


@pytest.mark.parametrize("text", ["nul \0 byte", "beyond \U0001f600 the plane", "x" * 300])
def test_odd_texts_are_kept_or_refused(records: Records, text: str) -> None:
    try:
        image = create(records, name=text)
    except Invalid:
        assert records.images.page(a_query(), Viewer(None, is_admin=True)) == []
    else:
        assert records.images.get(image.id, None) == image


@pytest.mark.parametrize("text", ["nul \0 byte", "beyond \U0001f600 the plane", "x" * 300])
def test_odd_texts_in_a_filter_find_nothing_or_are_refused(records: Records, text: str) -> None:
    create(records, name="plain")
    query = a_query(properties=(("k", text),), tags=(text,))
    with suppress(Invalid):
        assert records.images.page(query, Viewer("mine")) == []


def test_property_names_that_differ_in_case(records: Records) -> None:
    """Kept apart, or refused where the tables of Glance cannot keep them apart; never mixed up."""
    properties = {"name_of_it": "lower", "Name_of_it": "upper"}
    try:
        image = create(records, properties=properties)
    except Invalid:
        image = create(records, properties={"name_of_it": "lower"})
        with pytest.raises(Invalid):
            records.images.change(image.id, ImageChange(properties={"Name_of_it": "upper"}), QUEUED, NOW)
        properties = {"name_of_it": "lower"}
    assert records.images.get(image.id, None).properties == properties


def test_times_are_kept_to_the_second(records: Records) -> None:
    image = create(records, created_at=NOW - timedelta(seconds=1), updated_at=NOW)
    assert records.images.get(image.id, None) == image


def test_locations_are_added_and_dropped(records: Records) -> None:
    image = create(records)
    write_data(records, image)
    [first] = records.images.get(image.id, None).locations
    second, third = Location("http://a/b", {"note": {"a": [1]}}), Location("http://a/c")

    def relocate(before: tuple[Location, ...], after: tuple[Location, ...]) -> list[Intent]:
        change = ImageChange(locations=(before, after))
        active = frozenset({ImageStatus.ACTIVE})
        return records.images.relocate(image.id, change, active, None, "w", 1000.0, LATER)

    assert relocate((first,), (first, second, third)) == []
    assert records.images.get(image.id, None).locations == (first, second, third)
    with pytest.raises(Conflict):
        relocate((first,), (first, Location("http://late")))
    [removal] = relocate((first, second, third), (second, third))
    assert (removal.kind, removal.target) == (IntentKind.DELETE, first.url)
    assert removal.store == first.metadata["store"]
    # The bytes at a URL stay as long as the image has it, whatever is noted about it.
    noted = Location(third.url, {"note": "x"})
    assert relocate((second, third), (second, noted)) == []
    assert records.images.get(image.id, None).locations == (second, noted)
    other = Location(second.url, {"note": "y"})
    assert relocate((second, noted), (other, noted)) == []
    assert records.images.get(image.id, None).locations == (other, noted)
    assert records.images.get(image.id, None).updated_at == LATER


def test_locations_must_fit_the_quota(records: Records) -> None:
    image = create(records)
    write_data(records, image)
    before = records.images.get(image.id, None)
    change = ImageChange(locations=(before.locations, (*before.locations, Location("http://a/b"))))
    size = before.size or 0

    def relocate(quota: int) -> None:
        charge = Charge("mine", quota)
        records.images.relocate(image.id, change, frozenset({before.status}), charge, "w", 1.0, LATER)

    with pytest.raises(LimitExceeded):
        relocate(2 * size - 1)
    assert records.images.get(image.id, None).locations == before.locations
    relocate(2 * size)
    assert records.images.usage("mine") == 2 * size
