from collections.abc import Sequence
from pathlib import Path

import pytest

from glimpse.domain.errors import Invalid, Unavailable
from glimpse.domain.image import Location
from glimpse.domain.url_rules import Rules
from glimpse.stores.filesystem import FilesystemStore
from glimpse.stores.http import HttpStore
from glimpse.stores.memory import MemoryStore
from glimpse.stores.outbound import Outbound
from glimpse.transfer.transfer import Listing, Stores

WEB = "https://images.example/x"


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    kept = (
        FilesystemStore("one", tmp_path / "one"),
        FilesystemStore("two", tmp_path / "two"),
        MemoryStore("three"),
        HttpStore("web", Outbound(Rules())),
    )
    listings = {
        "two": Listing(weight=7, description="second"),
        "three": Listing("memory", weight=-1),
        "web": Listing("http", read_only=True),
    }
    return Stores({store.id: store for store in kept}, "one", several=True, listings=listings)


def url_in(tmp_path: Path, store: str) -> str:
    return {"web": WEB, "three": "memory://three/x.y"}.get(store, f"file://{tmp_path / store}/x")


def places(tmp_path: Path, names: Sequence[str]) -> list[Location]:
    return [Location(url_in(tmp_path, name), {"store": name}) for name in names]


def test_which_take_data(stores: Stores) -> None:
    assert stores.writable == ("one", "two", "three")
    assert stores.taking("two").id == "two"
    for name in ("web", "four", "", "x" * 5000):
        with pytest.raises(Invalid) as refused:
            stores.taking(name)
        assert len(str(refused.value)) < 200


def test_which_there_are(stores: Stores) -> None:
    assert stores.named("web").id == "web"
    with pytest.raises(Invalid, match="'four'"):
        stores.named("four")
    assert stores.listing("two") == Listing("file", 7, "second")
    assert stores.listing("one") == stores.listing("four") == Listing()


@pytest.mark.parametrize(
    "metadata", [{}, {"store": "one"}, {"store": "gone"}, {"store": 5}, {"store": ["one"]}]
)
@pytest.mark.parametrize("name", ["one", "two", "three", "web"])
def test_where_a_location_is(stores: Stores, tmp_path: Path, name: str, metadata: dict[str, object]) -> None:
    location = Location(url_in(tmp_path, name), metadata)
    assert stores.holding(location).id == stores.holder(location) == name


def test_of_several_that_it_may_be_the_one_that_it_names(tmp_path: Path) -> None:
    both = Stores({name: HttpStore(name, Outbound(Rules())) for name in ("near", "far")}, "near")
    assert [both.holder(Location(WEB, {"store": name})) for name in ("far", "near", "x")] == [
        "far",
        "near",
        "near",
    ]


@pytest.mark.parametrize("url", ["file:///elsewhere/x", "rbd://pool/x", "memory://four/x.y", "nonsense", ""])
def test_a_location_that_is_nowhere(stores: Stores, url: str) -> None:
    with pytest.raises(Unavailable) as refused:
        stores.holding(Location(url, {"store": "one"}))
    assert "/elsewhere" not in str(refused.value)
    assert stores.holder(Location(url, {"store": "remote"})) == "remote"
    for metadata in ({}, {"store": ""}, {"store": 5}, {"store": None}):
        assert stores.holder(Location(url, metadata)) is None


def test_the_stores_of_locations(stores: Stores, tmp_path: Path) -> None:
    locations = [*places(tmp_path, ["web", "one", "web"]), Location("rbd://x"), *places(tmp_path, ["two"])]
    assert stores.holders(locations) == ("web", "one", "two")


@pytest.mark.parametrize(
    ("names", "prefer", "order"),
    [
        ("three web one two", "", "two web one three"),
        ("one web", "", "one web"),
        ("web one", "", "web one"),
        ("three web one two", "three", "three two web one"),
        ("three web one two", "three one", "one three two web"),
        ("three web one two", "nowhere", "two web one three"),
        ("", "one", ""),
    ],
)
def test_the_order_in_which_they_are_read(
    stores: Stores, tmp_path: Path, names: str, prefer: str, order: str
) -> None:
    locations = places(tmp_path, names.split())
    ordered = stores.ordered(locations, prefer.split())
    assert [stores.holder(location) for location in ordered] == order.split()


def test_what_is_nowhere_keeps_its_turn(stores: Stores, tmp_path: Path) -> None:
    strange = Location("rbd://pool/x", {"store": "remote"})
    [two, three] = places(tmp_path, ["two", "three"])
    assert stores.ordered([three, strange, two]) == (two, strange, three)
