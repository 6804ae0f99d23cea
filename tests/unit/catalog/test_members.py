from dataclasses import replace

import pytest

from glimpse.catalog import members
from glimpse.catalog.catalog import Catalog, Limits
from glimpse.catalog.images import edit
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Duplicate, Forbidden, LimitExceeded, NotFound
from glimpse.domain.image import Image, MemberStatus, Visibility
from tests.unit.world import (
    ADMIN,
    ANONYMOUS,
    MEMBER,
    MISSING,
    NOON,
    OTHER,
    OTHER_READER,
    READER,
    Clock,
    register,
)

THIRD = Caller("tim", "third", frozenset({"member", "reader"}))


@pytest.fixture
def image(catalog: Catalog) -> Image:
    """An image of "lab", shared with "elsewhere"."""
    image = register(catalog)
    members.add_member(catalog, MEMBER, image.id, "elsewhere")
    return image


def test_sharing(catalog: Catalog) -> None:
    image = register(catalog)
    member = members.add_member(catalog, MEMBER, image.id, "elsewhere")
    assert (member.member_id, member.image_id, member.status) == ("elsewhere", image.id, "pending")
    assert member.created_at == member.updated_at == NOON
    assert members.list_members(catalog, MEMBER, image.id) == [member]
    assert members.show_member(catalog, MEMBER, image.id, "elsewhere") == member


def test_sharing_twice(catalog: Catalog, image: Image) -> None:
    with pytest.raises(Duplicate):
        members.add_member(catalog, MEMBER, image.id, "elsewhere")


def test_sharing_with_oneself(catalog: Catalog, image: Image) -> None:
    assert members.add_member(catalog, MEMBER, image.id, "lab").member_id == "lab"


def test_sharing_again_after_removal(catalog: Catalog, image: Image) -> None:
    members.answer(catalog, OTHER, image.id, "elsewhere", MemberStatus.ACCEPTED)
    members.remove_member(catalog, MEMBER, image.id, "elsewhere")
    assert members.add_member(catalog, MEMBER, image.id, "elsewhere").status is MemberStatus.PENDING
    assert members.show_member(catalog, OTHER, image.id, "elsewhere").status is MemberStatus.PENDING


def test_too_many_members(catalog: Catalog, image: Image) -> None:
    small = replace(catalog, limits=Limits(image_member_quota=2))
    members.add_member(small, MEMBER, image.id, "second")
    with pytest.raises(LimitExceeded) as refused:
        members.add_member(small, MEMBER, image.id, "third")
    assert (refused.value.limit, refused.value.maximum) == ("image_member_quota", 2)


@pytest.mark.parametrize("visibility", [Visibility.PUBLIC, Visibility.COMMUNITY, Visibility.PRIVATE])
def test_only_shared_images_have_members(catalog: Catalog, visibility: Visibility) -> None:
    image = register(catalog, visibility=visibility)
    with pytest.raises(Forbidden, match="shared"):
        members.add_member(catalog, MEMBER, image.id, "elsewhere")
    with pytest.raises(Forbidden):
        members.list_members(catalog, MEMBER, image.id)
    with pytest.raises(NotFound):
        members.show_member(catalog, MEMBER, image.id, "elsewhere")
    with pytest.raises(Forbidden):
        members.remove_member(catalog, MEMBER, image.id, "elsewhere")


def test_members_wait_while_an_image_is_not_shared(catalog: Catalog, image: Image) -> None:
    edit(catalog, MEMBER, image.id, [lambda it: replace(it, visibility=Visibility.COMMUNITY)])
    with pytest.raises(NotFound):
        members.show_member(catalog, OTHER, image.id, "elsewhere")
    edit(catalog, MEMBER, image.id, [lambda it: replace(it, visibility=Visibility.SHARED)])
    assert members.show_member(catalog, OTHER, image.id, "elsewhere").member_id == "elsewhere"


