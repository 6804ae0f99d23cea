"""The verbs with which `transfer` asks to begin, commit and undo a write, and to read."""

from dataclasses import dataclass, replace
from uuid import uuid4

from glimpse.catalog.catalog import Catalog, find_image, require, require_writer
from glimpse.catalog.events import tell_data, tell_image, tell_image_by_id
from glimpse.catalog.import_ports import Staged
from glimpse.catalog.ports import Allowance, Intent, IntentKind, WrittenData
from glimpse.catalog.quotas import Ceiling, allowance, ceiling, storage_quota
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, Invalid
from glimpse.domain.image import Image
from glimpse.domain.status import ImageStatus
from glimpse.jobs.worker import Worker


@dataclass(frozen=True, slots=True)
class Write:
    """A write that has begun: what it is for, its intent, how many bytes it may bring, of which allowance."""

    image: Image
    intent: Intent
    ceiling: Ceiling
    allowance: Allowance | None = None


def begin_upload(
    catalog: Catalog, worker: Worker, caller: Caller, image_id: str, store: str, size: int | None
) -> Write:
    """Take the image from queued to saving for `size` bytes (None: unknown) into `store`.

    :raises NotFound: no such image for this caller. :raises Forbidden: policy.
    :raises Invalid: the image's formats are not set. :raises Conflict: it is not queued.
    :raises LimitExceeded: `size` is above the size cap or what is left of a quota, or too many uploads run.
    """
    image = find_image(catalog, caller, image_id, "upload_image")
    require_writer(caller)
    for name in ("disk_format", "container_format"):
        if getattr(image, name) is None:
            raise Invalid(name, "must be set before data is uploaded")
    if image.status is not ImageStatus.QUEUED:
        raise Conflict(f"Image {image_id} is {image.status}; data can only be uploaded while it is queued.")
    write = _begin(catalog, worker, caller, image, store, image_id, size, ImageStatus.SAVING)
    tell_data(catalog, "image.prepare", write.image, store)
    return write


def begin_stage(
    catalog: Catalog,
    worker: Worker,
    caller: Caller,
    image_id: str,
    store: str,
    size: int | None,
    *,
    apart: bool,
) -> Write:
    """Take the image from queued to uploading for `size` bytes (None: unknown) into `store`.

    `apart` keeps the name free under which the store has the data of the image.

    :raises NotFound, Forbidden, Conflict, LimitExceeded: as `begin_upload`.
    """
    image = find_image(catalog, caller, image_id, "modify_image")
    require_writer(caller)
    if image.status is not ImageStatus.QUEUED:
        raise Conflict(f"Image {image_id} is {image.status}; data can only be staged while it is queued.")
    target = f"{image_id}.staged" if apart else image_id
    return _begin(catalog, worker, caller, image, store, target, size, ImageStatus.UPLOADING)


def _begin(
    catalog: Catalog,
    worker: Worker,
    caller: Caller,
    image: Image,
    store: str,
    target: str,
    size: int | None,
    status: ImageStatus,
) -> Write:
    allowed = allowance(catalog, caller)
    most = ceiling(catalog, caller, allowed, size)
    intent = Intent(
        id=str(uuid4()),
        kind=IntentKind.WRITE,
        image_id=image.id,
        store=store,
        target=target,
        worker=worker.id,
        lease_until=worker.lease_until(),
        project_id=caller.project_id,
        reserved_bytes=size or 0,
    )
    now = catalog.clock()
    catalog.records.intents.begin_write(intent, storage_quota(catalog), now, allowed, status)
    begun = replace(image, status=status, updated_at=now)
    tell_image(catalog, "image.update", begun)
    return Write(begun, intent, most, allowed)


def commit_write(catalog: Catalog, write: Write, data: WrittenData) -> None:
    """Publish what was written. Raises as `IntentRecords.commit_write`."""
    now = catalog.clock()
    catalog.records.intents.commit_write(
        write.intent.id, write.intent.worker, data, storage_quota(catalog), now, write.allowance
    )
    stored = replace(
        write.image,
        status=ImageStatus.ACTIVE,
        updated_at=now,
        size=data.size,
        virtual_size=data.virtual_size,
        checksum=data.digests.checksum,
        os_hash_algo=data.digests.os_hash_algo,
        os_hash_value=data.digests.os_hash_value,
    )
    tell_data(catalog, "image.upload", stored, write.intent.store)
    tell_image(catalog, "image.activate", stored)
    tell_image(catalog, "image.update", stored)


def commit_stage(catalog: Catalog, write: Write, staged: Staged) -> None:
    """Note what was staged. Raises as `IntentRecords.commit_write`."""
    now = catalog.clock()
    catalog.records.imports.commit_stage(
        write.intent.id, write.intent.worker, staged, storage_quota(catalog), now, write.allowance
    )
    tell_image(catalog, "image.update", replace(write.image, updated_at=now))


def undo_write(catalog: Catalog, intent: Intent, status: ImageStatus = ImageStatus.QUEUED) -> bool:
    """Give up a write: the image goes into this status. Answers and raises as `IntentRecords.undo_write`."""
    undone = catalog.records.intents.undo_write(intent.id, intent.worker, catalog.clock(), status)
    if undone:
        tell_image_by_id(catalog, intent.image_id)
    return undone


def readable(catalog: Catalog, caller: Caller, image_id: str, *, choosing: bool = False) -> Image:
    """The image, if the caller may read its data, and (if `choosing`) say from which store.

    :raises NotFound: no such image for this caller.
    :raises Forbidden: policy, or the image is deactivated and the caller no administrator.
    """
    image = find_image(catalog, caller, image_id, "download_image")
    if choosing:
        require(catalog, caller, "download_from_store", image)
    if image.status is ImageStatus.DEACTIVATED and not caller.is_admin:
        raise Forbidden(f"Image {image_id} is deactivated.")
    return image
