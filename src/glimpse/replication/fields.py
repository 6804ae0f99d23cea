"""Which fields of an image's document are copied, and in which two documents differ."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]

# What a service says of the data. It makes it itself, from the data.
DATA_FIELDS = ("size", "checksum", "os_hash_algo", "os_hash_value")

# What else a service says by itself: of the time, of its own addresses and stores.
_OWN = frozenset(
    {
        *DATA_FIELDS,
        *("status", "virtual_size", "created_at", "updated_at", "deleted", "deleted_at"),
        *("self", "file", "schema", "locations", "direct_url", "stores"),
    }
)
_OWN_PREFIX = "os_glance_"
# Cannot be changed once an image has data.
_FIXED = ("id", "disk_format", "container_format")
# What Glance's replicator wrote of the Image API v1, and what it is called now.
_V1 = ("is_public", "properties", "location", "date")


@dataclass(frozen=True, slots=True)
class Difference:
    """A field that is another one in two documents; what a document lacks is None."""

    field: str
    source: object
    target: object


def copied(document: Document, excluded: Collection[str]) -> dict[str, Any]:
    """What of a document can be written on another service. The id always is."""
    return {
        name: value
        for name, value in document.items()
        if name == "id"
        or (
            value is not None
            and name not in _OWN
            and name not in excluded
            and not name.startswith(_OWN_PREFIX)
        )
    }


def patch(source: Document, target: Document, excluded: Collection[str]) -> list[dict[str, Any]]:
    """The JSON patch that gives the target what the source has and it lacks; what it has besides stays."""
    operations = []
    for name, value in copied(source, excluded).items():
        fixed = name in _FIXED and target.get(name) is not None
        if not fixed and _comparable(value) != _comparable(target.get(name)):
            pointer = name.replace("~", "~0").replace("/", "~1")
            verb = "replace" if name in target else "add"
            operations.append({"op": verb, "path": f"/{pointer}", "value": value})
    return operations


def differences(source: Document, target: Document, excluded: Collection[str]) -> Iterator[Difference]:
    """In what the target differs: fields that can be copied, the status and the data."""
    names = [*copied(source, excluded), *(name for name in ("status",) if name not in excluded)]
    for name in names:
        if _comparable(source.get(name)) != _comparable(target.get(name)):
            yield Difference(name, source.get(name), target.get(name))
    yield from data_differences(source, target)


def data_differences(source: Document, target: Document) -> Iterator[Difference]:
    """In what the data differs, as far as both services tell; digests only if they are of one kind."""
    names = ["size", "checksum"]
    if source.get("os_hash_algo") == target.get("os_hash_algo"):
        names.append("os_hash_value")
    for name in names:
        one, other = source.get(name), target.get(name)
        if one is not None and other is not None and one != other:
            yield Difference(name, one, other)


def modern(document: Document) -> Document:
    """A document of the Image API v2, also if Glance's replicator dumped it from the API v1."""
    if "is_public" not in document:
        return document
    kept = {name: value for name, value in document.items() if name not in _V1}
    properties = {name: str(value) for name, value in (document.get("properties") or {}).items()}
    return {**properties, **kept, "visibility": "public" if document["is_public"] else "private"}


def _comparable(value: object) -> object:
    # The order of tags means nothing.
    return sorted(map(str, value)) if isinstance(value, list) else value
