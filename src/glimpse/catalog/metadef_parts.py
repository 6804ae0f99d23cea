"""The verbs on the parts of a namespace: properties, objects and tags."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from glimpse.catalog.catalog import Catalog
from glimpse.catalog.events import is_told
from glimpse.catalog.metadef_events import tell_namespace, tell_part
from glimpse.catalog.metadefs import find_namespace, find_to_change
from glimpse.domain.caller import Caller
from glimpse.domain.errors import NotFound
from glimpse.domain.metadefs import Part, PartKind, prefix_of


@dataclass(frozen=True, slots=True)
class _Rules:
    """The policy rules about parts of one kind, and the event that all of them were deleted."""

    page: tuple[str, ...]
    show: str
    add: str
    change: str
    delete: str
    delete_all: tuple[str, ...]
    deleted_all: str


_RULES = {
    PartKind.OBJECT: _Rules(
        page=("get_metadef_objects", "get_metadef_object"),
        show="get_metadef_object",
        add="add_metadef_object",
        change="modify_metadef_object",
        delete="delete_metadef_object",
        delete_all=("delete_metadef_namespace",),
        deleted_all="delete_objects",
    ),
    PartKind.PROPERTY: _Rules(
        page=("get_metadef_properties", "get_metadef_property"),
        show="get_metadef_property",
        add="add_metadef_property",
        change="modify_metadef_property",
        delete="remove_metadef_property",
        delete_all=("delete_metadef_namespace",),
        deleted_all="delete_properties",
    ),
    PartKind.TAG: _Rules(
        page=("get_metadef_tags", "get_metadef_tag"),
        show="get_metadef_tag",
        add="add_metadef_tag",
        change="modify_metadef_tag",
        delete="delete_metadef_tag",
        delete_all=("delete_metadef_namespace", "delete_metadef_tags"),
        deleted_all="delete_tags",
    ),
}


@dataclass(frozen=True, slots=True)
class TagQuery:
    """A page of tags: in the order of a field, ties by age, after the tag named `marker`."""

    limit: int
    sort_key: str = "created_at"
    descending: bool = True
    marker: str | None = None


def parts(catalog: Catalog, caller: Caller, name: str, kind: PartKind) -> list[Part]:
    """The parts of one kind, the oldest first.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    """
    namespace = find_namespace(catalog, caller, name, *_RULES[kind].page)
    return catalog.records.metadefs.parts(namespace, kind)


def page_tags(catalog: Catalog, caller: Caller, name: str, query: TagQuery) -> list[Part]:
    """A page of tags. A namespace has few; all are read.

    :raises NotFound: no such namespace for this caller, or no such marker. :raises Forbidden: policy.
    """
    # The sort is stable, and what it sorts is in order of age.
    tags = parts(catalog, caller, name, PartKind.TAG)
    if query.descending:
        tags.reverse()
    tags.sort(key=lambda tag: str(getattr(tag, query.sort_key)), reverse=query.descending)
    if query.marker is not None:
        names = [tag.name for tag in tags]
        if query.marker not in names:
            raise NotFound("tag", query.marker)
        tags = tags[names.index(query.marker) + 1 :]
    return tags[: query.limit]


def show(catalog: Catalog, caller: Caller, name: str, kind: PartKind, part: str) -> Part:
    """One part.

    :raises NotFound: no such namespace for this caller, or no such part. :raises Forbidden: policy.
    """
    namespace = find_namespace(catalog, caller, name, _RULES[kind].show)
    return catalog.records.metadefs.part(namespace, kind, part)


def show_property(
    catalog: Catalog, caller: Caller, name: str, wanted: str, resource_type: str | None
) -> Part:
    """A property, by the name that it has on `resource_type` where one is given.

    :raises NotFound: no such namespace for this caller, type not associated, or no such property.
    :raises Forbidden: policy.
    """
    namespace = find_namespace(catalog, caller, name, _RULES[PartKind.PROPERTY].show)
    if resource_type is not None:
        if resource_type not in [item.name for item in namespace.associations]:
            raise NotFound("resource type", resource_type)
        prefix = prefix_of(namespace, resource_type)
        if not wanted.startswith(prefix):
            raise NotFound("property", wanted)
        wanted = wanted[len(prefix) :]
    return catalog.records.metadefs.part(namespace, PartKind.PROPERTY, wanted)


def add(catalog: Catalog, caller: Caller, name: str, part: Part) -> Part:
    """Add a part.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    :raises Duplicate: the name is taken.
    """
    namespace = find_to_change(catalog, caller, name, _RULES[part.kind].add)
    catalog.records.metadefs.add_parts(namespace, [part], catalog.clock())
    added = catalog.records.metadefs.part(namespace, part.kind, part.name)
    tell_part(catalog, "create", name, added)
    return added


def add_tags(catalog: Catalog, caller: Caller, name: str, tags: Sequence[Part], *, append: bool) -> None:
    """Add tags, or put them in the place of all there are. No tags change nothing.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    :raises Duplicate: a name is taken; nothing was added.
    """
    namespace = find_to_change(catalog, caller, name, "add_metadef_tags")
    if not tags:
        return
    records = catalog.records.metadefs
    write = records.add_parts if append else records.replace_tags
    now = catalog.clock()
    write(namespace, tags, now)
    for tag in tags:
        tell_part(catalog, "create", name, replace(tag, created_at=now, updated_at=now))


def change(catalog: Catalog, caller: Caller, name: str, part: str, wanted: Part) -> Part:
    """Replace a part, its name too.

    :raises NotFound: no such namespace for this caller, or no such part. :raises Forbidden: policy.
    :raises Duplicate: the new name is taken.
    """
    namespace = find_to_change(catalog, caller, name, _RULES[wanted.kind].change)
    catalog.records.metadefs.change_part(namespace, part, wanted, catalog.clock())
    changed = catalog.records.metadefs.part(namespace, wanted.kind, wanted.name)
    tell_part(catalog, "update", name, changed, old_name=part)
    return changed


def delete(catalog: Catalog, caller: Caller, name: str, kind: PartKind, part: str) -> None:
    """Delete a part.

    :raises NotFound: no such namespace for this caller, or no such part.
    :raises Forbidden: policy, or the namespace is protected.
    """
    namespace = find_to_change(catalog, caller, name, _RULES[kind].delete)
    records = catalog.records.metadefs
    told = is_told(catalog, f"metadef_{kind}.delete")
    gone = records.part(namespace, kind, part) if told else None
    records.delete_part(namespace, kind, part)
    if gone is not None:
        tell_part(catalog, "delete", name, gone, deleted_at=catalog.clock())


def delete_all(catalog: Catalog, caller: Caller, name: str, kind: PartKind) -> None:
    """Delete all parts of a kind.

    :raises NotFound: no such namespace for this caller.
    :raises Forbidden: policy, or the namespace is protected.
    """
    namespace = find_to_change(catalog, caller, name, *_RULES[kind].delete_all)
    catalog.records.metadefs.delete_parts(namespace, kind)
    tell_namespace(catalog, _RULES[kind].deleted_all, namespace, deleted_at=catalog.clock())
