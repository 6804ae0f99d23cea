"""Metadata definitions: what names and values of properties mean (Image API v2, "Metadefs"), in namespaces.

A namespace has parts (properties, objects that group properties, tags), and says by associations to which
types of resource it applies. Values that were not stored yet have no id and no times.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from glimpse.domain.image import Visibility


class PartKind(StrEnum):
    """What a part of a namespace is."""

    PROPERTY = "property"
    OBJECT = "object"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class Part:
    """A property, object or tag, by name.

    `schema` is the JSON schema of a property, or the properties of an object by name. `description` and
    `required` (names of properties) are an object's.
    """

    kind: PartKind
    name: str
    schema: Mapping[str, object] = field(default_factory=dict)
    description: str | None = None
    required: tuple[str, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Association:
    """A type of resource to which a namespace applies; there its properties' names begin with `prefix`."""

    name: str
    prefix: str | None = None
    properties_target: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ResourceType:
    """A type of resource that some namespace applies to, or once did."""

    name: str
    created_at: datetime
    updated_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace without its parts. `id` is the number under which records know it."""

    namespace: str
    owner: str
    visibility: Visibility = Visibility.PRIVATE
    protected: bool = False
    display_name: str | None = None
    description: str | None = None
    associations: tuple[Association, ...] = ()
    created_at: datetime | None = None
    updated_at: datetime | None = None
    id: int = 0


@dataclass(frozen=True, slots=True)
class Definition:
    """A namespace with all its parts."""

    namespace: Namespace
    parts: tuple[Part, ...] = ()

    def of(self, kind: PartKind) -> list[Part]:
        """The parts of one kind, in order."""
        return [part for part in self.parts if part.kind is kind]


def prefix_of(namespace: Namespace, resource_type: str | None) -> str:
    """With what the names of the namespace's properties begin on a type of resource; "" if unassociated."""
    found = [item.prefix for item in namespace.associations if item.name == resource_type]
    return (found[0] or "") if found else ""
