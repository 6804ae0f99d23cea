"""Metadata definitions as JSON documents, as clients send them and as files keep them."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from glimpse.domain import metadef_schemas as schemas
from glimpse.domain.errors import Duplicate, Invalid, ReadOnly
from glimpse.domain.image import Visibility
from glimpse.domain.json_schema import check_document
from glimpse.domain.metadefs import Association, Definition, Namespace, Part, PartKind

# What one column of the tables holds on every database.
MAX_COLUMN_BYTES = 65535

Document = dict[str, Any]


def read_namespace(document: object, owner: str | None) -> Definition:
    """The namespace with all its parts that a document describes; `owner` is whose it is if it does not say.

    :raises ReadOnly: a field that only the service writes.
    :raises Invalid: a field breaks its rule, or there is no owner.
    :raises Duplicate: two parts of a kind with one name.
    """
    known = _checked(schemas.NAMESPACE, document, (*schemas.TIMES, *schemas.LINKS))
    owner = known.get("owner", owner)
    if owner is None:
        raise Invalid("owner", "it is required of a caller without a project")
    namespace = Namespace(
        known["namespace"],
        owner,
        Visibility(known.get("visibility", Visibility.PRIVATE)),
        known.get("protected", False),
        known.get("display_name"),
        known.get("description"),
        tuple(_association(item) for item in known.get("resource_type_associations", ())),
    )
    _refuse_twins("resource type", (item.name for item in namespace.associations))
    properties = [_property(name, item) for name, item in known.get("properties", {}).items()]
    objects = [_object(item) for item in known.get("objects", ())]
    _refuse_twins("object", (item.name for item in objects))
    return Definition(namespace, (*properties, *objects, *_tags(known.get("tags", ()))))


def read_part(kind: PartKind, document: object) -> Part:
    """The part that a document describes. :raises ReadOnly, Invalid: see `read_namespace`."""
    match kind:
        case PartKind.PROPERTY:
            known = _checked(schemas.PROPERTY, document, schemas.TIMES)
            return _property(known["name"], known)
        case PartKind.OBJECT:
            return _object(_checked(schemas.OBJECT, document, (*schemas.TIMES, *schemas.LINKS)))
        case PartKind.TAG:
            return _tags([_checked(schemas.TAG, document, schemas.TIMES)])[0]


def read_tags(document: object) -> list[Part]:
    """The tags of a document `{"tags": [{"name": …}]}`. :raises Invalid, Duplicate: see `read_namespace`."""
    return _tags(check_document(schemas.NEW_TAGS, document)["tags"])


def read_tag(name: str) -> Part:
    """A tag of this name. :raises Invalid: it is no name."""
    return read_part(PartKind.TAG, {"name": name})


def read_association(document: object) -> Association:
    """The association that a document describes. :raises ReadOnly, Invalid: see `read_namespace`."""
    return _association(_checked(schemas.ASSOCIATION, document, schemas.TIMES))


def write_definition(definition: Definition) -> Document:
    """The document that `read_namespace` makes `definition` of."""
    namespace = definition.namespace
    document = present(
        namespace=namespace.namespace,
        display_name=namespace.display_name,
        description=namespace.description,
        visibility=namespace.visibility.value,
        protected=namespace.protected,
        owner=namespace.owner,
    )
    document["resource_type_associations"] = [
        present(name=item.name, prefix=item.prefix, properties_target=item.properties_target)
        for item in namespace.associations
    ]
    document["properties"] = {part.name: shown(part.schema) for part in definition.of(PartKind.PROPERTY)}
    document["objects"] = [
        present(
            name=part.name,
            description=part.description,
            required=list(part.required),
            properties={name: shown(schema) for name, schema in part.schema.items()},
        )
        for part in definition.of(PartKind.OBJECT)
    ]
    document["tags"] = [{"name": part.name} for part in definition.of(PartKind.TAG)]
    return document


def present(**fields: object) -> Document:
    """The fields that are not null: documents of metadata definitions leave the others out."""
    return {name: value for name, value in fields.items() if value is not None}


def shown(schema: object) -> Document:
    """The schema of a property as documents have it: without nulls, and its default is always a text."""
    known = present(**schema) if isinstance(schema, Mapping) else {}
    if "default" in known:
        known["default"] = _text(known["default"])
    return known


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value) if isinstance(value, list | dict) else str(value)


def _checked(schema: schemas.Schema, document: object, read_only: Iterable[str]) -> Document:
    if isinstance(document, dict):
        for name in read_only:
            if name in document:
                raise ReadOnly(name)
    return check_document(schema, document)


def _property(name: str, document: Document) -> Part:
    if not name:
        raise Invalid("properties", "the name of a property is empty")
    schema = shown({key: value for key, value in document.items() if key != "name"})
    _check_column("property", json.dumps(schema))
    return Part(PartKind.PROPERTY, name, schema)


def _object(document: Document) -> Part:
    properties = {
        name: shown({key: value for key, value in schema.items() if key != "name"})
        for name, schema in document.get("properties", {}).items()
    }
    required = tuple(document.get("required", ()))
    if any("," in name for name in required):
        raise Invalid("required", "names with commas cannot be required")
    _check_column("properties", json.dumps(properties))
    _check_column("required", ",".join(required))
    _check_column("description", document.get("description", ""))
    return Part(PartKind.OBJECT, document["name"], properties, document.get("description"), required)


def _tags(documents: Iterable[Document]) -> list[Part]:
    tags = [Part(PartKind.TAG, document["name"]) for document in documents]
    _refuse_twins("tag", (tag.name for tag in tags))
    return tags


def _association(document: Document) -> Association:
    return Association(document["name"], document.get("prefix"), document.get("properties_target"))


def _refuse_twins(kind: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Duplicate(f"The {kind} '{name}' is there twice.")
        seen.add(name)


def _check_column(field: str, text: str) -> None:
    length = len(text.encode())
    if length > MAX_COLUMN_BYTES:
        raise Invalid(field, f"{length} bytes are more than the {MAX_COLUMN_BYTES} that can be kept")
