"""What the headers of a request make of an image: of a new one, and of one that is there."""

from collections.abc import Callable
from dataclasses import replace

from glimpse.api.v1.documents import shown_status
from glimpse.api.v1.headers import Meta, can_be_told, folded
from glimpse.catalog.catalog import Catalog, may
from glimpse.catalog.edits import Change, removing, setting
from glimpse.catalog.images import Draft
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, Invalid, Reserved
from glimpse.domain.image import Image, Visibility
from glimpse.domain.properties import check_custom, check_required
from glimpse.domain.status import ImageStatus

_OWN = ("name", "disk_format", "container_format", "min_ram", "min_disk", "protected", "owner")


def read_draft(catalog: Catalog, meta: Meta, *, reserving: bool) -> Draft:
    """The image that a client registers, `reserving` it for data that comes later.

    What has no bytes is active at once. A size and a checksum are kept for the data to come.

    :raises Invalid, Reserved: a property will not do. :raises Forbidden: the image shall be deleted.
    """
    _refuse_deletion(meta)
    attributes = {name: meta.fields[name] for name in ("id", *_OWN) if name in meta.fields}
    public = meta.fields.get("is_public", False)
    attributes["visibility"] = (Visibility.PUBLIC if public else Visibility.SHARED).value
    if reserving:
        attributes |= {name: meta.fields[name] for name in ("size", "checksum") if name in meta.fields}
        if meta.size == 0:
            attributes["status"] = ImageStatus.ACTIVE
    properties = {name: _custom(catalog, name, value) for name, value in meta.properties.items()}
    check_required(catalog.known, properties.keys())
    return Draft(attributes, properties)


def _refuse_deletion(meta: Meta) -> None:
    if meta.fields.get("deleted"):
        raise Forbidden("An image is not deleted by its metadata.")


def _custom(catalog: Catalog, name: str, value: str) -> str | None:
    if name in catalog.attributes:
        raise Reserved(name)
    return check_custom(catalog.known, name, value)


def read_changes(catalog: Catalog, caller: Caller, meta: Meta, *, purge: bool) -> list[Change]:
    """The changes that headers ask for; what they repeat of the image as it is changes nothing.

    :raises Forbidden, Reserved: not the client's to write. :raises Invalid: a value will not do.
    """
    _refuse_deletion(meta)
    changes = [
        _differing(name, meta.fields[name], setting(catalog, caller, name, meta.fields[name]))
        for name in _OWN
        if name in meta.fields
    ]
    changes += [_kept(meta, name, shown) for name, shown in _FIXED.items() if name in meta.fields]
    changes += [_announced(meta, name) for name in ("size", "checksum") if name in meta.fields]
    if "is_public" in meta.fields:
        changes.append(_publishing(catalog, caller, public=bool(meta.fields["is_public"])))
    return [*changes, _properties(catalog, caller, meta, purge=purge)]


_FIXED: dict[str, Callable[[Image], str]] = {"id": lambda image: image.id, "status": shown_status}


def _differing(name: str, value: object, change: Change) -> Change:
    return lambda image: image if getattr(image, name) == value else change(image)


def _kept(meta: Meta, name: str, shown: Callable[[Image], str]) -> Change:
    def check(image: Image) -> Image:
        if meta.fields[name] != shown(image):
            raise Forbidden(f"Attribute '{name}' is read-only.")
        return image

    return check


def _announced(meta: Meta, name: str) -> Change:
    """What is announced of the data, as long as there is none."""

    def change(image: Image) -> Image:
        value = meta.fields[name]
        if (getattr(image, name) or None) == (value or None):
            return image
        if image.status is not ImageStatus.QUEUED:
            raise Forbidden(f"Attribute '{name}' is read-only once the image has data.")
        return replace(image, **{name: value})  # type: ignore[arg-type]

    return change


def _publishing(catalog: Catalog, caller: Caller, *, public: bool) -> Change:
    visibility = Visibility.PUBLIC if public else Visibility.SHARED
    change = setting(catalog, caller, "visibility", visibility.value)
    return lambda image: image if public == (image.visibility is Visibility.PUBLIC) else change(image)


def _properties(catalog: Catalog, caller: Caller, meta: Meta, *, purge: bool) -> Change:
    """Set what is given; with `purge` remove what could have been given and was not.

    The API v2 also knows names with capitals, dashes and more: a header that comes nearest means those, and
    what no header can name stays.
    """
    for name in meta.properties:
        if name in catalog.attributes:
            raise Reserved(name)

    def change(image: Image) -> Image:
        names = {folded(name): name for name in image.properties if may(catalog, caller, "read", name)}
        for key, value in meta.properties.items():
            name = names.get(key, key)
            if key not in names or (image.properties[name] or "") != value:
                image = setting(catalog, caller, name, value)(image)
        for key, name in names.items() if purge else ():
            if key not in meta.properties and can_be_told(name):
                image = removing(catalog, caller, name)(image)
        return image

    return change


def require_formats(draft: Draft) -> None:
    """:raises Invalid: a format is not set, without which there can be no data."""
    for name in ("disk_format", "container_format"):
        if draft.attributes.get(name) is None:
            raise Invalid(name, "must be set before data is uploaded")
