"""Lists of images: who finds which, and how pages lead to each other."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from glimpse.catalog import images
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.members import answer
from glimpse.catalog.ports import PageQuery, SortKey
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, Invalid
from glimpse.domain.image import MemberStatus, Visibility
from tests.unit.catalog.test_images import WORKER, share
from tests.unit.world import (
    ADMIN,
    MEMBER,
    MISSING,
    NOBODYS,
    OTHER,
    READER,
    ROLELESS,
    Clock,
    register,
)

NEWEST_FIRST = PageQuery(sort=(SortKey("created_at"), SortKey("id")), limit=25)


def names(catalog: Catalog, caller: Caller, query: PageQuery = NEWEST_FIRST) -> list[str | None]:
    return [image.name for image in images.page(catalog, caller, query).images]


def test_lists(catalog: Catalog, clock: Clock) -> None:
    for number, visibility in enumerate(Visibility):
        register(catalog, visibility=visibility, name=f"lab {visibility}")
        register(catalog, OTHER, visibility=visibility, name=f"elsewhere {visibility}")
        clock.pass_by(number + 1)
    own = ["lab private", "lab shared", "lab community"]
    both = {"lab public", "elsewhere public"}
    for caller in (MEMBER, READER):
        assert set(names(catalog, caller)) == {*own, *both}
    assert set(names(catalog, OTHER)) >= both
    assert len(names(catalog, ADMIN, replace(NEWEST_FIRST, visibility="all"))) == 8


def test_whoever_has_no_project_lists_what_is_public(catalog: Catalog) -> None:
    for visibility in Visibility:
        image = register(catalog, visibility=visibility, name=visibility.value)
        if visibility is Visibility.SHARED:
            share(catalog, image)
    assert names(catalog, NOBODYS) == ["public"]


def test_lists_need_a_role(catalog: Catalog) -> None:
    for caller in (ROLELESS, Caller("x", "lab", frozenset({"member"}))):
        with pytest.raises(Forbidden, match="get_images"):
            images.page(catalog, caller, NEWEST_FIRST)


def test_shared_images_are_listed_once_they_are_accepted(catalog: Catalog) -> None:
    image = register(catalog, name="shared")
    share(catalog, image)
    assert names(catalog, OTHER) == []
    answer(catalog, OTHER, image.id, "elsewhere", MemberStatus.ACCEPTED)
    assert names(catalog, OTHER) == ["shared"]


def test_hidden_images_are_never_listed_unasked(catalog: Catalog) -> None:
    register(catalog, name="hidden", os_hidden=True)
    for caller in (MEMBER, ADMIN):
        assert names(catalog, caller) == []
        assert names(catalog, caller, replace(NEWEST_FIRST, os_hidden=True)) == ["hidden"]


def test_pages_lead_to_each_other(catalog: Catalog, clock: Clock) -> None:
    for number in range(5):
        register(catalog, name=str(number))
        clock.pass_by(1)
    found: list[str | None] = []
    query = replace(NEWEST_FIRST, limit=2)
    for _ in range(4):
        page = images.page(catalog, MEMBER, query)
        found += [image.name for image in page.images]
        if page.next_marker is None:
            break
        query = replace(query, marker=images.find_marker(catalog, MEMBER, page.next_marker))
    assert found == ["4", "3", "2", "1", "0"]


def test_a_page_of_nothing(catalog: Catalog) -> None:
    register(catalog)
    page = images.page(catalog, MEMBER, replace(NEWEST_FIRST, limit=0))
    assert (page.images, page.next_marker) == ([], None)


def test_an_empty_page_leads_nowhere(catalog: Catalog) -> None:
    assert images.page(catalog, MEMBER, replace(NEWEST_FIRST, limit=1)).next_marker is None


class _Blind:
    """A policy that hides images by name."""

    def allows(self, rule: str, caller: Caller, target: Mapping[str, object]) -> bool:
        return rule != "get_image" or target["name"] != "secret"


def test_policy_hides_images_from_lists(catalog: Catalog) -> None:
    for name in ("secret", "open", "open", "secret", "open"):
        register(catalog, name=name)
    page = images.page(replace(catalog, policy=_Blind()), MEMBER, NEWEST_FIRST)
    assert [image.name for image in page.images] == ["open"] * 3


def test_markers(catalog: Catalog) -> None:
    mine, gone = register(catalog), register(catalog)
    images.delete(catalog, WORKER, MEMBER, gone.id)
    assert images.find_marker(catalog, MEMBER, mine.id) == mine
    assert images.find_marker(catalog, ADMIN, gone.id).id == gone.id
    for caller, image_id in ((MEMBER, MISSING), (MEMBER, gone.id), (ADMIN, MISSING), (ADMIN, "x")):
        with pytest.raises(Invalid) as unknown:
            images.find_marker(catalog, caller, image_id)
        assert unknown.value.field == "marker"
    with pytest.raises(Forbidden):
        images.find_marker(catalog, OTHER, mine.id)
