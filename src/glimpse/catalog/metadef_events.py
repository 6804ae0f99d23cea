"""The events about metadata definitions, and their payloads (see `catalog/events.py`)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from glimpse.catalog.catalog import Catalog
from glimpse.catalog.events import deletion_payload, times_payload
from glimpse.domain.metadefs import Association, Namespace, Part, PartKind

# The parts of a property's JSON schema that its payload has, by their names there.
_SCHEMA_FIELDS = (
    *("type", "title", "description", "default", "minimum", "maximum", "enum", "pattern", "minLength"),
    *("maxLength", "confidential", "items", "uniqueItems", "minItems", "maxItems", "additionalItems"),
)


def tell_namespace(
    catalog: Catalog,
    event: str,
    namespace: Namespace,
    *,
    old_name: str | None = None,
    deleted_at: datetime | None = None,
) -> None:
    """Tell what became of a namespace, which was called `old_name` before (None: the same)."""
    payload = {
        "namespace": namespace.namespace,
        "namespace_old": namespace.namespace if old_name is None else old_name,
        "display_name": namespace.display_name,
        "protected": namespace.protected,
        "visibility": namespace.visibility.value,
        "owner": namespace.owner,
        "description": namespace.description,
        **times_payload(namespace.created_at, namespace.updated_at),
        **deletion_payload(deleted_at),
    }
    _tell(catalog, f"metadef_namespace.{event}", payload)


def tell_part(
    catalog: Catalog,
    event: str,
    namespace: str,
    part: Part,
    *,
    old_name: str | None = None,
    deleted_at: datetime | None = None,
) -> None:
    """Tell what became of a part of a namespace, which was called `old_name` before (None: the same)."""
    payload = {
        "namespace": namespace,
        "name": part.name,
        "name_old": part.name if old_name is None else old_name,
        **_own_fields(part),
        **deletion_payload(deleted_at),
    }
    _tell(catalog, f"metadef_{part.kind}.{event}", payload)


def tell_association(
    catalog: Catalog,
    event: str,
    namespace: str,
    association: Association,
    *,
    deleted_at: datetime | None = None,
) -> None:
    """Tell that a type of resource was associated with a namespace, or no longer is."""
    payload = {
        "namespace": namespace,
        "name": association.name,
        "name_old": association.name,
        "prefix": association.prefix,
        "properties_target": association.properties_target,
        **times_payload(association.created_at, association.updated_at),
        **deletion_payload(deleted_at),
    }
    _tell(catalog, f"metadef_resource_type.{event}", payload)


def _own_fields(part: Part) -> Mapping[str, Any]:
    """What only the payloads of this kind of part have."""
    match part.kind:
        case PartKind.PROPERTY:
            return {name: part.schema.get(name) for name in _SCHEMA_FIELDS}
        case PartKind.OBJECT:
            properties = [{"name": name, **dict(_mapping(schema))} for name, schema in part.schema.items()]
            own = {
                "properties": properties,
                "required": list(part.required),
                "description": part.description,
            }
            return {**own, **times_payload(part.created_at, part.updated_at)}
    return times_payload(part.created_at, part.updated_at)


def _mapping(schema: object) -> Mapping[str, object]:
    return schema if isinstance(schema, Mapping) else {}


def _tell(catalog: Catalog, event: str, payload: Mapping[str, object]) -> None:
    if catalog.notifier is not None and catalog.notifier.wants(event):
        catalog.notifier.notify(event, payload)
