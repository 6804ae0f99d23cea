"""What the verbs tell the outside: the events of the Image service by upstream's names, with their payloads.

Each is told after the commit that made it true. Payloads never hold locations, nor what tasks were given or
found.
"""

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from glimpse.domain.caller import Caller
from glimpse.domain.errors import GlimpseError
from glimpse.domain.image import Image, Member, Visibility
from glimpse.domain.properties import FAILED_IMPORT, IMPORTING_TO
from glimpse.domain.status import ImageStatus
from glimpse.domain.tasks import Task

if TYPE_CHECKING:
    from glimpse.catalog.catalog import Catalog

LOG = logging.getLogger(__name__)

Payload = Mapping[str, object] | str


class Notifier(Protocol):
    """Who passes events on."""

    def wants(self, event: str) -> bool:
        """Whether the operator lets events of this type be sent."""

    def notify(self, event: str, payload: Payload, *, failed: bool = False) -> None:
        """Take an event, of priority ERROR if something `failed`. Does not wait, and never raises."""


def is_told(catalog: "Catalog", *events: str) -> bool:
    """Whether somebody is told of any of these events."""
    return catalog.notifier is not None and any(map(catalog.notifier.wants, events))


def tell_image(catalog: "Catalog", event: str, image: Image, *, deleted_at: datetime | None = None) -> None:
    """Tell what became of an image."""
    if catalog.notifier is not None and catalog.notifier.wants(event):
        catalog.notifier.notify(event, image_payload(image, deleted_at))


def tell_saved(catalog: "Catalog", before: ImageStatus, image: Image) -> None:
    """Tell that an image was changed, and that it became active if it was `queued` or `importing`."""
    if image.status is ImageStatus.ACTIVE and before in (ImageStatus.QUEUED, ImageStatus.IMPORTING):
        tell_image(catalog, "image.activate", image)
    tell_image(catalog, "image.update", image)


def tell_data(catalog: "Catalog", event: str, image: Image, store: str) -> None:
    """Tell that data of an image goes (`image.prepare`) or went (`image.upload`) to a store."""
    if catalog.notifier is None or not catalog.notifier.wants(event):
        return
    lists = {
        name: [store for store in (image.properties.get(name) or "").split(",") if store]
        for name in (IMPORTING_TO, FAILED_IMPORT)
    }
    catalog.notifier.notify(event, {**image_payload(image), **lists, "backend": store})


def tell_failure(catalog: "Catalog", image_id: str, error: BaseException | str) -> None:
    """Tell that data of an image was not stored."""
    if catalog.notifier is not None and catalog.notifier.wants("image.upload"):
        # What is no error of ours may say anything, and is in the log.
        reason = str(error) if isinstance(error, GlimpseError | str) else type(error).__name__
        catalog.notifier.notify(
            "image.upload", f"The data of image {image_id} was not stored: {reason}", failed=True
        )


def tell_sent(catalog: "Catalog", caller: Caller, image: Image, sent: int, expected: int) -> None:
    """Tell how many bytes of an image a caller got, of those that were to be sent."""
    if catalog.notifier is None or not catalog.notifier.wants("image.send"):
        return
    payload = {
        "bytes_sent": sent,
        "image_id": image.id,
        "owner_id": image.owner,
        "receiver_tenant_id": caller.project_id,
        "receiver_user_id": caller.user_id,
    }
    catalog.notifier.notify("image.send", payload, failed=sent != expected)


def tell_member(
    catalog: "Catalog", event: str, member: Member, *, deleted_at: datetime | None = None
) -> None:
    """Tell what became of a member."""
    if catalog.notifier is None or not catalog.notifier.wants(event):
        return
    payload = {
        "image_id": member.image_id,
        "member_id": member.member_id,
        "status": member.status.value,
        **times_payload(member.created_at, member.updated_at),
        **deletion_payload(deleted_at),
    }
    catalog.notifier.notify(event, payload)


def tell_task(catalog: "Catalog", event: str, task: Task) -> None:
    """Tell how far a task is."""
    if catalog.notifier is None or not catalog.notifier.wants(event):
        return
    payload = {
        "id": task.id,
        "type": task.type.value,
        "status": task.status.value,
        "result": None,
        "owner": task.owner,
        "message": None,
        "expires_at": iso_time(task.expires_at),
        **times_payload(task.created_at, task.updated_at),
        **deletion_payload(None),
    }
    catalog.notifier.notify(event, payload)


def tell_task_by_id(catalog: "Catalog", task_id: str, *events: str) -> None:
    """Tell how far the task of a job is, as it is in the records now. Does not raise."""
    if not is_told(catalog, *events):
        return
    try:
        task = catalog.records.tasks.get(task_id, None)
    except GlimpseError as error:
        LOG.warning("%s of task %s is not told: %s", ", ".join(events), task_id, error)
        return
    for event in events:
        tell_task(catalog, event, task)


def tell_image_by_id(catalog: "Catalog", image_id: str, event: str = "image.update") -> None:
    """Tell that an image was changed or deleted, if it was; it is read anew. Does not raise."""
    if not is_told(catalog, event):
        return
    deleted = event == "image.delete"
    try:
        image = catalog.records.images.get(image_id, None, deleted=deleted)
    except GlimpseError as error:
        LOG.warning("%s of image %s is not told: %s", event, image_id, error)
        return
    if (image.status is ImageStatus.DELETED) == deleted:
        tell_image(catalog, event, image, deleted_at=image.updated_at if deleted else None)


def image_payload(image: Image, deleted_at: datetime | None = None) -> dict[str, object]:
    """What events tell of an image."""
    return {
        "id": image.id,
        "name": image.name,
        "status": image.status.value,
        "created_at": iso_time(image.created_at),
        "updated_at": iso_time(image.updated_at),
        "min_disk": image.min_disk,
        "min_ram": image.min_ram,
        "protected": image.protected,
        "checksum": image.checksum,
        "owner": image.owner,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "is_public": image.visibility is Visibility.PUBLIC,
        "visibility": image.visibility.value,
        "properties": dict(image.properties),
        "tags": sorted(image.tags),
        **deletion_payload(deleted_at),
    }


def times_payload(created_at: datetime | None, updated_at: datetime | None) -> dict[str, object]:
    """The two times that most payloads have."""
    return {"created_at": iso_time(created_at), "updated_at": iso_time(updated_at)}


def deletion_payload(deleted_at: datetime | None) -> dict[str, object]:
    """What all payloads say of being deleted."""
    return {"deleted": deleted_at is not None, "deleted_at": iso_time(deleted_at)}


def iso_time(time: datetime | None) -> str | None:
    """A naive UTC time as payloads have it."""
    return None if time is None else f"{time.isoformat(timespec='seconds')}Z"
