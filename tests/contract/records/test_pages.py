import pytest

from glimpse.catalog.ports import Condition, Operator, SortKey, Viewer
from glimpse.catalog.records import Records
from glimpse.domain.image import ImageChange, MemberStatus, Visibility
from glimpse.domain.status import ImageStatus
from tests.contract.records.making import EVERY_STATUS, LATER, NOW, a_query, create, equal, found, share

ADMIN = Viewer("mine", is_admin=True)
ADMIN_WITHOUT_PROJECT = Viewer(None, is_admin=True)
MINE = Viewer("mine")
NOBODY = Viewer(None)

OWN = {"own-public", "own-community", "own-shared", "own-private"}
THEIRS = {"public", "community", "shared", "private"}
WITH_ME = {"accepted"}


@pytest.fixture
def catalog(records: Records) -> Records:
    """One image of each visibility, of the viewer's project and of another, and some shared with it."""
    for visibility in Visibility:
        create(records, name=f"own-{visibility}", visibility=visibility, owner="mine")
        create(records, name=str(visibility), visibility=visibility, owner="theirs")
    for status in MemberStatus:
        image = create(records, name=str(status), visibility=Visibility.SHARED, owner="theirs")
        share(records, image, "mine", status)
        share(records, image, "another", MemberStatus.ACCEPTED)
    for visibility in (Visibility.PRIVATE, Visibility.COMMUNITY):
        # Members of an image that is no longer shared stay on record, but do not count.
        image = create(records, name=f"once-shared-{visibility}", visibility=visibility, owner="theirs")
        share(records, image, "mine", MemberStatus.ACCEPTED)
    removed = create(records, name="removed", owner="theirs")
    share(records, removed, "mine")
    records.members.remove(removed.id, "mine", NOW)
    return records


EVERY_SHARED = {"own-shared", "shared", "pending", "accepted", "rejected", "removed"}
EVERY_PRIVATE = {"own-private", "private", "once-shared-private"}
EVERY_COMMUNITY = {"own-community", "community", "once-shared-community"}
EVERY_PUBLIC = {"own-public", "public"}


@pytest.mark.parametrize(
    ("viewer", "visibility", "expected"),
    [
        (MINE, None, EVERY_PUBLIC | OWN | WITH_ME),
        (MINE, "public", EVERY_PUBLIC),
        (MINE, "private", {"own-private"}),
        (MINE, "shared", {"own-shared"} | WITH_ME),
        (MINE, "community", EVERY_COMMUNITY),
        (MINE, "all", EVERY_PUBLIC | OWN | WITH_ME | EVERY_COMMUNITY),
        (ADMIN, None, EVERY_PUBLIC | EVERY_PRIVATE | EVERY_SHARED | {"own-community"}),
        (ADMIN, "public", EVERY_PUBLIC),
        (ADMIN, "private", EVERY_PRIVATE),
        (ADMIN, "shared", EVERY_SHARED),
        (ADMIN, "community", EVERY_COMMUNITY),
        (ADMIN, "all", EVERY_PUBLIC | EVERY_PRIVATE | EVERY_SHARED | EVERY_COMMUNITY),
        (ADMIN_WITHOUT_PROJECT, None, EVERY_PUBLIC | EVERY_PRIVATE | EVERY_SHARED),
        (NOBODY, None, EVERY_PUBLIC),
        (NOBODY, "public", EVERY_PUBLIC),
        (NOBODY, "private", set()),
        (NOBODY, "shared", set()),
        (NOBODY, "community", EVERY_COMMUNITY),
        (NOBODY, "all", EVERY_PUBLIC),
        (MINE, "", set()),
        (ADMIN, "unheard-of", set()),
    ],
)
def test_who_finds_what(catalog: Records, viewer: Viewer, visibility: str | None, expected: set[str]) -> None:
    assert found(catalog, viewer, visibility=visibility) == expected


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (MemberStatus.ACCEPTED, {"accepted"}),
        (MemberStatus.PENDING, {"pending"}),
        (MemberStatus.REJECTED, {"rejected"}),
        (None, {"accepted", "pending", "rejected"}),
    ],
)
def test_the_member_status_narrows_what_is_shared(
    catalog: Records, status: MemberStatus | None, expected: set[str]
) -> None:
    assert found(catalog, MINE, visibility="shared", member_status=status) == expected | {"own-shared"}
    assert found(catalog, MINE, member_status=status) == EVERY_PUBLIC | OWN | expected


