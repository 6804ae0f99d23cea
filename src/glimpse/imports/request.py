"""What a client asks of an import, and the verb that begins it (Image API v2, "Image import")."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from glimpse.catalog.catalog import Catalog, find_image, require_writer
from glimpse.catalog.events import tell_image, tell_task
from glimpse.catalog.images import Draft, drafted
from glimpse.catalog.ports import Resource
from glimpse.catalog.quotas import allowance, unit
from glimpse.catalog.tasks import pending, require_creator
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Invalid, LimitExceeded
from glimpse.domain.image import Image, ImageChange, changed
from glimpse.domain.properties import FAILED_IMPORT, IMPORT_TASK, IMPORTING_TO
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task, TaskType
from glimpse.jobs.ports import Job
from glimpse.transfer.transfer import Stores


class Method(StrEnum):
    """Where the data comes from."""

    GLANCE_DIRECT = "glance-direct"
    WEB_DOWNLOAD = "web-download"
    COPY_IMAGE = "copy-image"
    GLANCE_DOWNLOAD = "glance-download"


# The status that an image must be in.
_STATUS: Mapping[Method, ImageStatus] = {
    Method.GLANCE_DIRECT: ImageStatus.UPLOADING,
    Method.WEB_DOWNLOAD: ImageStatus.QUEUED,
    Method.COPY_IMAGE: ImageStatus.ACTIVE,
    Method.GLANCE_DOWNLOAD: ImageStatus.QUEUED,
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a client asks for. `named` are stores, `header` is one from the request's head.

    `source` is what the method needs to know: `url`, and `token` where that is another Glance's, and what was
    announced of the data: `size` and `checksum`. `shown` is the request as tasks show it. The image becomes
    `failed` if the import fails.
    """

    method: Method
    named: tuple[str, ...] = ()
    header: str | None = None
    all_stores: bool = False
    must_succeed: bool = True
    source: Mapping[str, str] = field(default_factory=dict)
    shown: Mapping[str, Any] = field(default_factory=dict)
    failed: ImageStatus = ImageStatus.QUEUED


def begin_import(
    catalog: Catalog,
    stores: Stores,
    caller: Caller,
    image_id: str,
    wanted: Wanted,
    request_id: str,
    seal: Mapping[str, Any] | None = None,
) -> Job | None:
    """Begin an import: the job does the rest. None: there is nothing to do, all stores have the image.

    By the `seal` the job verifies a signature (None: there is none).

    :raises NotFound: no such image for this caller. :raises Forbidden: policy.
    :raises Conflict: the image is in another status, its formats are not set, another import of it is not
        done, or a store is not known.
    :raises Invalid: the choice of stores contradicts itself, or the image is in one already.
    :raises LimitExceeded: the project stores as much as it may.
    """
    copying = wanted.method is Method.COPY_IMAGE
    image = find_image(catalog, caller, image_id, "copy_image" if copying else "modify_image")
    require_writer(caller)
    check_choice(stores, wanted)
    _require_ready(image, wanted.method)
    targets = _targets(stores, wanted, image if copying else None)
    if not targets:
        return None
    given = {"image_id": image.id, "import_req": dict(wanted.shown), "backend": list(targets)}
    task = pending(catalog, caller, TaskType.API_IMAGE_IMPORT, image, given, request_id)
    job = Job(task.id, task.type.value, image_id, _arguments(catalog, caller, wanted, targets, seal))
    failed = without(image.properties.get(FAILED_IMPORT), targets)
    shown = {IMPORT_TASK: task.id, IMPORTING_TO: ",".join(targets), FAILED_IMPORT: failed}
    change = ImageChange({} if copying else {"status": ImageStatus.IMPORTING}, shown)
    catalog.records.imports.begin(task, job, image.status, change, task.created_at)
    tell_task(catalog, "task.create", task)
    tell_image(catalog, "image.update", changed(image, change, task.created_at))
    return job


def _require_ready(image: Image, method: Method) -> None:
    status = _STATUS[method]
    if image.status is not status:
        raise Conflict(f"Image {image.id} is {image.status}; {method} takes one that is {status}.")
    for name in ("container_format", "disk_format"):
        if getattr(image, name) is None and method is not Method.GLANCE_DOWNLOAD:
            raise Conflict(f"The {name} of image {image.id} must be set before the import.")


