"""What comes along with an image of another Glance, which is asked by a real request."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson
import pytest

from glimpse.domain.attributes import attribute_table
from glimpse.domain.errors import Conflict, GlimpseError, Invalid, Reserved, Unavailable
from glimpse.domain.image import Image, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.domain.url_rules import Choice, Rules
from glimpse.imports.remote import adopt, headers_for
from glimpse.imports.steps import Draft
from glimpse.stores.outbound import Outbound, Patience
from tests.sources import Handler, Source, serving
from tests.unit.world import MISSING, NOON

LOOPBACK = Rules(hosts=Choice(frozenset({"127.0.0.1"})), ports=Choice())
PREFIXES = ("hw_", "os_distro")
REMOTE: dict[str, Any] = {"status": "active", "disk_format": "qcow2", "container_format": "bare"}


@pytest.fixture
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


def adopted(source: Source, document: object, *prefixes: str, token: str = "t") -> Draft:
    """A draft that has taken what it may of a document."""

    def page(handler: Handler) -> None:
        right = handler.headers.get("X-Auth-Token", "") == "t"
        handler.reply(200 if right else 401, orjson.dumps(document))

    source.pages["/v2/images/one"] = page
    image = Image(MISSING, ImageStatus.IMPORTING, Visibility.SHARED, NOON, NOON)
    draft = Draft(image, frozenset(), "raw", "ovf", {"mine": "1"})
    outbound = Outbound(LOOPBACK, Patience(connect=2, head=2, read=2, retries=0))
    given = {"url": source.url("/v2/images/one"), "token": token}
    adopt(draft, outbound, given, prefixes or PREFIXES, attribute_table())
    return draft


def test_formats_and_chosen_properties(source: Source) -> None:
    more = {"hw_disk_bus": "scsi", "os_distro": "debian", "colour": "red", "hw_count": 5, "name": "disk"}
    draft = adopted(source, {**REMOTE, **more})
    assert (draft.disk_format, draft.container_format) == ("qcow2", "bare")
    assert draft.properties == {"mine": "1", "hw_disk_bus": "scsi", "os_distro": "debian"}


@pytest.mark.parametrize(("told", "size"), [(5, 5), (0, 0), (None, None), ("5", None)])
def test_the_size_that_is_told(source: Source, told: object, size: int | None) -> None:
    source.pages["/sized"] = lambda handler: handler.reply(200, orjson.dumps({**REMOTE, "size": told}))
    image = Image(MISSING, ImageStatus.IMPORTING, Visibility.SHARED, NOON, NOON)
    given = {"url": source.url("/sized")}
    assert adopt(Draft(image, frozenset()), Outbound(LOOPBACK), given, (), attribute_table()) == size


def test_attributes_are_no_properties(source: Source) -> None:
    draft = adopted(source, {**REMOTE, "os_hidden": True, "os_hash_algo": "sha512"}, "os_", "min_")
    assert draft.properties == {"mine": "1"}


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({**REMOTE, "status": "queued"}, Conflict),
        ({**REMOTE, "status": "deactivated"}, Conflict),
        ({}, Conflict),
        ([REMOTE], Invalid),
        ({**REMOTE, "disk_format": "floppy"}, Invalid),
        ({**REMOTE, "container_format": 5}, Invalid),
        ({**REMOTE, "hw_" + "x" * 255: "long"}, Invalid),
        ({**REMOTE, "hw_text": "x" * 70_000}, Invalid),
    ],
)
def test_what_cannot_be_taken(source: Source, document: object, error: type[GlimpseError]) -> None:
    with pytest.raises(error):
        adopted(source, document)


def test_what_is_the_services_own(source: Source) -> None:
    with pytest.raises(Reserved):
        adopted(source, {**REMOTE, "os_glance_import_task": "x"}, "os_")


def test_without_the_right_token(source: Source) -> None:
    with pytest.raises(Invalid, match="401"):
        adopted(source, REMOTE, token="wrong")


def test_one_that_fails(source: Source) -> None:
    source.pages["/down"] = lambda handler: handler.reply(500)
    draft = Draft(Image(MISSING, ImageStatus.IMPORTING, Visibility.SHARED, NOON, NOON), frozenset())
    before = replace(draft)
    outbound = Outbound(LOOPBACK, Patience(connect=2, head=2, read=2, retries=0))
    with pytest.raises(Unavailable):
        adopt(draft, outbound, {"url": source.url("/down")}, PREFIXES, attribute_table())
    assert draft == before


def test_the_token_is_shown_if_there_is_one() -> None:
    assert headers_for({"url": "x", "token": "t"}) == {"X-Auth-Token": "t"}
    assert headers_for({"url": "x", "token": ""}) == headers_for({"url": "x"}) == {}
