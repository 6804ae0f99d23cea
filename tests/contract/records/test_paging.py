"""Pages of random catalogs, compared with the oracle."""

import uuid
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, insert

from glimpse.catalog.ports import Condition, Operator, PageQuery, SortKey, Viewer
from glimpse.catalog.records import Records
from glimpse.domain.image import Image, MemberStatus, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.records import changes, open_records, selectivity, tables
from glimpse.records.database import Database
from tests.contract.records.conftest import clear
from tests.contract.records.making import NOW
from tests.contract.records.oracle import Shared, whole_list

PROJECTS = ("a", "b", "c")
SORT_KEYS = (
    "name",
    "status",
    "container_format",
    "disk_format",
    "size",
    "id",
    "created_at",
    "updated_at",
)

times = st.integers(0, 3).map(lambda seconds: NOW + timedelta(seconds=seconds))
names = st.sampled_from([None, "", "a", "b", "c"])
sizes = st.sampled_from([None, 0, 1, 2])
formats = st.sampled_from([None, "qcow2", "raw"])
properties = st.dictionaries(st.sampled_from(["os", "arch"]), st.sampled_from(["", "x", "y"]))
tags = st.frozensets(st.sampled_from(["t", "u"]))
statuses = st.sampled_from([ImageStatus.QUEUED, ImageStatus.ACTIVE, ImageStatus.ACTIVE, ImageStatus.KILLED])

images = st.builds(
    Image,
    id=st.uuids(version=4).map(str),
    status=statuses,
    visibility=st.sampled_from(Visibility),
    created_at=times,
    updated_at=times,
    name=names,
    disk_format=formats,
    container_format=formats,
    size=sizes,
    owner=st.sampled_from([None, *PROJECTS]),
    protected=st.booleans(),
    os_hidden=st.sampled_from([False, False, False, True]),
    properties=properties,
    tags=tags,
)
members = st.dictionaries(st.sampled_from(PROJECTS), st.sampled_from(MemberStatus))
catalogs = st.lists(st.builds(Shared, images, members), max_size=14, unique_by=lambda shared: shared.image.id)

comparisons = st.sampled_from([operator for operator in Operator if operator is not Operator.ONE_OF])
conditions = st.one_of(
    st.builds(Condition, st.just("name"), st.just(Operator.EQUAL), st.sampled_from(["", "a", None])),
    st.builds(Condition, st.just("name"), st.just(Operator.ONE_OF), st.sampled_from([(), ("a",), ("a", "")])),
    st.builds(Condition, st.just("status"), st.just(Operator.EQUAL), st.just("active")),
    st.builds(Condition, st.sampled_from(["created_at", "updated_at"]), comparisons, times),
    st.builds(Condition, st.just("size"), comparisons, st.integers(0, 2)),
    st.builds(Condition, st.just("protected"), st.just(Operator.EQUAL), st.booleans()),
    st.builds(Condition, st.just("owner"), st.just(Operator.EQUAL), st.sampled_from(PROJECTS)),
)


def _total(keys: list[SortKey]) -> tuple[SortKey, ...]:
    """The way the service completes what it was asked for."""
    return (*keys, SortKey("created_at"), SortKey("id"))


queries = st.builds(
    PageQuery,
    sort=st.lists(st.builds(SortKey, st.sampled_from(SORT_KEYS), st.booleans()), max_size=3).map(_total),
    limit=st.integers(1, 5),
    visibility=st.sampled_from([None, "all", *Visibility]),
    member_status=st.sampled_from([None, *MemberStatus]),
    os_hidden=st.sampled_from([False, False, False, True]),
    conditions=st.lists(conditions, max_size=2).map(tuple),
    properties=st.dictionaries(st.sampled_from(["os", "arch"]), st.sampled_from(["", "x"]), max_size=1).map(
        lambda found: tuple(found.items())
    ),
    tags=st.lists(st.sampled_from(["t", "u"]), max_size=2, unique=True).map(tuple),
)
plain_queries = st.builds(
    PageQuery,
    sort=st.lists(st.builds(SortKey, st.sampled_from(SORT_KEYS), st.booleans()), max_size=3).map(_total),
    limit=st.integers(1, 5),
    visibility=st.sampled_from([None, "all"]),
)
viewers = st.builds(Viewer, st.sampled_from([None, *PROJECTS, "stranger"]), st.booleans())


def fill(database: Database, catalog: list[Shared]) -> None:
    """Make the database hold `catalog` and nothing else, quickly."""

    def work(connection: Connection) -> None:
        for shared in catalog:
            changes.create(connection, shared.image)
            for project, status in shared.members.items():
                row = {"image_id": shared.image.id, "member": project, "status": status.value}
                times = {"created_at": NOW, "updated_at": NOW, "deleted": False, "can_share": False}
                connection.execute(insert(tables.image_members), row | times)

    clear(database)
    database.write(work)


def walk(records: Records, query: PageQuery, viewer: Viewer) -> list[Image]:
    """All pages, one after the other."""
    found: list[Image] = []
    while True:
        marker = found[-1] if found else None
        fields = {name: getattr(query, name) for name in query.__slots__} | {"marker": marker}
        page = records.images.page(PageQuery(**fields), viewer)
        assert len(page) <= query.limit
        found += page
        if len(page) < query.limit:
            return found


@pytest.mark.parametrize("few", [0, 10_000], ids=["scanning", "led"])
@pytest.mark.parametrize("some", [queries, plain_queries], ids=["filters", "sorting"])
def test_pages_are_complete_and_in_order(
    database: Database, monkeypatch: pytest.MonkeyPatch, few: int, some: st.SearchStrategy[PageQuery]
) -> None:
    """Both ways to read a page: from the few rows that lead to it, and along an index."""
    monkeypatch.setattr(selectivity, "FEW", few)
    records = open_records(database)

    @settings(
        max_examples=100 if database.kind == "sqlite" else 30, suppress_health_check=[HealthCheck.too_slow]
    )
    @given(catalogs, st.lists(st.tuples(some, viewers), min_size=4, max_size=4))
    def check(catalog: list[Shared], asked: list[tuple[PageQuery, Viewer]]) -> None:
        fill(database, catalog)
        for query, viewer in asked:
            assert walk(records, query, viewer) == whole_list(catalog, query, viewer)

    check()


def test_the_order_of_a_large_tie(database: Database) -> None:
    catalog = [
        Shared(
            Image(str(uuid.uuid4()), ImageStatus.ACTIVE, Visibility.PUBLIC, NOW, NOW, name=name, owner="a")
        )
        for name in (None, "same") * 20
    ]
    fill(database, catalog)
    records = open_records(database)
    for descending in (True, False):
        sort = (SortKey("name", descending), SortKey("created_at"), SortKey("id"))
        query = PageQuery(sort=sort, limit=7)
        for viewer in (Viewer("a"), Viewer("b"), Viewer(None), Viewer(None, is_admin=True)):
            assert walk(records, query, viewer) == whole_list(catalog, query, viewer)