def begin_task(
    catalog: Catalog,
    stores: Stores,
    caller: Caller,
    draft: Draft,
    wanted: Wanted,
    request_id: str,
    seal: Mapping[str, Any] | None = None,
) -> Task:
    """Begin an import into an image that the draft describes, of which only success leaves anything.

    `wanted.shown` is the task's input; the `seal` is as with `begin_import`.

    :raises Forbidden: policy. Raises besides what `images.create` does, and as `begin_import` for quotas.
    """
    require_creator(catalog, caller)
    image = drafted(catalog, caller, draft)
    targets = _targets(stores, wanted, None)
    task = pending(catalog, caller, TaskType.IMPORT, image, wanted.shown, request_id)
    arguments = {**_arguments(catalog, caller, wanted, targets, seal), "deletes_image": True}
    job = Job(task.id, task.type.value, image.id, arguments)
    shown = {IMPORT_TASK: task.id, IMPORTING_TO: ",".join(targets), FAILED_IMPORT: ""}
    importing = replace(image, status=ImageStatus.IMPORTING, properties={**image.properties, **shown})
    catalog.records.imports.create(importing, allowance(catalog, caller), task, job)
    tell_task(catalog, "task.create", task)
    tell_image(catalog, "image.create", importing)
    return task


def without(names: str | None, gone: Collection[str]) -> str:
    """A list of names as properties hold it, separated by commas, without some of them."""
    return ",".join(name for name in (names or "").split(",") if name and name not in gone)


def check_choice(stores: Stores, wanted: Wanted) -> None:
    """:raises Invalid: the stores are chosen in ways that exclude each other."""
    if not stores.several and not wanted.must_succeed:
        raise Invalid("all_stores_must_succeed", "it cannot be false where there is only one store")
    if wanted.all_stores and (wanted.named or wanted.header):
        raise Invalid("all_stores", "no other store can be named beside it")
    if wanted.named and wanted.header:
        raise Invalid("stores", "it and the header X-Image-Meta-Store exclude each other")


def _targets(stores: Stores, wanted: Wanted, copied: Image | None) -> tuple[str, ...]:
    """Where the data goes; not where an image that is `copied` lies already."""
    present = stores.holders(copied.locations) if copied else ()
    if not stores.several:
        return tuple(name for name in (stores.default,) if name not in present)
    if wanted.all_stores:
        return tuple(name for name in stores.writable if name not in present)
    chosen = tuple(dict.fromkeys(wanted.named or (wanted.header or stores.default,)))
    for name in chosen:
        if name not in stores.by_id:
            raise Conflict(f"No store is called '{name[:60]}'.")
        if name not in stores.writable:
            raise Conflict(f"The store '{name}' takes no data.")
        if name in present:
            raise Invalid("stores", f"the image is in '{name}' already")
    return chosen


def _arguments(
    catalog: Catalog,
    caller: Caller,
    wanted: Wanted,
    targets: tuple[str, ...],
    seal: Mapping[str, Any] | None,
) -> dict[str, Any]:
    """What the job needs to know. :raises LimitExceeded: the project stores as much as it may."""
    allowed = allowance(catalog, caller)
    if allowed is not None:
        most = allowed.limits.get(Resource.SIZE_TOTAL, 0)
        stored = catalog.records.images.totals(allowed.project_id)[Resource.SIZE_TOTAL]
        if 0 <= most * unit(Resource.SIZE_TOTAL) < stored:
            raise LimitExceeded(Resource.SIZE_TOTAL.value, most, None, "MiB")
    return {
        "method": wanted.method.value,
        "source": dict(wanted.source),
        "stores": list(targets),
        "must_succeed": wanted.must_succeed,
        "failed": wanted.failed.value,
        "roles": sorted(caller.roles),
        "project_id": caller.project_id,
        "limits": None if allowed is None else {str(name): most for name, most in allowed.limits.items()},
        "seal": seal,
    }