def test_projects_are_told_apart_by_case(catalog: Records) -> None:
    assert found(catalog, Viewer("Mine")) == EVERY_PUBLIC
    assert found(catalog, Viewer("mine "), visibility="private") == set()


def test_the_viewer_is_named_as_a_member(catalog: Records) -> None:
    members = {image.name: image.member for image in catalog.images.page(a_query(), ADMIN)}
    assert members["accepted"] == "mine"
    assert members["pending"] == "mine"
    assert members["removed"] is None
    assert members["own-private"] is None


def test_a_page_has_what_get_has(records: Records) -> None:
    create(records, name="a", properties={"k": "v", "q": None}, tags=frozenset({"t"}), size=1, os_hidden=True)
    (image,) = records.images.page(a_query(os_hidden=True), MINE)
    assert image == records.images.get(image.id, "mine")


@pytest.mark.parametrize("viewer", [MINE, ADMIN, ADMIN_WITHOUT_PROJECT])
def test_what_is_gone_or_hidden_never_appears(records: Records, viewer: Viewer) -> None:
    for status in ImageStatus:
        create(records, name=str(status), status=status)
    create(records, name="hidden", os_hidden=True)
    records.images.delete(create(records, name="removed").id, EVERY_STATUS, "w", 1000.125, NOW)
    expected = {str(status) for status in ImageStatus} - {"killed", "deleted", "pending_delete"}
    assert found(records, viewer) == expected
    assert found(records, viewer, visibility="all", os_hidden=True) == {"hidden"}


def test_a_limit_of_zero(catalog: Records) -> None:
    assert catalog.images.page(a_query(limit=0), ADMIN) == []


def test_filters_on_columns(records: Records) -> None:
    create(records, name="small", size=10, disk_format="qcow2", min_ram=1)
    create(records, name="large", size=2**40, disk_format="raw", protected=True, created_at=LATER)
    create(records, name=None, checksum="c" * 32, os_hash_value="h" * 128)
    at_most = Condition("size", Operator.LESS_OR_EQUAL, 2**39)
    assert found(records, MINE, conditions=(at_most,)) == {"small"}
    assert found(records, MINE, conditions=(equal("disk_format", "raw"),)) == {"large"}
    assert found(records, MINE, conditions=(equal("protected", True),)) == {"large"}
    assert found(records, MINE, conditions=(equal("min_ram", 1),)) == {"small"}
    assert found(records, MINE, conditions=(equal("checksum", "c" * 32),)) == {"None"}
    assert found(records, MINE, conditions=(equal("os_hash_value", "h" * 128),)) == {"None"}
    assert found(records, MINE, conditions=(equal("os_hash_value", "x"),)) == set()
    assert found(records, MINE, conditions=(Condition("created_at", Operator.GREATER, NOW),)) == {"large"}
    assert found(records, MINE, conditions=(Condition("created_at", Operator.NOT_EQUAL, NOW),)) == {"large"}
    either = Condition("name", Operator.ONE_OF, ("small", "large", "other"))
    assert found(records, MINE, conditions=(either,)) == {"small", "large"}
    assert found(records, MINE, conditions=(either, equal("owner", "theirs"))) == set()


def test_filters_on_the_id_obey_visibility(catalog: Records) -> None:
    everything = catalog.images.page(a_query(visibility="all"), ADMIN)
    ids = tuple(image.id for image in everything)
    assert found(catalog, MINE, conditions=(Condition("id", Operator.ONE_OF, ids),)) == found(catalog, MINE)
    assert found(catalog, MINE, conditions=(Condition("id", Operator.ONE_OF, ()),)) == set()
    for image in everything:
        seen = found(catalog, MINE, conditions=(equal("id", image.id),))
        assert seen == {image.name} & found(catalog, MINE)


