from dataclasses import replace

import pytest

from glimpse.catalog.records import Records
from glimpse.domain.errors import Duplicate, LimitExceeded, NotFound
from glimpse.domain.image import Member, MemberStatus
from tests.contract.records.making import EVERY_STATUS, LATER, NOW, create, run_together, share


def test_members_come_in_the_order_in_which_they_were_added(records: Records) -> None:
    image = create(records)
    members = [share(records, image, name) for name in ("c", "a", "b")]
    assert records.members.list(image.id) == members
    assert records.members.get(image.id, "a") == members[1]
    assert records.members.list("unknown") == []


def test_a_member_is_added_once(records: Records) -> None:
    image = create(records)
    share(records, image, "guest")
    with pytest.raises(Duplicate):
        share(records, image, "guest")
    assert len(records.members.list(image.id)) == 1


def test_there_is_a_largest_number_of_members(records: Records) -> None:
    image = create(records)
    for name in ("a", "b"):
        records.members.add(Member(image.id, name, MemberStatus.PENDING, NOW, NOW), 2)
    with pytest.raises(LimitExceeded) as caught:
        records.members.add(Member(image.id, "c", MemberStatus.PENDING, NOW, NOW), 2)
    assert (caught.value.limit, caught.value.maximum, caught.value.attempted) == ("image_member_quota", 2, 3)
    records.members.remove(image.id, "a", NOW)
    records.members.add(Member(image.id, "c", MemberStatus.PENDING, NOW, NOW), 2)


def test_zero_is_a_limit_too(records: Records) -> None:
    with pytest.raises(LimitExceeded):
        records.members.add(Member(create(records).id, "c", MemberStatus.PENDING, NOW, NOW), 0)


def test_a_removed_member_comes_back_as_new(records: Records) -> None:
    image = create(records)
    share(records, image, "first")
    share(records, image, "second")
    for _ in range(3):
        records.members.remove(image.id, "first", NOW)
        assert [member.member_id for member in records.members.list(image.id)] == ["second"]
        again = Member(image.id, "first", MemberStatus.PENDING, LATER, LATER)
        records.members.add(again, -1)
    assert [member.member_id for member in records.members.list(image.id)] == ["second", "first"]
    assert records.members.get(image.id, "first") == again


def test_who_may_share(records: Records) -> None:
    first, second = create(records), create(records)
    may = Member(first.id, "guest", MemberStatus.PENDING, NOW, NOW, can_share=True)
    records.members.add(may, -1)
    share(records, second, "guest")
    assert records.members.get(first.id, "guest") == may
    assert [one.can_share for one in records.members.list(second.id)] == [False]
    assert records.members.shared_on("guest") == {first.id}
    changed = records.members.set_can_share(second.id, "guest", True, LATER)
    assert changed == records.members.get(second.id, "guest")
    assert (changed.can_share, changed.updated_at) == (True, LATER)
    assert records.members.shared_on("guest") == {first.id, second.id}
    records.members.set_can_share(first.id, "guest", False, LATER)
    records.members.remove(second.id, "guest", LATER)
    assert records.members.shared_on("guest") == records.members.shared_on("nobody") == frozenset()
    with pytest.raises(NotFound):
        records.members.set_can_share(first.id, "nobody", True, LATER)


def test_set_status(records: Records) -> None:
    image = create(records)
    member = share(records, image, "guest", MemberStatus.PENDING)
    share(records, image, "other", MemberStatus.PENDING)
    changed = records.members.set_status(image.id, "guest", MemberStatus.ACCEPTED, LATER)
    assert changed == replace(member, status=MemberStatus.ACCEPTED, updated_at=LATER)
    assert records.members.get(image.id, "guest") == changed
    assert records.members.get(image.id, "other").status is MemberStatus.PENDING


def test_who_is_no_member(records: Records) -> None:
    image = create(records)
    share(records, image, "guest")
    share(records, image, "former")
    records.members.remove(image.id, "former", NOW)
    for name in ("Guest", "former", "never", "guest "):
        with pytest.raises(NotFound):
            records.members.get(image.id, name)
        with pytest.raises(NotFound):
            records.members.set_status(image.id, name, MemberStatus.ACCEPTED, NOW)
        with pytest.raises(NotFound):
            records.members.remove(image.id, name, NOW)


def test_an_image_that_is_gone_gets_no_members(records: Records) -> None:
    image = create(records)
    records.images.delete(image.id, EVERY_STATUS, "w", 1000.125, NOW)
    with pytest.raises(NotFound):
        share(records, image, "guest")


def test_two_add_the_same_member(records: Records) -> None:
    image = create(records)
    outcomes = run_together(*[lambda: share(records, image, "guest")] * 4)
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["Duplicate"] * 3 + ["NoneType"]
    assert len(records.members.list(image.id)) == 1


def test_the_largest_number_holds_when_many_add(records: Records) -> None:
    image = create(records)

    def add(name: str) -> None:
        records.members.add(Member(image.id, name, MemberStatus.PENDING, NOW, NOW), 3)

    outcomes = run_together(*[lambda name=str(number): add(name) for number in range(8)])
    assert sum(outcome is None for outcome in outcomes) == 3
    assert len(records.members.list(image.id)) == 3
