from collections.abc import Mapping
from dataclasses import dataclass, replace

import pytest

from glimpse.catalog.catalog import Catalog, Limits
from glimpse.catalog.data import begin_upload
from glimpse.catalog.ports import Resource
from glimpse.catalog.quotas import MIB, Usage, usage
from glimpse.domain.errors import LimitExceeded
from glimpse.jobs.worker import Worker
from tests.unit.world import MEMBER, NOBODYS, register

WORKER = Worker("w")


@dataclass(frozen=True)
class Fixed:
    """The same limits for all projects."""

    limits: Mapping[Resource, int]

    def of(self, project_id: str) -> Mapping[Resource, int]:
        return self.limits


def limited(catalog: Catalog, **limits: int) -> Catalog:
    open_ones = dict.fromkeys(Resource, -1)
    given = {Resource(name): limit for name, limit in limits.items()}
    return replace(catalog, quotas=Fixed(open_ones | given))


def test_without_limits_elsewhere_there_is_nothing_to_tell(catalog: Catalog) -> None:
    assert usage(catalog, MEMBER) == {}
    assert usage(limited(catalog), NOBODYS) == {}


def test_usage(catalog: Catalog) -> None:
    catalog = limited(catalog, image_size_total=4, image_count_total=2, image_stage_total=0)
    image = register(catalog)
    begin_upload(catalog, WORKER, MEMBER, image.id, "file", 3 * MIB - 1)
    assert usage(catalog, MEMBER) == {
        "image_size_total": Usage(2, 4),
        "image_stage_total": Usage(0, 0),
        "image_count_total": Usage(1, 2),
        "image_count_uploading": Usage(1, -1),
    }


def test_the_number_of_images(catalog: Catalog) -> None:
    catalog = limited(catalog, image_count_total=1)
    register(catalog)
    with pytest.raises(LimitExceeded):
        register(catalog)


def test_uploads(catalog: Catalog) -> None:
    catalog = limited(catalog, image_size_total=1, image_count_uploading=1)
    first, second = register(catalog), register(catalog)
    with pytest.raises(LimitExceeded) as refused:
        begin_upload(catalog, WORKER, MEMBER, first.id, "file", MIB + 1)
    assert refused.value.limit == "image_size_total"
    write = begin_upload(catalog, WORKER, MEMBER, first.id, "file", 10)
    assert (write.ceiling.limit, write.ceiling.maximum) == ("image_size_total", MIB)
    with pytest.raises(LimitExceeded) as refused:
        begin_upload(catalog, WORKER, MEMBER, second.id, "file", 10)
    assert refused.value.limit == "image_count_uploading"


def test_a_full_project_is_told_before_it_sends(catalog: Catalog) -> None:
    catalog = limited(catalog, image_size_total=0)
    with pytest.raises(LimitExceeded):
        begin_upload(catalog, WORKER, MEMBER, register(catalog).id, "file", None)


def test_the_local_quota_does_not_count_beside_them(catalog: Catalog) -> None:
    catalog = limited(replace(catalog, limits=Limits(user_storage_quota=1)))
    assert (
        begin_upload(catalog, WORKER, MEMBER, register(catalog).id, "file", 10).ceiling.limit
        == "image_size_cap"
    )
