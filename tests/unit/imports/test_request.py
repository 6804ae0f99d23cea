"""What is asked of an import: where the data shall go, what is refused, and what is noted when it begins."""

from dataclasses import replace
from typing import Any

import pytest

from glimpse.catalog.catalog import Catalog, Limits
from glimpse.catalog.images import Draft
from glimpse.domain.errors import Conflict, Forbidden, GlimpseError, Invalid, LimitExceeded, NotFound
from glimpse.domain.image import Image, Location, difference
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import TaskStatus, TaskType
from glimpse.imports.request import Method, Wanted, begin_import, begin_task, without
from glimpse.jobs.ports import Job
from glimpse.stores.memory import MemoryStore
from glimpse.transfer.transfer import Listing, Stores
from tests.unit.world import ADMIN, MEMBER, MISSING, OTHER, READER, put_in_status, register, reload

WEB = Method.WEB_DOWNLOAD
SOURCE = {"url": "http://images.example/disk"}
NAMES = ("one", "two", "web")
ALONE = Stores({"one": MemoryStore("one")}, "one")
SEVERAL = Stores(
    {name: MemoryStore(name) for name in NAMES},
    "one",
    several=True,
    listings={"web": Listing("http", read_only=True)},
)


def begun(catalog: Catalog, image: Image, stores: Stores = SEVERAL, **wanted: Any) -> Job:
    """The job of an import that begins."""
    caller = wanted.pop("caller", MEMBER)
    given = {"method": WEB, "source": SOURCE, **wanted}
    job = begin_import(catalog, stores, caller, image.id, Wanted(**given), "req-1")
    assert job is not None
    return job


def active(catalog: Catalog, *names: str) -> Image:
    """An image that has data in these stores."""
    image = register(catalog)
    put_in_status(catalog, image.id, ImageStatus.SAVING, ImageStatus.ACTIVE)
    image = reload(catalog, image.id)
    places = tuple(Location(f"memory://{name}/{image.id}.x", {"store": name}) for name in names)
    return written(catalog, image, replace(image, locations=places))


def written(catalog: Catalog, before: Image, after: Image) -> Image:
    """The image after this change."""
    change = difference(before, after)
    catalog.records.images.change(before.id, change, frozenset({before.status}), catalog.clock())
    return reload(catalog, before.id)


@pytest.mark.parametrize(
    ("wanted", "stores"),
    [
        ({}, ["one"]),
        ({"header": "two"}, ["two"]),
        ({"named": ("two",)}, ["two"]),
        ({"named": ("two", "one", "two")}, ["two", "one"]),
        ({"all_stores": True}, ["one", "two"]),
    ],
)
def test_where_new_data_goes(catalog: Catalog, wanted: dict[str, Any], stores: list[str]) -> None:
    assert begun(catalog, register(catalog), **wanted).arguments["stores"] == stores


@pytest.mark.parametrize("wanted", [{}, {"named": ("two",)}, {"header": "two"}, {"all_stores": True}])
def test_one_store_gets_everything(catalog: Catalog, wanted: dict[str, Any]) -> None:
    assert begun(catalog, register(catalog), ALONE, **wanted).arguments["stores"] == ["one"]


@pytest.mark.parametrize(
    ("stores", "wanted", "error"),
    [
        (SEVERAL, {"named": ("absent",)}, Conflict),
        (SEVERAL, {"header": "absent"}, Conflict),
        (SEVERAL, {"named": ("web",)}, Conflict),
        (SEVERAL, {"named": ("one",), "all_stores": True}, Invalid),
        (SEVERAL, {"header": "one", "all_stores": True}, Invalid),
        (SEVERAL, {"header": "one", "named": ("one",)}, Invalid),
        (ALONE, {"must_succeed": False}, Invalid),
    ],
)
def test_choices_that_will_not_do(
    catalog: Catalog, stores: Stores, wanted: dict[str, Any], error: type[GlimpseError]
) -> None:
    image = register(catalog)
    with pytest.raises(error):
        begun(catalog, image, stores, **wanted)
    assert reload(catalog, image.id) == image
    assert catalog.records.jobs.of_subject(image.id) == []


def test_copies_go_where_the_image_is_not(catalog: Catalog) -> None:
    image = active(catalog, "one")
    with pytest.raises(Invalid, match="already"):
        begun(catalog, image, method=Method.COPY_IMAGE, named=("one",), caller=ADMIN)
    job = begun(catalog, image, method=Method.COPY_IMAGE, all_stores=True, caller=ADMIN)
    assert job.arguments["stores"] == ["two"]
    assert reload(catalog, image.id).status is ImageStatus.ACTIVE


def test_nothing_is_left_to_copy(catalog: Catalog) -> None:
    image = active(catalog, "one", "two")
    wanted = Wanted(Method.COPY_IMAGE, all_stores=True)
    assert begin_import(catalog, SEVERAL, ADMIN, image.id, wanted, "req-1") is None
    assert catalog.records.tasks.of_image(image.id, None, catalog.clock()) == []


