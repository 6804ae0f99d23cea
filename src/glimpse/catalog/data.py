"""The verbs with which `transfer` asks to begin, commit and undo a write, and to read."""

from dataclasses import dataclass
from uuid import uuid4

from glimpse.catalog.catalog import Catalog, find_image, require, require_writer
from glimpse.catalog.ports import Intent, IntentKind, WrittenData
from glimpse.catalog.worker import Worker
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, Invalid, LimitExceeded
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most bytes that may come in, and the name of the limit that says so."""

    limit: str
    maximum: int


@dataclass(frozen=True, slots=True)
class Write:
    """A write that has begun: what it is for, its intent, and how many bytes it may bring."""

    image: Image
    intent: Intent
    ceiling: Ceiling


def begin_upload(
    catalog: Catalog, worker: Worker, caller: Caller, image_id: str, store: str, size: int | None
) -> Write:
    """Take the image from queued to saving for `size` bytes (None: unknown) into `store`.

    :raises NotFound: no such image for this caller. :raises Forbidden: policy.
    :raises Invalid: the image's formats are not set. :raises Conflict: it is not queued.
    :raises LimitExceeded: `size` is above the size cap or what is left of the storage quota.
    """
    image = find_image(catalog, caller, image_id)
    require_writer(caller)
    require(catalog, caller, "upload_image", image)
    for name in ("disk_format", "container_format"):
        if getattr(image, name) is None:
            raise Invalid(name, "must be set before data is uploaded")
    if image.status is not ImageStatus.QUEUED:
        raise Conflict(f"Image {image_id} is {image.status}; data can only be uploaded while it is queued.")
    ceiling = _ceiling(catalog, caller, size)
    if size is not None and size > ceiling.maximum:
        raise LimitExceeded(ceiling.limit, ceiling.maximum, size, "bytes")
    intent = Intent(
        id=str(uuid4()),
        kind=IntentKind.WRITE,
        image_id=image_id,
        store=store,
        target=image_id,
        worker=worker.id,
        lease_until=worker.lease_until(),
        project_id=caller.project_id,
        reserved_bytes=size or 0,
    )
    catalog.records.intents.begin_write(intent, catalog.limits.user_storage_quota, catalog.clock())
    return Write(image, intent, ceiling)


def _ceiling(catalog: Catalog, caller: Caller, size: int | None) -> Ceiling:
    cap = Ceiling("image_size_cap", catalog.limits.image_size_cap)
    quota = catalog.limits.user_storage_quota
    if quota is None or caller.project_id is None:
        return cap
    left = max(0, quota - catalog.records.images.usage(caller.project_id))
    if left == 0 and size is None:
        raise LimitExceeded("user_storage_quota", quota, None, "bytes")
    return min(cap, Ceiling("user_storage_quota", left), key=lambda ceiling: ceiling.maximum)


def commit_write(catalog: Catalog, write: Write, data: WrittenData) -> None:
    """Publish what was written. Raises as `IntentRecords.commit_write`."""
    catalog.records.intents.commit_write(
        write.intent.id, write.intent.worker, data, catalog.limits.user_storage_quota, catalog.clock()
    )


def undo_write(catalog: Catalog, intent: Intent) -> bool:
    """Give up a write: the image goes back to queued. Answers and raises as `IntentRecords.undo_write`."""
    return catalog.records.intents.undo_write(intent.id, intent.worker, catalog.clock())


def readable(catalog: Catalog, caller: Caller, image_id: str) -> Image:
    """The image, if the caller may read its data.

    :raises NotFound: no such image for this caller.
    :raises Forbidden: policy, or the image is deactivated and the caller no administrator.
    """
    image = find_image(catalog, caller, image_id)
    if image.status is ImageStatus.DEACTIVATED and not caller.is_admin:
        raise Forbidden(f"Image {image_id} is deactivated.")
    require(catalog, caller, "download_image", image)
    return image
