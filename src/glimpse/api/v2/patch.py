"""The two dialects of JSON patch in which clients ask for changes (Image API v2, "Update image")."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from glimpse.api.operations import PATCH_TYPES
from glimpse.api.v2.locations import read_offer
from glimpse.catalog import locations
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.edits import Change, removing, setting
from glimpse.catalog.locations import Offer, read_position
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Invalid

_OPERATIONS = ("add", "replace", "remove")
_BAD_ESCAPE = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Step:
    """One change as the client wrote it. `strict` is the older dialect, where `add` must not overwrite.

    `position` says which of the locations is meant.
    """

    operation: str
    name: str
    value: object
    strict: bool
    position: str | None = None


def read_steps(media_type: str, document: object) -> list[Step]:
    """The steps of a patch in one of `PATCH_TYPES`.

    :raises Invalid: not an array of objects, an unknown operation, a bad path, a missing value.
    """
    if not isinstance(document, list):
        raise Invalid("body", "an array of changes is expected")
    older = media_type == PATCH_TYPES[0]
    return [_read_older(change) if older else _read_newer(change) for change in document]


def _read_newer(change: object) -> Step:
    if not isinstance(change, dict):
        raise Invalid("body", "each change must be an object")
    operation, path = change.get("op"), change.get("path")
    if operation not in _OPERATIONS:
        raise Invalid("op", f"{operation!r} is not one of {', '.join(_OPERATIONS)}")
    return _step(operation, path, change, strict=False)


def _read_older(change: object) -> Step:
    if not isinstance(change, dict):
        raise Invalid("body", "each change must be an object")
    named = [operation for operation in _OPERATIONS if operation in change]
    if len(named) != 1 or change.keys() - {"value"} != set(named):
        raise Invalid("body", f"a change must name exactly one of {', '.join(_OPERATIONS)}")
    return _step(named[0], change[named[0]], change, strict=True)


def _step(operation: str, path: object, change: dict[str, object], *, strict: bool) -> Step:
    name, position = read_path(path)
    if operation != "remove" and "value" not in change:
        raise Invalid("value", f"operation {operation} needs one")
    if name == "locations" and (position is None) != (operation == "replace"):
        raise Invalid("path", "one location can be added or removed, and all together replaced")
    return Step(operation, name, change.get("value"), strict, position)


def read_path(path: object) -> tuple[str, str | None]:
    """The attribute that a JSON pointer (RFC 6901) of depth one names; of the locations also which.

    :raises Invalid: no such pointer.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise Invalid("path", f"{path!r} does not start with '/'")
    if path != "/" and (path.endswith("/") or "//" in path or _BAD_ESCAPE.search(path)):
        raise Invalid("path", f"{path!r} is not a JSON pointer")
    parts = path[1:].split("/")
    if parts[0] == "locations" and len(parts) == 2:
        return parts[0], parts[1]
    if len(parts) != 1:
        raise Invalid("path", f"{path!r} points deeper than the attributes of an image")
    return parts[0].replace("~1", "/").replace("~0", "~"), None


def read_offers(step: Step, hashing_algorithm: str) -> list[Offer]:
    """The locations that a step brings; none, if it is about something else.

    :raises Invalid: they are not of the form of locations, or their place is not.
    :raises Conflict: a digest is not by this algorithm.
    """
    if step.name != "locations" or step.operation == "remove":
        return []
    if step.position is not None:
        if step.position != "-":
            read_position(step.position)
        return [read_offer(step.value, hashing_algorithm)]
    if not isinstance(step.value, list):
        raise Invalid("locations", "an array is expected")
    return [read_offer(value, hashing_algorithm) for value in step.value]


def as_change(
    catalog: Catalog, caller: Caller, step: Step, offers: Sequence[Offer] = (), order: locations.Order = tuple
) -> Change:
    """The step, with the locations that it brings, as the catalog understands it; `order` is that of those
    that the image has.

    Raises as `setting` and `removing`.
    """
    if step.name == "locations":
        if step.operation == "remove":
            return locations.removing(catalog, caller, step.position or "", order)
        if step.operation == "add":
            return locations.adding(catalog, caller, *offers)
        return locations.replacing(catalog, caller, offers)
    if step.operation == "remove":
        return removing(catalog, caller, step.name)
    return setting(
        catalog,
        caller,
        step.name,
        step.value,
        new=step.strict and step.operation == "add",
        existing=step.operation == "replace",
    )
