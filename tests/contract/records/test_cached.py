from glimpse.catalog.cache_ports import CachedImage, Hits
from glimpse.catalog.records import Records
from tests.contract.records.making import create, run_together

IDS = [f"{number:08d}-0000-4000-8000-000000000000" for number in range(4)]


def cached(number: int, accessed: int = 0) -> CachedImage:
    return CachedImage(IDS[number], 10, "d41d8cd98f00b204e9800998ecf8427e", 1_700_000_000 + number, accessed)


def plain(image: CachedImage | None) -> CachedImage:
    assert image is not None
    return CachedImage(
        image.image_id, image.size, image.checksum, image.last_modified, image.last_accessed, image.hits
    )


def test_what_is_put_comes_back(records: Records) -> None:
    images = records.cached
    assert images.get("node", IDS[0]) is None
    assert images.of_node("node") == []
    images.put("node", cached(0, 1_800_000_000))
    assert plain(images.get("node", IDS[0])) == cached(0, 1_800_000_000)
    assert images.get("other", IDS[0]) is None


def test_the_longest_unread_comes_first(records: Records) -> None:
    for number, accessed in enumerate((300, 100, 200)):
        records.cached.put("node", cached(number, accessed))
    assert [one.image_id for one in records.cached.of_node("node")] == [IDS[1], IDS[2], IDS[0]]


def test_hits_are_added_and_survive_a_new_file(records: Records) -> None:
    images = records.cached
    images.put("node", cached(0, 100))
    images.put("other", cached(0, 100))
    images.count("node", {IDS[0]: Hits(2, 500), IDS[1]: Hits(1, 500)})
    images.count("node", {IDS[0]: Hits(1, 400)})
    images.count("nowhere", {IDS[0]: Hits(1, 900)})
    images.count("node", {})
    found = images.get("node", IDS[0])
    assert found is not None
    assert (found.hits, found.last_accessed) == (3, 500)
    images.put("node", cached(0, 600))
    again = images.get("node", IDS[0])
    assert again is not None
    assert (again.hits, again.id) == (3, found.id)
    other = images.get("other", IDS[0])
    assert other is not None
    assert other.hits == 0


def test_nodes(records: Records) -> None:
    for node in ("http://b", "http://a"):
        records.cached.put(node, cached(0))
    records.cached.put("http://c", cached(1))
    assert records.cached.nodes(IDS[0]) == ["http://a", "http://b"]
    assert records.cached.nodes(IDS[3]) == []


def test_remove(records: Records) -> None:
    for number in range(3):
        records.cached.put("node", cached(number))
    records.cached.put("other", cached(0))
    assert records.cached.remove("node", [IDS[0], IDS[2], IDS[3]]) == 2
    assert records.cached.remove("node", []) == 0
    assert [one.image_id for one in records.cached.of_node("node")] == [IDS[1]]
    assert [one.image_id for one in records.cached.of_node("other")] == [IDS[0]]


def test_images_that_are_gone(records: Records) -> None:
    create(records, id=IDS[0])
    for number in range(2):
        records.cached.put("node", cached(number))
    records.cached.put("other", cached(2))
    assert records.cached.gone("node") == [IDS[1]]


def test_processes_of_a_new_node_at_once(records: Records) -> None:
    outcomes = run_together(
        *[lambda number=number: records.cached.put("node", cached(number % 2)) for number in range(8)]
    )
    assert outcomes == [None] * 8
    assert sorted(one.image_id for one in records.cached.of_node("node")) == IDS[:2]