def test_what_is_noted(catalog: Catalog) -> None:
    image = register(catalog)
    job = begun(catalog, image, named=("two", "one"), shown={"method": {"name": "web-download"}})
    (task,) = catalog.records.tasks.of_image(image.id, "lab", catalog.clock())
    assert (task.id, task.type, task.status) == (job.id, TaskType.API_IMAGE_IMPORT, TaskStatus.PENDING)
    assert task.input == {
        "image_id": image.id,
        "import_req": {"method": {"name": "web-download"}},
        "backend": ["two", "one"],
    }
    after = reload(catalog, image.id)
    assert after.status is ImageStatus.IMPORTING
    assert after.properties == {
        "os_glance_import_task": task.id,
        "os_glance_importing_to_stores": "two,one",
        "os_glance_failed_import": "",
    }
    assert catalog.records.jobs.get(job.id) is not None
    assert (job.arguments["method"], job.arguments["source"]) == ("web-download", SOURCE)
    assert (job.arguments["roles"], job.arguments["project_id"]) == (["member", "reader"], "lab")


def test_stores_that_failed_before_and_are_tried_again(catalog: Catalog) -> None:
    image = register(catalog)
    written(catalog, image, replace(image, properties={"os_glance_failed_import": "one,two"}))
    begun(catalog, image)
    assert reload(catalog, image.id).properties["os_glance_failed_import"] == "two"


@pytest.mark.parametrize(
    ("method", "status"),
    [
        (Method.GLANCE_DIRECT, ImageStatus.QUEUED),
        (Method.COPY_IMAGE, ImageStatus.QUEUED),
        (Method.WEB_DOWNLOAD, ImageStatus.UPLOADING),
        (Method.GLANCE_DOWNLOAD, ImageStatus.IMPORTING),
    ],
)
def test_statuses_that_do_not_allow_it(catalog: Catalog, method: Method, status: ImageStatus) -> None:
    image = register(catalog)
    if status is not image.status:
        put_in_status(catalog, image.id, status)
    with pytest.raises(Conflict, match=status.value):
        begun(catalog, image, method=method, caller=ADMIN)


def test_formats_are_needed_unless_they_come_along(catalog: Catalog) -> None:
    image = register(catalog, disk_format=None)
    with pytest.raises(Conflict, match="disk_format"):
        begun(catalog, image)
    assert begun(catalog, image, method=Method.GLANCE_DOWNLOAD).subject == image.id


def test_one_import_at_a_time(catalog: Catalog) -> None:
    image = active(catalog, "one")
    begun(catalog, image, method=Method.COPY_IMAGE, named=("two",), caller=ADMIN)
    with pytest.raises(Conflict, match="not done"):
        begun(catalog, image, method=Method.COPY_IMAGE, named=("two",), caller=ADMIN)


def test_whose_image_it_is_not(catalog: Catalog) -> None:
    image = register(catalog)
    with pytest.raises(NotFound):
        begun(catalog, image, caller=OTHER)
    with pytest.raises(Forbidden):
        begun(catalog, image, caller=READER)
    with pytest.raises(NotFound):
        begin_import(catalog, SEVERAL, MEMBER, MISSING, Wanted(WEB, source=SOURCE), "req-1")


@pytest.mark.parametrize(
    ("names", "gone", "rest"),
    [(None, [], ""), ("", ["a"], ""), ("a,b,,c", ["b"], "a,c"), ("a", ["a"], ""), ("a,b", [], "a,b")],
)
def test_names_without_some(names: str | None, gone: list[str], rest: str) -> None:
    assert without(names, gone) == rest


class TestTask:
    """An import that makes its image itself."""

    ASKED = {"import_from": SOURCE["url"]}  # noqa: RUF012 - never changed
    WANTED = Wanted(WEB, source=SOURCE, shown=ASKED)
    DRAFT = Draft({"disk_format": "raw", "container_format": "bare"}, {"colour": "red"})

    def test_what_is_noted(self, catalog: Catalog) -> None:
        task = begin_task(catalog, SEVERAL, ADMIN, self.DRAFT, self.WANTED, "req-1")
        assert (task.type, task.status, task.owner) == (TaskType.IMPORT, TaskStatus.PENDING, "office")
        assert task.image_id is not None
        assert catalog.records.tasks.get(task.id, "office").input == self.ASKED
        image = reload(catalog, task.image_id)
        assert (image.status, image.owner) == (ImageStatus.IMPORTING, "office")
        assert image.properties == {
            "colour": "red",
            "os_glance_import_task": task.id,
            "os_glance_importing_to_stores": "one",
            "os_glance_failed_import": "",
        }
        job = catalog.records.jobs.get(task.id)
        assert job is not None
        assert (job.kind, job.subject, job.arguments["deletes_image"]) == ("import", image.id, True)

    def test_who_may_not(self, catalog: Catalog) -> None:
        with pytest.raises(Forbidden):
            begin_task(catalog, SEVERAL, MEMBER, self.DRAFT, self.WANTED, "req-1")

    def test_more_than_an_image_may_have(self, catalog: Catalog) -> None:
        catalog = replace(catalog, limits=Limits(image_property_quota=0))
        with pytest.raises(LimitExceeded):
            begin_task(catalog, SEVERAL, ADMIN, self.DRAFT, self.WANTED, "req-1")
        assert catalog.records.jobs.page(10) == []
