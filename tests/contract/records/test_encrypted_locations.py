"""The URLs of locations with `metadata_encryption_key`: encrypted in the database, and nowhere else."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import insert, select

from glimpse.catalog.ports import Viewer
from glimpse.catalog.records import Records
from glimpse.domain.image import ImageChange, Location
from glimpse.domain.status import ImageStatus
from glimpse.records import open_records, tables
from glimpse.records.database import Database, connect
from tests.contract.records.making import (
    DATA,
    EVERY_STATUS,
    LATER,
    NOW,
    a_query,
    create,
    write_data,
)

OTHER = Location("http://other/place")
ACTIVE = frozenset({ImageStatus.ACTIVE})


@pytest.fixture
def encrypting(database: Database) -> Iterator[Records]:
    """The records of the same database, with a key."""
    url = database.writer.url.render_as_string(hide_password=False)
    made = connect(url, b"0123456789abcdef")
    yield open_records(made)
    made.close()


def kept(database: Database) -> list[str]:
    with database.writer.begin() as connection:
        return list(connection.execute(select(tables.image_locations.c.value)).scalars())


def test_locations_are_written_and_read(encrypting: Records, database: Database) -> None:
    image = create(encrypting)
    write_data(encrypting, image)
    before = encrypting.images.get(image.id, None).locations
    assert before == (DATA.location,)
    noted = replace(DATA.location, metadata={"store": "elsewhere"})
    change = ImageChange(locations=(before, (noted, OTHER)))
    assert encrypting.images.relocate(image.id, change, ACTIVE, None, "w", 1.0, NOW) == []
    assert encrypting.images.get(image.id, None).locations == (noted, OTHER)
    [listed] = encrypting.images.page(a_query(), Viewer(None, is_admin=True))
    assert listed.locations == (noted, OTHER)
    assert all(":" not in value for value in kept(database))
    [intent] = encrypting.images.relocate(
        image.id, ImageChange(locations=((noted, OTHER), (OTHER,))), ACTIVE, None, "w", 1.0, NOW
    )
    assert intent.target == DATA.location.url
    removed = encrypting.images.delete(image.id, EVERY_STATUS, "w", 1.0, NOW)
    assert [each.target for each in removed] == [OTHER.url]


def test_what_was_written_before_the_key_is_read(
    records: Records, encrypting: Records, database: Database
) -> None:
    image = create(records)
    write_data(records, image)
    change = ImageChange(locations=((DATA.location,), (DATA.location, OTHER)))
    encrypting.images.change(image.id, change, ACTIVE, NOW)
    assert encrypting.images.get(image.id, None).locations == (DATA.location, OTHER)
    assert sorted(":" in value for value in kept(database)) == [False, True]


def test_a_place_that_is_still_named_is_not_removed(encrypting: Records, database: Database) -> None:
    """The same URL is two texts; that they are the same place is known all the same."""
    image = create(encrypting)
    write_data(encrypting, image)
    assert encrypting.deletions.postpone(image.id, NOW)
    assert encrypting.deletions.waiting(image.id, LATER) == [DATA.location]
    with database.writer.begin() as connection:
        row = connection.execute(select(tables.image_locations)).one()._asdict()
        again = {name: value for name, value in row.items() if name != "id"}
        again |= {"value": DATA.location.url, "deleted": False, "deleted_at": None, "status": "active"}
        connection.execute(insert(tables.image_locations), again)
    assert encrypting.deletions.begin(image.id, LATER, "w", 1.0, 0.0) == []
