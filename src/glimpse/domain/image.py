"""The image and what belongs to it, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from glimpse.domain.status import ImageStatus


class Visibility(StrEnum):
    """Who can find an image: everybody, everybody who knows of it, its members, its owner."""

    PUBLIC = "public"
    COMMUNITY = "community"
    SHARED = "shared"
    PRIVATE = "private"


class MemberStatus(StrEnum):
    """What a project answered to being offered an image."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class Location:
    """A place where the whole image rests. `metadata["store"]` names the store; the rest is its bringer's."""

    url: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Digests:
    """Hexadecimal digests of the image's bytes: MD5, and one more by the algorithm that is named."""

    checksum: str
    os_hash_algo: str
    os_hash_value: str


@dataclass(frozen=True, slots=True)
class Image:
    """One image as the catalog knows it. Sizes are bytes; min_ram is MiB and min_disk GiB; times are UTC."""

    id: str
    status: ImageStatus
    visibility: Visibility
    created_at: datetime
    updated_at: datetime
    name: str | None = None
    disk_format: str | None = None
    container_format: str | None = None
    size: int | None = None
    virtual_size: int | None = None
    checksum: str | None = None
    os_hash_algo: str | None = None
    os_hash_value: str | None = None
    min_ram: int = 0
    min_disk: int = 0
    owner: str | None = None
    protected: bool = False
    os_hidden: bool = False
    properties: Mapping[str, str | None] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    locations: tuple[Location, ...] = ()
    # The project through whose membership the caller sees the image, if it is a member.
    member: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """A project with which an image is shared."""

    image_id: str
    member_id: str
    status: MemberStatus
    created_at: datetime
    updated_at: datetime
    # Whether it may share the image with others. Only the API v1 knows that.
    can_share: bool = False


@dataclass(frozen=True, slots=True)
class ImageChange:
    """The difference between an image and what it becomes: only what is named here is written.

    `columns` holds base attributes by name; `properties` the custom properties to set;
    `dropped` the custom properties to remove; tags likewise. `locations` are those before and after.
    """

    columns: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    tags_added: frozenset[str] = frozenset()
    tags_removed: frozenset[str] = frozenset()
    locations: tuple[tuple[Location, ...], tuple[Location, ...]] | None = None

    def __bool__(self) -> bool:
        children = self.properties or self.dropped or self.tags_added or self.tags_removed
        return bool(self.columns or children or self.locations)


def changed(image: Image, change: ImageChange, now: datetime) -> Image:
    """The image as a change makes it."""
    kept = {name: value for name, value in image.properties.items() if name not in change.dropped}
    columns: Mapping[str, Any] = change.columns
    return replace(
        image,
        updated_at=now,
        properties={**kept, **change.properties},
        tags=(image.tags | change.tags_added) - change.tags_removed,
        locations=image.locations if change.locations is None else change.locations[1],
        **columns,
    )


# The attributes that an edit may change, directly or by what it does to the locations.
EDITABLE = (
    "name",
    "disk_format",
    "container_format",
    "visibility",
    "min_ram",
    "min_disk",
    "owner",
    "protected",
    "os_hidden",
    "status",
    "size",
    "checksum",
    "os_hash_algo",
    "os_hash_value",
)


def difference(before: Image, after: Image) -> ImageChange:
    """What must be written so that `before` becomes `after`."""
    columns = {
        name: getattr(after, name) for name in EDITABLE if getattr(after, name) != getattr(before, name)
    }
    properties = {
        name: value
        for name, value in after.properties.items()
        if name not in before.properties or before.properties[name] != value
    }
    return ImageChange(
        columns=columns,
        properties=properties,
        dropped=frozenset(before.properties.keys() - after.properties.keys()),
        tags_added=after.tags - before.tags,
        tags_removed=before.tags - after.tags,
        locations=None if after.locations == before.locations else (before.locations, after.locations),
    )
