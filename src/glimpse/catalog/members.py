"""The verbs on members: sharing an image with projects (Image API v2, "Sharing")."""

from dataclasses import replace

from glimpse.catalog.catalog import (
    Catalog,
    find_image,
    is_visible,
    policy_target,
    require,
    require_rule,
    require_writer,
)
from glimpse.catalog.events import is_told, tell_member
from glimpse.catalog.ports import PageQuery, SortKey, Viewer
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, NotFound
from glimpse.domain.image import Image, Member, MemberStatus, Visibility

_NEWEST_FIRST = (SortKey("created_at"), SortKey("id"))


def _owns(image: Image, caller: Caller) -> bool:
    return caller.is_admin or (image.owner is not None and image.owner == caller.project_id)


def _require_business(image: Image, caller: Caller, member_id: str) -> None:
    """A member is the business of the owner and of itself, as long as the image is shared."""
    concerned = _owns(image, caller) or member_id == caller.project_id
    if image.visibility is not Visibility.SHARED or not concerned:
        raise NotFound("member", member_id)


def _require_shared(image: Image) -> None:
    if image.visibility is not Visibility.SHARED:
        raise Forbidden(f"Only shared images have members, and image {image.id} is {image.visibility}.")


def list_members(catalog: Catalog, caller: Caller, image_id: str) -> list[Member]:
    """All members for the owner and those who may share the image; for another member, itself alone.

    :raises NotFound: no such image. :raises Forbidden: policy, or the image is not shared.
    """
    image = find_image(catalog, caller, image_id)
    require(catalog, caller, "get_members", image)
    _require_shared(image)
    members = catalog.records.members.list(image_id)
    mine = [member for member in members if member.member_id == caller.project_id]
    return members if _owns(image, caller) or any(member.can_share for member in mine) else mine


def show_member(catalog: Catalog, caller: Caller, image_id: str, member_id: str) -> Member:
    """One member, for the owner and the member itself.

    :raises NotFound: no such image or member, the image is not shared, or the caller is neither of the two.
    """
    image = find_image(catalog, caller, image_id)
    _require_business(image, caller, member_id)
    require(catalog, caller, "get_member", image)
    return catalog.records.members.get(image_id, member_id)


def shared_with(catalog: Catalog, caller: Caller, member_id: str) -> list[tuple[Image, bool]]:
    """The images that are shared with a project, newest first: those whose members the caller may see.

    With each comes whether the project may share it with others.

    They are the caller's own, or all if it is the caller's project. Hidden images are not among them.
    """
    query = PageQuery(_NEWEST_FIRST, catalog.limits.api_limit_max, Visibility.SHARED, member_status=None)
    found: list[tuple[Image, bool]] = []
    shared_on = catalog.records.members.shared_on(member_id)
    while True:
        page = catalog.records.images.page(query, Viewer(member_id))
        found += [
            (image, image.id in shared_on)
            for image in page
            if image.member == member_id
            and is_visible(image, caller)
            and catalog.policy.allows("get_members", caller, policy_target(image))
        ]
        if len(page) < query.limit or not page:
            return found
        query = replace(query, marker=page[-1])


def add_member(
    catalog: Catalog, caller: Caller, image_id: str, member_id: str, *, can_share: bool = False
) -> Member:
    """Share the image with a project; it starts as pending.

    :raises NotFound: no such image. :raises Forbidden: policy, or the image is not shared.
    :raises Duplicate: a member already. :raises LimitExceeded: too many members.
    """
    image = find_image(catalog, caller, image_id)
    require_writer(caller)
    _require_sharer(catalog, caller, image)
    _require_shared(image)
    now = catalog.clock()
    member = Member(image_id, member_id, MemberStatus.PENDING, now, now, can_share)
    catalog.records.members.add(member, catalog.limits.image_member_quota)
    tell_member(catalog, "image.member.create", member)
    return member


def _require_sharer(catalog: Catalog, caller: Caller, image: Image) -> None:
    """A member that may share the image stands in for its owner, and must be allowed what an owner must."""
    records = catalog.records.members
    if image.member is not None and records.get(image.id, image.member).can_share:
        image = replace(image, owner=image.member)
    require(catalog, caller, "add_member", image)


def let_share(catalog: Catalog, caller: Caller, image_id: str, member_id: str, *, can_share: bool) -> Member:
    """Say whether a member may share the image with others.

    :raises NotFound: no such image or member. :raises Forbidden: policy, or the image is not shared.
    """
    image = find_image(catalog, caller, image_id)
    require_writer(caller)
    _require_sharer(catalog, caller, image)
    _require_shared(image)
    records = catalog.records.members
    member = records.get(image_id, member_id)
    if member.can_share == can_share:
        return member
    member = records.set_can_share(image_id, member_id, can_share, catalog.clock())
    tell_member(catalog, "image.member.update", member)
    return member


def answer(catalog: Catalog, caller: Caller, image_id: str, member_id: str, status: MemberStatus) -> Member:
    """Accept or reject being a member: only the member itself, or an administrator.

    :raises NotFound: no such image or member, or the image is not shared.
    :raises Forbidden: somebody else's answer.
    """
    image = find_image(catalog, caller, image_id)
    require_writer(caller)
    _require_business(image, caller, member_id)
    target = {"project_id": image.owner, "owner": image.owner, "member_id": member_id}
    require_rule(catalog, caller, "modify_member", target)
    member = catalog.records.members.set_status(image_id, member_id, status, catalog.clock())
    tell_member(catalog, "image.member.update", member)
    return member


def remove_member(catalog: Catalog, caller: Caller, image_id: str, member_id: str) -> None:
    """Stop sharing the image with a project.

    :raises NotFound: no such image or member. :raises Forbidden: policy, or the image is not shared.
    """
    image = find_image(catalog, caller, image_id)
    require_writer(caller)
    require(catalog, caller, "delete_member", image)
    _require_shared(image)
    told = is_told(catalog, "image.member.delete")
    member = catalog.records.members.get(image_id, member_id) if told else None
    now = catalog.clock()
    catalog.records.members.remove(image_id, member_id, now)
    if member is not None:
        tell_member(catalog, "image.member.delete", replace(member, updated_at=now), deleted_at=now)
