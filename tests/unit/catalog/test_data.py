from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.access.policy import OsloPolicy
from glimpse.catalog.catalog import Catalog, Limits
from glimpse.catalog.data import begin_upload, commit_write, readable, undo_write
from glimpse.catalog.images import deactivate, delete
from glimpse.catalog.members import add_member
from glimpse.catalog.ports import IntentKind, WrittenData
from glimpse.config.settings import read_config
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, Gone, Invalid, LimitExceeded, NotFound
from glimpse.domain.image import Digests, Image, Location, Visibility
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker
from tests.unit.world import ADMIN, ANONYMOUS, MEMBER, MISSING, OTHER, READER, put_in_status, register, reload

WORKER = Worker("worker", clock=lambda: 100.0)


def written(size: int = 3) -> WrittenData:
    return WrittenData(Location("file:///x", {"store": "file"}), size, 7, Digests("c", "sha512", "v"))


def upload(catalog: Catalog, image: Image, caller: Caller = MEMBER, size: int | None = 3) -> None:
    commit_write(catalog, begin_upload(catalog, WORKER, caller, image.id, "file", size), written(size or 3))


def test_a_write_from_begin_to_commit(catalog: Catalog) -> None:
    image = register(catalog)
    write = begin_upload(catalog, WORKER, MEMBER, image.id, "file", 3)
    assert reload(catalog, image.id).status is ImageStatus.SAVING
    intent = write.intent
    assert (intent.kind, intent.image_id, intent.store, intent.worker) == (
        IntentKind.WRITE,
        image.id,
        "file",
        "worker",
    )
    assert (intent.lease_until, intent.project_id, intent.reserved_bytes) == (110.0, "lab", 3)
    commit_write(catalog, write, written())
    after = reload(catalog, image.id)
    assert (after.status, after.size, after.virtual_size) == (ImageStatus.ACTIVE, 3, 7)
    assert (after.checksum, after.os_hash_algo, after.os_hash_value) == ("c", "sha512", "v")
    assert after.locations == (Location("file:///x", {"store": "file"}),)
    assert catalog.records.intents.expired(1000.0, 10) == []