@pytest.mark.parametrize("caller", [READER, OTHER, OTHER_READER])
def test_who_sees_but_may_not_share(catalog: Catalog, image: Image, caller: Caller) -> None:
    with pytest.raises(Forbidden):
        members.add_member(catalog, caller, image.id, "third")
    with pytest.raises(Forbidden):
        members.remove_member(catalog, caller, image.id, "elsewhere")


def test_who_does_not_see_finds_nothing(catalog: Catalog, image: Image) -> None:
    for image_id in (image.id, MISSING):
        with pytest.raises(NotFound) as refused:
            members.list_members(catalog, THIRD, image_id)
        assert (refused.value.kind, refused.value.name) == ("image", image_id)
        with pytest.raises(NotFound):
            members.add_member(catalog, THIRD, image_id, "third")
        with pytest.raises(NotFound):
            members.show_member(catalog, THIRD, image_id, "third")
        with pytest.raises(NotFound):
            members.answer(catalog, THIRD, image_id, "third", MemberStatus.ACCEPTED)
        with pytest.raises(NotFound):
            members.remove_member(catalog, THIRD, image_id, "elsewhere")


def test_a_member_sees_itself_alone(catalog: Catalog, image: Image) -> None:
    members.add_member(catalog, MEMBER, image.id, "third")
    for caller in (OTHER, OTHER_READER):
        assert [m.member_id for m in members.list_members(catalog, caller, image.id)] == ["elsewhere"]
        assert members.show_member(catalog, caller, image.id, "elsewhere").member_id == "elsewhere"
        with pytest.raises(NotFound):
            members.show_member(catalog, caller, image.id, "third")
    for caller in (MEMBER, READER, ADMIN):
        found = members.list_members(catalog, caller, image.id)
        assert [m.member_id for m in found] == ["elsewhere", "third"]


def test_only_the_member_answers(catalog: Catalog, image: Image, clock: Clock) -> None:
    clock.pass_by(5)
    for caller in (OTHER, ADMIN):
        for status in (MemberStatus.ACCEPTED, MemberStatus.REJECTED, MemberStatus.PENDING):
            member = members.answer(catalog, caller, image.id, "elsewhere", status)
            assert (member.status, member.created_at, member.updated_at) == (status, NOON, clock.now())
    with pytest.raises(Forbidden):
        members.answer(catalog, MEMBER, image.id, "elsewhere", MemberStatus.ACCEPTED)
    with pytest.raises(Forbidden):
        members.answer(catalog, OTHER_READER, image.id, "elsewhere", MemberStatus.ACCEPTED)
    assert members.show_member(catalog, MEMBER, image.id, "elsewhere").status is MemberStatus.PENDING


def test_nobody_answers_for_another_member(catalog: Catalog, image: Image) -> None:
    members.add_member(catalog, MEMBER, image.id, "third")
    with pytest.raises(NotFound):
        members.answer(catalog, OTHER, image.id, "third", MemberStatus.ACCEPTED)


def test_answers_of_nobody(catalog: Catalog, image: Image) -> None:
    with pytest.raises(NotFound) as refused:
        members.answer(catalog, ADMIN, image.id, "third", MemberStatus.ACCEPTED)
    assert refused.value.kind == "member"


def test_unsharing(catalog: Catalog, image: Image) -> None:
    members.remove_member(catalog, MEMBER, image.id, "elsewhere")
    assert members.list_members(catalog, MEMBER, image.id) == []
    for caller in (MEMBER, ADMIN):
        with pytest.raises(NotFound):
            members.remove_member(catalog, caller, image.id, "elsewhere")
    with pytest.raises(NotFound):
        members.list_members(catalog, OTHER, image.id)


def test_the_anonymous_change_nothing(catalog: Catalog) -> None:
    public = register(catalog, visibility=Visibility.PUBLIC)
    for verb in (members.add_member, members.remove_member):
        with pytest.raises(Forbidden):
            verb(catalog, ANONYMOUS, public.id, "elsewhere")
    with pytest.raises(Forbidden):
        members.answer(catalog, ANONYMOUS, public.id, "elsewhere", MemberStatus.ACCEPTED)
