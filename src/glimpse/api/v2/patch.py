"""The two dialects of JSON patch in which clients ask for changes (Image API v2, "Update image")."""

import re
from dataclasses import dataclass

from glimpse.api.operations import PATCH_TYPES
from glimpse.catalog.catalog import Catalog
from glimpse.catalog.edits import Change, removing, setting
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, Invalid

_OPERATIONS = ("add", "replace", "remove")
_BAD_ESCAPE = re.compile(r"~(?![01])")


@dataclass(frozen=True, slots=True)
class Step:
    """One change as the client wrote it. `strict` is the older dialect, where `add` must not overwrite."""

    operation: str
    name: str
    value: object
    strict: bool


def read_steps(media_type: str, document: object) -> list[Step]:
    """The steps of a patch in one of `PATCH_TYPES`.

    :raises Invalid: not an array of objects, an unknown operation, a bad path, a missing value.
    :raises Forbidden: a change of locations, which this service does not offer here.
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
    name = read_path(path)
    if operation != "remove" and "value" not in change:
        raise Invalid("value", f"operation {operation} needs one")
    return Step(operation, name, change.get("value"), strict)


def read_path(path: object) -> str:
    """The attribute that a JSON pointer (RFC 6901) of depth one names.

    :raises Invalid: no such pointer.
    """
    if not isinstance(path, str) or not path.startswith("/"):
        raise Invalid("path", f"{path!r} does not start with '/'")
    if path != "/" and (path.endswith("/") or "//" in path or _BAD_ESCAPE.search(path)):
        raise Invalid("path", f"{path!r} is not a JSON pointer")
    parts = path[1:].split("/")
    if parts[0] == "locations" and len(parts) == 2:
        raise Forbidden("It is not allowed to change locations of an image.")
    if len(parts) != 1:
        raise Invalid("path", f"{path!r} points deeper than the attributes of an image")
    return parts[0].replace("~1", "/").replace("~0", "~")


def as_change(catalog: Catalog, caller: Caller, step: Step) -> Change:
    """The step as the catalog understands it. Raises as `setting` and `removing`."""
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
