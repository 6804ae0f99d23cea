"""The verbs on metadata definitions: namespaces, and the types of resource with which they are associated.

Somebody to whom a rule denies something about a namespace that they may not even read learns that there is
none.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from glimpse.catalog.catalog import Catalog, require_writer
from glimpse.catalog.metadef_events import tell_association, tell_namespace, tell_part
from glimpse.catalog.metadef_ports import NamespaceQuery
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, NotFound
from glimpse.domain.image import Visibility
from glimpse.domain.metadefs import (
    Association,
    Definition,
    Namespace,
    Part,
    PartKind,
    ResourceType,
    prefix_of,
)

_ADD_RULES = {
    PartKind.OBJECT: "add_metadef_object",
    PartKind.PROPERTY: "add_metadef_property",
    PartKind.TAG: "add_metadef_tag",
}
_SHOW_RULES = (
    "get_metadef_namespace",
    "get_metadef_objects",
    "list_metadef_resource_types",
    "get_metadef_properties",
    "get_metadef_tags",
)


@dataclass(frozen=True, slots=True)
class NamespacePage:
    """Namespaces in order, and the name after which the next page starts if there may be one."""

    namespaces: Sequence[Namespace]
    next_marker: str | None = None


def policy_target(namespace: Namespace) -> dict[str, object]:
    """What policy rules may ask about a namespace."""
    return {
        "namespace": namespace.namespace,
        "display_name": namespace.display_name,
        "description": namespace.description,
        "visibility": namespace.visibility.value,
        "protected": namespace.protected,
        "owner": namespace.owner,
        "project_id": namespace.owner,
    }


def require_metadef(catalog: Catalog, caller: Caller, rule: str, target: Mapping[str, object]) -> None:
    """Check a rule about a namespace.

    :raises NotFound: it denies, and the caller may not read the namespace either.
    :raises Forbidden: it denies.
    """
    allows = catalog.policy.allows
    if allows(rule, caller, target):
        return
    if not allows("get_metadef_namespace", caller, target):
        raise NotFound("namespace", str(target.get("namespace", "")))
    raise Forbidden(f"You are not authorized to complete {rule} action.")


def find_namespace(catalog: Catalog, caller: Caller, name: str, *rules: str) -> Namespace:
    """The namespace, if the caller may know of it and do all that `rules` are about.

    :raises NotFound: there is none, or not for this caller. :raises Forbidden: a rule denies.
    """
    namespace = catalog.records.metadefs.get(name)
    own = caller.is_admin or namespace.owner == caller.project_id
    if not own and namespace.visibility is not Visibility.PUBLIC:
        raise NotFound("namespace", name)
    for rule in rules:
        require_metadef(catalog, caller, rule, policy_target(namespace))
    return namespace


def find_to_change(catalog: Catalog, caller: Caller, name: str, *rules: str) -> Namespace:
    """Like `find_namespace`, for somebody who wants to write. :raises Forbidden: the caller may only read."""
    namespace = find_namespace(catalog, caller, name, *rules)
    require_writer(caller)
    return namespace


def page(catalog: Catalog, caller: Caller, query: NamespaceQuery) -> NamespacePage:
    """One page of the namespaces that the caller may see, without parts.

    :raises NotFound, Forbidden: policy.
    """
    _require_listing(catalog, caller, "get_metadef_namespaces")
    _require_listing(catalog, caller, "list_metadef_resource_types")
    if query.limit == 0:
        return NamespacePage(())
    found = catalog.records.metadefs.page(query, caller)
    allows = catalog.policy.allows
    shown = [item for item in found if allows("get_metadef_namespace", caller, policy_target(item))]
    more = shown and len(found) == query.limit
    return NamespacePage(shown, found[-1].namespace if more else None)


def create(catalog: Catalog, caller: Caller, definition: Definition) -> Definition:
    """Add a namespace with all its parts, or nothing.

    :raises Forbidden, NotFound: policy. :raises Duplicate: the name is taken.
    """
    target = policy_target(definition.namespace)
    kinds = {part.kind for part in definition.parts}
    rules = ["add_metadef_namespace", *(_ADD_RULES[kind] for kind in PartKind if kind in kinds)]
    if definition.namespace.associations:
        rules.append("add_metadef_resource_type_association")
    for rule in rules:
        require_metadef(catalog, caller, rule, target)
    require_writer(caller)
    catalog.records.metadefs.create(definition, catalog.clock())
    created = _read(catalog, definition.namespace.namespace)
    _tell_created(catalog, created)
    return created


def _tell_created(catalog: Catalog, created: Definition) -> None:
    name = created.namespace.namespace
    tell_namespace(catalog, "create", created.namespace)
    for association in created.namespace.associations:
        tell_association(catalog, "create", name, association)
    for part in created.parts:
        tell_part(catalog, "create", name, part)


def show(catalog: Catalog, caller: Caller, name: str, resource_type: str | None = None) -> Definition:
    """A namespace with its parts, properties by the names that they have on `resource_type`.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    """
    namespace = find_namespace(catalog, caller, name, *_SHOW_RULES)
    prefix = prefix_of(namespace, resource_type)
    parts = catalog.records.metadefs.parts(namespace)
    return Definition(namespace, tuple(_prefixed(part, prefix) for part in parts) if prefix else tuple(parts))


def change(catalog: Catalog, caller: Caller, name: str, wanted: Namespace) -> Namespace:
    """Replace the fields of a namespace, its name too; its parts and associations stay.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    :raises Duplicate: the new name is taken.
    """
    before = find_to_change(catalog, caller, name, "modify_metadef_namespace")
    catalog.records.metadefs.change(replace(wanted, id=before.id), catalog.clock())
    changed = catalog.records.metadefs.get(wanted.namespace)
    tell_namespace(catalog, "update", changed, old_name=before.namespace)
    return changed


def delete(catalog: Catalog, caller: Caller, name: str) -> None:
    """Delete a namespace and all that belongs to it.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy, or it is protected.
    """
    namespace = find_to_change(catalog, caller, name, "delete_metadef_namespace")
    catalog.records.metadefs.delete(namespace)
    tell_namespace(catalog, "delete", namespace, deleted_at=catalog.clock())


def resource_types(catalog: Catalog, caller: Caller) -> list[ResourceType]:
    """All types of resource. :raises NotFound, Forbidden: policy."""
    _require_listing(catalog, caller, "list_metadef_resource_types")
    return catalog.records.metadefs.resource_types()


def associations(catalog: Catalog, caller: Caller, name: str) -> Sequence[Association]:
    """The types of resource with which a namespace is associated, by name.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    """
    return find_namespace(catalog, caller, name, "get_metadef_resource_type").associations


def associate(catalog: Catalog, caller: Caller, name: str, association: Association) -> Association:
    """Associate a type of resource, which is made if it is new.

    :raises NotFound: no such namespace for this caller. :raises Forbidden: policy.
    :raises Duplicate: associated already.
    """
    namespace = find_to_change(catalog, caller, name, "add_metadef_resource_type_association")
    now = catalog.clock()
    catalog.records.metadefs.associate(namespace, association, now)
    made = replace(association, created_at=now, updated_at=now)
    tell_association(catalog, "create", name, made)
    return made


def dissociate(catalog: Catalog, caller: Caller, name: str, resource_type: str) -> None:
    """End an association.

    :raises NotFound: no such namespace for this caller, or not associated.
    :raises Forbidden: policy, or the namespace is protected.
    """
    namespace = find_to_change(catalog, caller, name, "remove_metadef_resource_type_association")
    catalog.records.metadefs.dissociate(namespace, resource_type)
    for association in namespace.associations:
        if association.name == resource_type:
            tell_association(catalog, "delete", name, association, deleted_at=catalog.clock())


def _require_listing(catalog: Catalog, caller: Caller, rule: str) -> None:
    project = caller.project_id or ""
    require_metadef(catalog, caller, rule, {"project_id": project, "owner": project})


def _read(catalog: Catalog, name: str) -> Definition:
    namespace = catalog.records.metadefs.get(name)
    return Definition(namespace, tuple(catalog.records.metadefs.parts(namespace)))


def _prefixed(part: Part, prefix: str) -> Part:
    """The part with the names that properties have on a type of resource."""
    match part.kind:
        case PartKind.PROPERTY:
            return replace(part, name=prefix + part.name)
        case PartKind.OBJECT:
            schema = {prefix + name: schema for name, schema in part.schema.items()}
            return replace(part, schema=schema, required=tuple(prefix + name for name in part.required))
    return part
