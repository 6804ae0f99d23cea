"""What the catalog needs from the records of metadata definitions.

As with the other records, all calls are synchronous, thread-safe and transactional, and each may raise
`Unavailable`. A namespace is named by its `id` once it was found; whoever writes to one that is gone by then
gets `NotFound`. Two that write to the same namespace do so one after the other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from glimpse.domain.caller import Caller
from glimpse.domain.image import Visibility
from glimpse.domain.metadefs import Association, Definition, Namespace, Part, PartKind, ResourceType


@dataclass(frozen=True, slots=True)
class NamespaceQuery:
    """One page of namespaces, in the order of a column; ties are broken by age. It starts after `marker`."""

    limit: int
    sort_key: str = "created_at"
    descending: bool = True
    visibility: Visibility | None = None
    resource_types: tuple[str, ...] = ()
    marker: Namespace | None = None


class LoadMode(StrEnum):
    """What to do with a namespace that is there already."""

    SKIP = "skip"
    MERGE = "merge"
    PREFER_NEW = "prefer new"
    OVERWRITE = "overwrite"


class Outcome(StrEnum):
    """What became of a namespace that was loaded."""

    CREATED = "created"
    SKIPPED = "skipped"
    MERGED = "merged"
    OVERWRITTEN = "overwritten"


class MetadefRecords(Protocol):
    """Namespaces, their parts and the types of resource."""

    def page(self, query: NamespaceQuery, viewer: Caller) -> list[Namespace]:
        """At most `query.limit` namespaces that `viewer` may see, with associations, in one statement."""

    def get(self, name: str) -> Namespace:
        """The namespace with its associations, in one statement. Visibility is not judged here.

        :raises NotFound: no such namespace.
        """

    def create(self, definition: Definition, now: datetime) -> None:
        """Insert a namespace with all its parts; types of resource that are new are made.

        :raises Duplicate: the name of the namespace, or of one of its parts, is taken.
        """

    def change(self, namespace: Namespace, now: datetime) -> None:
        """Replace the fields of the namespace with this id, but not its associations.

        :raises NotFound: it is gone. :raises Duplicate: its new name is taken.
        """

    def delete(self, namespace: Namespace) -> None:
        """Delete the namespace and all that belongs to it.

        :raises NotFound: it is gone. :raises Forbidden: it is protected.
        """

    def parts(self, namespace: Namespace, kind: PartKind | None = None) -> list[Part]:
        """The parts of one kind or of all, the oldest of each first, in one statement."""

    def part(self, namespace: Namespace, kind: PartKind, name: str) -> Part:
        """:raises NotFound: the namespace has no such part."""

    def add_parts(self, namespace: Namespace, parts: Sequence[Part], now: datetime) -> None:
        """:raises NotFound: the namespace is gone. :raises Duplicate: a name is taken; nothing was added."""

    def replace_tags(self, namespace: Namespace, tags: Sequence[Part], now: datetime) -> None:
        """Put `tags` in the place of all tags.

        :raises NotFound: the namespace is gone. :raises Duplicate: one name for two of them.
        """

    def change_part(self, namespace: Namespace, name: str, part: Part, now: datetime) -> None:
        """Replace the part of that kind and name.

        :raises NotFound: the namespace or the part is gone. :raises Duplicate: the new name is taken.
        """

    def delete_part(self, namespace: Namespace, kind: PartKind, name: str) -> None:
        """:raises NotFound: there is none. :raises Forbidden: the namespace is protected."""

    def delete_parts(self, namespace: Namespace, kind: PartKind) -> None:
        """Delete all parts of a kind.

        :raises NotFound: the namespace is gone. :raises Forbidden: it is protected.
        """

    def resource_types(self) -> list[ResourceType]:
        """All types of resource, by name."""

    def associate(self, namespace: Namespace, association: Association, now: datetime) -> None:
        """Associate a type of resource, which is made if it is new.

        :raises NotFound: the namespace is gone. :raises Duplicate: the type is associated already.
        """

    def dissociate(self, namespace: Namespace, name: str) -> None:
        """:raises NotFound: the type is not associated. :raises Forbidden: the namespace is protected."""

    def load(self, definition: Definition, mode: LoadMode, now: datetime) -> Outcome:
        """Bring a namespace in, in one transaction. :raises Duplicate: one name for two parts."""

    def clear(self) -> None:
        """Delete everything, types of resource too."""
