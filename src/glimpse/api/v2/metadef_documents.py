"""Documents: metadata definitions as the API shows them. Fields that are null are left out."""

from datetime import datetime
from typing import Any
from urllib.parse import quote

from glimpse.api.v2.documents import timestamp
from glimpse.domain.metadef_documents import present, shown
from glimpse.domain.metadefs import Association, Definition, Namespace, Part, PartKind, ResourceType

Document = dict[str, Any]

NAMESPACES = "/v2/metadefs/namespaces"


def namespace_document(namespace: Namespace) -> Document:
    """A namespace without parts; associations only if there are any."""
    document = present(
        namespace=namespace.namespace,
        display_name=namespace.display_name,
        description=namespace.description,
        visibility=namespace.visibility.value,
        protected=namespace.protected,
        owner=namespace.owner,
        **_times(namespace.created_at, namespace.updated_at),
        self=f"{NAMESPACES}/{namespace.namespace}",
        schema="/v2/schemas/metadefs/namespace",
    )
    if namespace.associations:
        document["resource_type_associations"] = [
            association_document(association) for association in namespace.associations
        ]
    return document


def definition_document(definition: Definition) -> Document:
    """A namespace with its parts; kinds of which there are none are left out."""
    namespace = definition.namespace.namespace
    document = namespace_document(definition.namespace)
    lists: dict[str, Any] = {
        "properties": {part.name: shown(part.schema) for part in definition.of(PartKind.PROPERTY)},
        "objects": [object_document(namespace, part) for part in definition.of(PartKind.OBJECT)],
        "tags": [{"name": part.name} for part in definition.of(PartKind.TAG)],
    }
    return document | {name: parts for name, parts in lists.items() if parts}


def object_document(namespace: str, part: Part) -> Document:
    """An object of the namespace of that name."""
    return present(
        name=part.name,
        description=part.description,
        required=list(part.required),
        properties={name: shown(schema) for name, schema in part.schema.items()},
        **_times(part.created_at, part.updated_at),
        self=f"{NAMESPACES}/{namespace}/objects/{part.name}",
        schema="/v2/schemas/metadefs/object",
    )


def property_document(part: Part) -> Document:
    """A property."""
    return {"name": part.name, **shown(part.schema)}


def tag_document(part: Part) -> Document:
    """A tag."""
    return {"name": part.name, **_times(part.created_at, part.updated_at)}


def association_document(association: Association) -> Document:
    """A type of resource with which a namespace is associated."""
    return present(
        name=association.name,
        prefix=association.prefix,
        properties_target=association.properties_target,
        **_times(association.created_at, association.updated_at),
    )


def resource_type_document(resource_type: ResourceType) -> Document:
    """A type of resource."""
    return {"name": resource_type.name, **_times(resource_type.created_at, resource_type.updated_at)}


def namespace_path(name: str) -> str:
    """Where a namespace of any name is."""
    return f"{NAMESPACES}/{quote(name, safe=':')}"


def _times(created_at: datetime | None, updated_at: datetime | None) -> Document:
    times = {"created_at": created_at, "updated_at": updated_at}
    return {name: timestamp(moment) for name, moment in times.items() if moment is not None}
