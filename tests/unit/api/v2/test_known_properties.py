"""Well-known properties on their way in and out."""

from dataclasses import replace

import pytest

from glimpse.api.v2.documents import read_draft
from glimpse.api.v2.schemas import image_schema, images_schema
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.edits import removing, setting
from glimpse.catalog.images import Draft, create, edit, show
from glimpse.domain.attributes import attribute_table
from glimpse.domain.errors import Invalid
from glimpse.domain.properties import KnownProperties
from tests.unit.world import MEMBER

KNOWN = KnownProperties(
    {"team": {"enum": ["a", "b"]}, "kernel_id": {"type": ["null", "string"]}}, frozenset({"team"})
)
TABLE = attribute_table()


def test_create() -> None:
    document = {"team": "a", "kernel_id": None, "more": "x"}
    assert read_draft(TABLE, document, KNOWN) == Draft({}, document)


@pytest.mark.parametrize("document", [{}, {"team": "c"}, {"team": None}, {"team": "a", "more": None}])
def test_create_refused(document: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        read_draft(TABLE, document, KNOWN)


def test_edit(catalog: Catalog) -> None:
    catalog = replace(catalog, known=KNOWN)
    image = create(catalog, MEMBER, Draft({}, {"team": "a"}))
    edit(catalog, MEMBER, image.id, [setting(catalog, MEMBER, "kernel_id", None)])
    assert show(catalog, MEMBER, image.id).properties == {"team": "a", "kernel_id": None}
    with pytest.raises(Invalid, match="team"):
        setting(catalog, MEMBER, "team", "c")
    edit(catalog, MEMBER, image.id, [removing(catalog, MEMBER, "team")])
    assert "team" not in show(catalog, MEMBER, image.id).properties


def test_schemas() -> None:
    image = image_schema(TABLE, KNOWN)
    assert image["properties"]["team"] == {"enum": ["a", "b"], "is_base": False}
    assert image["properties"].keys() == TABLE.keys() | {"team", "kernel_id"}
    assert images_schema(TABLE, KNOWN)["properties"]["images"]["items"] == image