def test_who_may_say_from_which_store(catalog: Catalog, tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text('"download_from_store": "role:admin"\n')
    (tmp_path / "x.conf").write_text(f"[oslo_policy]\npolicy_file = {tmp_path}/policy.yaml\n")
    strict = replace(catalog, policy=OsloPolicy(read_config([f"{tmp_path}/x.conf"])))
    image = register(catalog)
    upload(catalog, image)
    assert readable(catalog, MEMBER, image.id, choosing=True) == readable(strict, MEMBER, image.id)
    assert readable(strict, ADMIN, image.id, choosing=True).id == image.id
    with pytest.raises(Forbidden, match="download_from_store"):
        readable(strict, MEMBER, image.id, choosing=True)


def test_a_write_that_is_undone(catalog: Catalog) -> None:
    image = register(catalog)
    write = begin_upload(catalog, WORKER, MEMBER, image.id, "file", None)
    undo_write(catalog, write.intent)
    assert reload(catalog, image.id) == image
    with pytest.raises(Conflict):
        commit_write(catalog, write, written())


def test_a_write_whose_image_was_deleted(catalog: Catalog) -> None:
    image = register(catalog)
    write = begin_upload(catalog, WORKER, MEMBER, image.id, "file", None)
    delete(catalog, WORKER, MEMBER, image.id)
    with pytest.raises(Gone):
        commit_write(catalog, write, written())


@pytest.mark.parametrize("name", ["disk_format", "container_format"])
def test_formats_must_be_set(catalog: Catalog, name: str) -> None:
    image = register(catalog, **{name: None})  # type: ignore[arg-type]
    with pytest.raises(Invalid) as refused:
        begin_upload(catalog, WORKER, MEMBER, image.id, "file", 3)
    assert refused.value.field == name
    assert reload(catalog, image.id) == image


@pytest.mark.parametrize("status", [ImageStatus.SAVING, ImageStatus.ACTIVE, ImageStatus.IMPORTING])
def test_only_queued_images_take_data(catalog: Catalog, status: ImageStatus) -> None:
    image = register(catalog)
    put_in_status(catalog, image.id, status)
    with pytest.raises(Conflict):
        begin_upload(catalog, WORKER, MEMBER, image.id, "file", 3)


def test_who_may_upload(catalog: Catalog) -> None:
    public, private = register(catalog, visibility=Visibility.PUBLIC), register(catalog)
    for caller in (READER, OTHER, ANONYMOUS):
        with pytest.raises(Forbidden):
            begin_upload(catalog, WORKER, caller, public.id, "file", 3)
    for image_id in (private.id, MISSING):
        with pytest.raises(NotFound):
            begin_upload(catalog, WORKER, OTHER, image_id, "file", 3)
    begin_upload(catalog, WORKER, ADMIN, private.id, "file", 3)


def test_the_size_cap(catalog: Catalog) -> None:
    image = register(catalog)
    capped = replace(catalog, limits=Limits(image_size_cap=10))
    with pytest.raises(LimitExceeded) as refused:
        begin_upload(capped, WORKER, MEMBER, image.id, "file", 11)
    assert (refused.value.limit, refused.value.maximum, refused.value.attempted) == ("image_size_cap", 10, 11)
    assert reload(catalog, image.id) == image
    ceiling = begin_upload(capped, WORKER, MEMBER, image.id, "file", 10).ceiling
    assert (ceiling.limit, ceiling.maximum) == ("image_size_cap", 10)


def test_the_storage_quota(catalog: Catalog) -> None:
    limited = replace(catalog, limits=Limits(user_storage_quota=10))
    upload(limited, register(catalog), size=6)
    image = register(catalog)
    with pytest.raises(LimitExceeded) as refused:
        begin_upload(limited, WORKER, MEMBER, image.id, "file", 5)
    assert refused.value.limit == "user_storage_quota"
    assert reload(catalog, image.id) == image
    write = begin_upload(limited, WORKER, MEMBER, image.id, "file", None)
    assert (write.ceiling.limit, write.ceiling.maximum) == ("user_storage_quota", 4)
    with pytest.raises(LimitExceeded):
        commit_write(limited, write, written(5))
    commit_write(limited, write, written(4))
    full = register(catalog)
    with pytest.raises(LimitExceeded) as refused:
        begin_upload(limited, WORKER, MEMBER, full.id, "file", None)
    assert refused.value.maximum == 10


def test_what_is_reserved_counts(catalog: Catalog) -> None:
    limited = replace(catalog, limits=Limits(user_storage_quota=10))
    begin_upload(limited, WORKER, MEMBER, register(catalog).id, "file", 6)
    with pytest.raises(LimitExceeded):
        begin_upload(limited, WORKER, MEMBER, register(catalog).id, "file", 5)


def test_the_quota_of_whoever_uploads_counts(catalog: Catalog) -> None:
    limited = replace(catalog, limits=Limits(user_storage_quota=10))
    upload(limited, register(catalog), size=10)
    begin_upload(limited, WORKER, ADMIN, register(catalog).id, "file", 10)


def test_an_empty_image_fits_into_a_full_quota(catalog: Catalog) -> None:
    limited = replace(catalog, limits=Limits(user_storage_quota=10))
    upload(limited, register(catalog), size=10)
    begin_upload(limited, WORKER, MEMBER, register(catalog).id, "file", 0)


def test_who_may_read(catalog: Catalog) -> None:
    public, shared, private = (
        register(catalog, visibility=visibility)
        for visibility in (Visibility.PUBLIC, Visibility.SHARED, Visibility.PRIVATE)
    )
    add_member(catalog, MEMBER, shared.id, "elsewhere")
    assert readable(catalog, OTHER, public.id).id == public.id
    assert readable(catalog, OTHER, shared.id).id == shared.id
    assert readable(catalog, MEMBER, private.id).id == private.id
    with pytest.raises(NotFound):
        readable(catalog, OTHER, private.id)
    for image in (public, shared, private):
        with pytest.raises(Forbidden, match="download_image"):
            readable(catalog, READER, image.id)


def test_deactivated_images_are_read_by_administrators_alone(catalog: Catalog) -> None:
    image = register(catalog)
    upload(catalog, image)
    deactivate(catalog, ADMIN, image.id)
    with pytest.raises(Forbidden, match="deactivated"):
        readable(catalog, MEMBER, image.id)
    assert readable(catalog, ADMIN, image.id).id == image.id
