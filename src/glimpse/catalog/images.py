"""The verbs on images: create, show, list, edit, delete, deactivate, reactivate."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import uuid4

from glimpse.catalog.catalog import (
    Catalog,
    check_count,
    find_image,
    is_visible,
    may,
    policy_target,
    require_rule,
    require_visibility,
    require_writer,
    seen_by,
)
from glimpse.catalog.events import tell_image, tell_image_by_id, tell_saved
from glimpse.catalog.ports import Intent, PageQuery, Viewer
from glimpse.catalog.quotas import allowance
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, Invalid, NotFound, Reserved
from glimpse.domain.image import Image, Visibility, difference
from glimpse.domain.status import ImageStatus, sources_of
from glimpse.jobs.worker import Worker


@dataclass(frozen=True, slots=True)
class Draft:
    """An image as the client wants it: base attributes, checked one by one, and the rest."""

    attributes: Mapping[str, object] = field(default_factory=dict)
    properties: Mapping[str, str | None] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()


def create(catalog: Catalog, caller: Caller, draft: Draft) -> Image:
    """Register an image without data.

    :raises Forbidden: policy, or an owner that is not the caller's project.
    :raises Reserved: a property that the caller may not create.
    :raises LimitExceeded: too many properties or tags, or too many images of the project.
    :raises Duplicate: the id is taken.
    """
    image = drafted(catalog, caller, draft)
    catalog.records.images.create(image, allowance(catalog, caller))
    tell_image(catalog, "image.create", image)
    return seen_by(catalog, caller)(image)


def drafted(catalog: Catalog, caller: Caller, draft: Draft) -> Image:
    """The image that a draft makes; nothing is written. Raises as `create`, but for what records refuse."""
    require_writer(caller)
    owner = draft.attributes.get("owner", caller.project_id)
    if owner != caller.project_id and not caller.is_admin:
        raise Forbidden(f"You are not permitted to create images owned by '{owner}'.")
    visibility = Visibility(str(draft.attributes.get("visibility", Visibility.SHARED)))
    target = {"project_id": caller.project_id, "owner": owner, "visibility": visibility.value}
    require_rule(catalog, caller, "add_image", target)
    require_visibility(catalog, caller, visibility, target)
    for name in draft.properties:
        if not may(catalog, caller, "create", name):
            raise Reserved(name)
    check_count("image_property_quota", catalog.limits.image_property_quota, len(draft.properties))
    check_count("image_tag_quota", catalog.limits.image_tag_quota, len(draft.tags))
    return _from_draft(catalog, draft, owner, visibility)


def _from_draft(catalog: Catalog, draft: Draft, owner: object, visibility: Visibility) -> Image:
    now = catalog.clock()
    blank = Image(
        id=str(draft.attributes.get("id") or uuid4()),
        status=ImageStatus.QUEUED,
        visibility=visibility,
        created_at=now,
        updated_at=now,
        properties=dict(draft.properties),
        tags=draft.tags,
    )
    given: dict[str, object] = {
        name: value for name, value in draft.attributes.items() if name not in ("id", "visibility")
    }
    # The values were checked against the attribute table when the draft was made.
    return replace(blank, **{**given, "owner": owner})  # type: ignore[arg-type]


def show(catalog: Catalog, caller: Caller, image_id: str) -> Image:
    """:raises NotFound: no such image for this caller."""
    return seen_by(catalog, caller)(find_image(catalog, caller, image_id))


@dataclass(frozen=True, slots=True)
class Page:
    """Images in order, and the id after which the next page starts if there may be one."""

    images: list[Image]
    next_marker: str | None = None


def page(catalog: Catalog, caller: Caller, query: PageQuery) -> Page:
    """One page of the images that the caller may see. Policy may leave fewer than the page could hold.

    A filter on a property that the caller may not read finds nothing.

    :raises Forbidden: policy `get_images`.
    """
    require_rule(catalog, caller, "get_images", {"project_id": caller.project_id or ""})
    if query.limit == 0 or not all(may(catalog, caller, "read", name) for name, _ in query.properties):
        return Page([])
    images = catalog.records.images.page(query, Viewer(caller.project_id, caller.is_admin))
    allows = catalog.policy.allows
    seen = seen_by(catalog, caller)
    shown = [seen(image) for image in images if allows("get_image", caller, policy_target(image))]
    more = shown and len(images) == query.limit
    return Page(shown, images[-1].id if more else None)


def find_marker(catalog: Catalog, caller: Caller, image_id: str, *, deleted: bool = False) -> Image:
    """The image after which a page starts; it may be a `deleted` one, for administrators in any case.

    :raises Invalid: no such image.
    :raises Forbidden: not visible to the caller.
    """
    try:
        image = catalog.records.images.get(image_id, caller.project_id, deleted=deleted or caller.is_admin)
    except NotFound:
        raise Invalid("marker", f"no image has the ID '{image_id}'") from None
    if not is_visible(image, caller):
        raise Forbidden("You are not permitted to use this image as marker.")
    return image


def edit(
    catalog: Catalog, caller: Caller, image_id: str, changes: Sequence[Callable[[Image], Image]]
) -> Image:
    """Apply changes in order, in memory; write the difference at once, or nothing.

    :raises NotFound: no such image for this caller, or no longer.
    :raises Forbidden: not the caller's to change.
    :raises LimitExceeded: more properties or tags than allowed.
    :raises Conflict: the status changed meanwhile.
    """
    rule = "modify_image" if changes else "get_image"
    before, after = planned(catalog, caller, image_id, changes, rule)
    return seen_by(catalog, caller)(_save(catalog, before, after))


def planned(
    catalog: Catalog, caller: Caller, image_id: str, changes: Sequence[Callable[[Image], Image]], rule: str
) -> tuple[Image, Image]:
    """The image as it is and as the changes make it; nothing is written. Raises as `edit`."""
    before = find_image(catalog, caller, image_id, rule)
    if changes:
        require_writer(caller)
    after = before
    for change in changes:
        after = change(after)
    _check_quotas(catalog, before, after)
    return before, after


def _check_quotas(catalog: Catalog, before: Image, after: Image) -> None:
    # An image above a lowered quota may still shrink; the service's own properties do not count.
    own = [name for name in after.properties if not name.startswith("os_glance")]
    if after.properties.keys() - before.properties.keys():
        check_count("image_property_quota", catalog.limits.image_property_quota, len(own))
    if after.tags - before.tags:
        check_count("image_tag_quota", catalog.limits.image_tag_quota, len(after.tags))


def _save(catalog: Catalog, before: Image, after: Image) -> Image:
    change = difference(before, after)
    if not change:
        return after
    now = catalog.clock()
    catalog.records.images.change(before.id, change, frozenset({before.status}), now)
    saved = replace(after, updated_at=now)
    tell_saved(catalog, before.status, saved)
    return saved


def add_tag(catalog: Catalog, caller: Caller, image_id: str, tag: str) -> None:
    """Attach a tag; nothing happens if it is there already. Raises as `edit`."""
    edit(catalog, caller, image_id, [lambda image: replace(image, tags=image.tags | {tag})])


def remove_tag(catalog: Catalog, caller: Caller, image_id: str, tag: str) -> None:
    """Detach a tag. Raises as `edit`. :raises NotFound: the image has no such tag."""

    def without(image: Image) -> Image:
        if tag not in image.tags:
            raise NotFound("tag", tag)
        return replace(image, tags=image.tags - {tag})

    edit(catalog, caller, image_id, [without])


def delete(catalog: Catalog, worker: Worker, caller: Caller, image_id: str) -> list[Intent]:
    """Delete the image's record and note that its bytes must go; the caller of this verb removes them.

    With `delayed_delete` an image that has data becomes pending_delete, and the scrubber removes it.

    :raises NotFound: no such image for this caller.
    :raises Forbidden: policy, or the image is protected (for administrators too).
    """
    image = find_image(catalog, caller, image_id, "delete_image")
    require_writer(caller)
    if image.protected:
        raise Forbidden(f"Image {image_id} is protected and cannot be deleted.")
    now, intents, status = catalog.clock(), list[Intent](), ImageStatus.PENDING_DELETE
    if not catalog.delayed_delete or not catalog.records.deletions.postpone(image_id, now):
        status = ImageStatus.DELETED
        intents = catalog.records.images.delete(
            image_id, sources_of(ImageStatus.DELETED), worker.id, worker.lease_until(), now
        )
    gone = replace(image, status=status, updated_at=now)
    tell_image(catalog, "image.delete", gone, deleted_at=now)
    return intents


def kill(catalog: Catalog, image_id: str) -> None:
    """Mark a queued image as one that will not get the data it was registered with.

    :raises NotFound: the image is gone. :raises Conflict: it is not queued.
    """
    catalog.records.images.move(
        image_id, frozenset({ImageStatus.QUEUED}), ImageStatus.KILLED, catalog.clock()
    )
    tell_image_by_id(catalog, image_id)


def deactivate(catalog: Catalog, caller: Caller, image_id: str) -> None:
    """Make the data unreadable for all but administrators. Raises as `_switch`."""
    _switch(catalog, caller, image_id, "deactivate", ImageStatus.ACTIVE, ImageStatus.DEACTIVATED)


def reactivate(catalog: Catalog, caller: Caller, image_id: str) -> None:
    """Make the data readable again. Raises as `_switch`."""
    _switch(catalog, caller, image_id, "reactivate", ImageStatus.DEACTIVATED, ImageStatus.ACTIVE)


def _switch(
    catalog: Catalog, caller: Caller, image_id: str, rule: str, source: ImageStatus, target: ImageStatus
) -> None:
    """:raises Forbidden: policy, or the image is in neither status. :raises NotFound: no such image."""
    image = find_image(catalog, caller, image_id, rule)
    require_writer(caller)
    if image.status is target:
        return
    if image.status is not source:
        raise Forbidden(f"Not allowed to {rule} an image in status '{image.status}'.")
    now = catalog.clock()
    catalog.records.images.move(image_id, frozenset({source}), target, now)
    tell_saved(catalog, source, replace(image, status=target, updated_at=now))
