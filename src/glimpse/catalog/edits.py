"""The single changes that an edit is made of (Image API v2, "Update image").

Each function takes what the client asked for and gives back a change: a function from the image as it is to
the image as it shall be, which raises when the image's present state forbids the change.
"""

from collections.abc import Callable
from dataclasses import replace

from glimpse.catalog.catalog import Catalog, may, policy_target, require_visibility
from glimpse.domain.attributes import (
    check_attribute,
    check_property_name,
    check_tags,
    check_writable,
)
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Conflict, Forbidden, Reserved
from glimpse.domain.image import Image, Visibility
from glimpse.domain.properties import check_custom
from glimpse.domain.status import FORMATS_OPEN

Change = Callable[[Image], Image]


def setting(
    catalog: Catalog, caller: Caller, name: str, value: object, *, new: bool = False, existing: bool = False
) -> Change:
    """Set an attribute or property; `new` insists that it is absent, `existing` that it is present.

    :raises Invalid: the value breaks a rule. :raises ReadOnly: not the client's to write.
    :raises Reserved: the service's own name.
    """
    attribute = catalog.attributes.get(name)
    if attribute is None:
        text = check_custom(catalog.known, name, value)
        return _setting_property(catalog, caller, name, text, new, existing)
    check_writable(catalog.attributes, name)
    if name == "id":
        raise Forbidden("Attribute 'id' is read-only.")
    if new:
        raise Conflict(f"Property {name} already present.")
    check_attribute(attribute, value)
    if name == "tags":
        tags = check_tags(value)
        return lambda image: replace(image, tags=tags)
    return _setting_attribute(catalog, caller, name, value)


def _setting_attribute(catalog: Catalog, caller: Caller, name: str, value: object) -> Change:
    def change(image: Image) -> Image:
        if name == "owner" and not caller.is_admin:
            raise Forbidden("Only administrators may change the owner of an image.")
        if name in ("disk_format", "container_format") and image.status not in FORMATS_OPEN:
            raise Forbidden(f"Attribute {name} can only be changed while the image is queued.")
        if name == "visibility":
            require_visibility(catalog, caller, value, policy_target(image))
            return replace(image, visibility=Visibility(str(value)))
        return replace(image, **{name: value})  # type: ignore[arg-type]

    return change


def _setting_property(
    catalog: Catalog, caller: Caller, name: str, value: str | None, new: bool, existing: bool
) -> Change:
    def change(image: Image) -> Image:
        stored, readable = name in image.properties, may(catalog, caller, "read", name)
        if new and stored and readable:
            raise Conflict(f"Property {name} already present.")
        if existing and not (stored and readable):
            raise Conflict(f"Property {name} does not exist.")
        # What the caller cannot see they must not overwrite unknowingly.
        if stored and not (readable and may(catalog, caller, "update", name)):
            raise Forbidden(f"Property {name} is protected.")
        if not stored and not may(catalog, caller, "create", name):
            raise Reserved(name)
        return replace(image, properties={**image.properties, name: value})

    return change


def removing(catalog: Catalog, caller: Caller, name: str) -> Change:
    """Remove a custom property.

    :raises Forbidden: a base attribute cannot be removed.
    :raises Reserved: the service's own name.
    """
    if name in catalog.attributes:
        raise Forbidden(f"Property {name} may not be removed.")
    check_property_name(name)

    def change(image: Image) -> Image:
        if name not in image.properties or not may(catalog, caller, "read", name):
            raise Conflict(f"Property {name} does not exist.")
        if not may(catalog, caller, "delete", name):
            raise Forbidden(f"Property {name} is protected.")
        return replace(image, properties={k: v for k, v in image.properties.items() if k != name})

    return change
