"""The method glance-download: what comes along with the data of another Glance's image."""

from collections.abc import Mapping
from typing import Any

from glimpse.domain.attributes import MAX_TEXT, Attribute, check_attribute, check_property_name, check_text
from glimpse.domain.errors import Conflict, Invalid
from glimpse.imports.steps import Draft
from glimpse.stores.outbound import Outbound

_FORMATS = ("disk_format", "container_format")


def headers_for(source: Mapping[str, str]) -> dict[str, str]:
    """What another Glance is shown: the token of whoever asked for the import."""
    return {"X-Auth-Token": source["token"]} if source.get("token") else {}


def adopt(
    draft: Draft,
    outbound: Outbound,
    source: Mapping[str, str],
    prefixes: tuple[str, ...],
    attributes: Mapping[str, Attribute],
) -> int | None:
    """Take the formats of the image at `source`, and its properties whose names begin with a prefix.

    How many bytes its data has comes back (None: it does not tell).

    :raises Conflict: that image is not active. :raises Invalid: it is none, or cannot be taken.

    and what `Outbound.get_json` raises.
    """
    if not source["url"]:
        raise Invalid("glance_region", "no image service with that interface is known there")
    found = outbound.get_json(source["url"], headers_for(source))
    if not isinstance(found, dict):
        raise Invalid("glance_image_id", "what is there is no image")
    if found.get("status") != "active":
        raise Conflict("The image on the other service is not active.")
    for name in _FORMATS:
        value = found.get(name)
        check_attribute(attributes[name], value)
        setattr(draft, name, value)
    draft.properties |= _chosen(found, prefixes, attributes)
    size = found.get("size")
    return size if isinstance(size, int) else None


def _chosen(
    found: Mapping[str, Any], prefixes: tuple[str, ...], attributes: Mapping[str, Attribute]
) -> dict[str, str | None]:
    chosen: dict[str, str | None] = {}
    for name, value in found.items():
        if name in attributes or not name.startswith(prefixes) or not isinstance(value, str):
            continue
        check_property_name(name)
        check_text(name, value, MAX_TEXT)
        chosen[name] = value
    return chosen