def test_filters_on_properties_and_tags_are_all_to_hold(records: Records) -> None:
    create(records, name="both", properties={"a": "1", "b": "2"}, tags=frozenset({"t", "u"}))
    create(records, name="one", properties={"a": "1", "b": "3"}, tags=frozenset({"t"}))
    create(records, name="theirs", properties={"a": "1"}, tags=frozenset({"t"}), owner="theirs")
    assert found(records, MINE, properties=(("a", "1"),)) == {"both", "one"}
    assert found(records, MINE, properties=(("a", "1"), ("b", "2"))) == {"both"}
    assert found(records, MINE, tags=("t",)) == {"both", "one"}
    assert found(records, MINE, tags=("t", "u")) == {"both"}
    assert found(records, MINE, tags=("t",), properties=(("b", "3"),)) == {"one"}
    assert found(records, MINE, properties=(("c", "1"),)) == set()


def test_dropped_properties_and_tags_are_not_found(records: Records) -> None:
    image = create(records, properties={"a": "1"}, tags=frozenset({"t"}))
    change = ImageChange(dropped=frozenset({"a"}), tags_removed=frozenset({"t"}))
    records.images.change(image.id, change, EVERY_STATUS, NOW)
    assert found(records, MINE, properties=(("a", "1"),)) == set()
    assert found(records, MINE, tags=("t",)) == set()


def test_long_values_are_compared_to_their_end(records: Records) -> None:
    create(records, name="right", properties={"k": "x" * 1000 + "a"})
    create(records, name="wrong", properties={"k": "x" * 1000 + "b"})
    assert found(records, MINE, properties=(("k", "x" * 1000 + "a"),)) == {"right"}


@pytest.mark.parametrize("other", ["Abc", "abc ", "\u00e4bc"])
def test_filters_are_exact(records: Records, other: str) -> None:
    create(records, name="abc", properties={"k": "abc"}, tags=frozenset({"abc"}), owner="mine")
    assert found(records, MINE, conditions=(equal("name", "abc"),)) == {"abc"}
    for filters in (
        {"conditions": (equal("name", other),)},
        {"conditions": (Condition("name", Operator.ONE_OF, (other, "zzz")),)},
        {"properties": (("k", other),)},
        {"properties": ((other, "abc"),)},
        {"tags": (other,)},
    ):
        assert found(records, MINE, **filters) == set(), filters


def test_a_key_that_comes_twice_counts_the_first_time(records: Records) -> None:
    first, second = create(records, size=1), create(records, size=2)
    keys = (SortKey("size", descending=False), SortKey("size"), SortKey("id"))
    page = records.images.page(a_query(sort=keys), MINE)
    assert page == [first, second]
    assert records.images.page(a_query(sort=keys, marker=first), MINE) == [second]


@pytest.mark.parametrize(
    ("viewer", "visibility", "deleted", "expected"),
    [
        (ADMIN, "all", False, {"here", "public"}),
        (ADMIN, "all", True, {"gone", "gone-public"}),
        (ADMIN, "all", None, {"here", "public", "gone", "gone-public"}),
        (MINE, None, True, {"gone", "gone-public"}),
        (MINE, None, None, {"here", "public", "gone", "gone-public"}),
        (Viewer("other"), None, None, {"public", "gone-public"}),
        (NOBODY, None, True, {"gone-public"}),
    ],
)
def test_deleted_images(
    records: Records, viewer: Viewer, visibility: str | None, deleted: bool | None, expected: set[str]
) -> None:
    create(records, name="here", owner="mine")
    create(records, name="public", owner="theirs", visibility=Visibility.PUBLIC)
    create(records, name="killed", owner="mine", status=ImageStatus.KILLED)
    for name, owner, seen in (
        ("gone", "mine", Visibility.SHARED),
        ("gone-public", "theirs", Visibility.PUBLIC),
    ):
        image = create(records, name=name, owner=owner, visibility=seen)
        records.images.delete(image.id, EVERY_STATUS, "worker", 0.0, LATER)
    for sort in ("created_at", "size"):
        order = (SortKey(sort), SortKey("id"))
        assert found(records, viewer, visibility=visibility, deleted=deleted, sort=order) == expected
