"""The state machine of images as data (Image API v2, "Image statuses")."""

from collections.abc import Mapping
from enum import StrEnum


class ImageStatus(StrEnum):
    """The life of an image."""

    QUEUED = "queued"
    SAVING = "saving"
    UPLOADING = "uploading"
    IMPORTING = "importing"
    ACTIVE = "active"
    DEACTIVATED = "deactivated"
    KILLED = "killed"
    PENDING_DELETE = "pending_delete"
    DELETED = "deleted"


_I = ImageStatus

IMAGE_TRANSITIONS: Mapping[ImageStatus, frozenset[ImageStatus]] = {
    # Killed without having been saved: the data that it came with (API v1) was refused.
    _I.QUEUED: frozenset({_I.SAVING, _I.UPLOADING, _I.IMPORTING, _I.ACTIVE, _I.KILLED, _I.DELETED}),
    _I.SAVING: frozenset({_I.ACTIVE, _I.QUEUED, _I.KILLED, _I.DELETED}),
    _I.UPLOADING: frozenset({_I.IMPORTING, _I.QUEUED, _I.KILLED, _I.DELETED}),
    _I.IMPORTING: frozenset({_I.ACTIVE, _I.QUEUED, _I.KILLED, _I.DELETED}),
    _I.ACTIVE: frozenset({_I.DEACTIVATED, _I.PENDING_DELETE, _I.DELETED}),
    # Upstream forgets pending_delete here, so that a deactivated image cannot be deleted with a delay.
    _I.DEACTIVATED: frozenset({_I.ACTIVE, _I.PENDING_DELETE, _I.DELETED}),
    _I.KILLED: frozenset({_I.DELETED}),
    # Restored is what it was: upstream makes a deactivated image active, so that all may read it again.
    _I.PENDING_DELETE: frozenset({_I.DELETED, _I.ACTIVE, _I.DEACTIVATED}),
    _I.DELETED: frozenset(),
}

# Statuses that mean "gone" to everybody who asks through the API.
GONE = frozenset({ImageStatus.DELETED, ImageStatus.PENDING_DELETE})

# Statuses in which the formats of an image may still be changed.
FORMATS_OPEN = frozenset({ImageStatus.QUEUED, ImageStatus.IMPORTING})


def sources_of(target: ImageStatus) -> frozenset[ImageStatus]:
    """The statuses from which an image may become `target`."""
    return frozenset(source for source, targets in IMAGE_TRANSITIONS.items() if target in targets)
