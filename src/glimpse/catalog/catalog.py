"""What every verb needs, and the questions that most verbs ask first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from glimpse.catalog.ports import Policy, Records
from glimpse.domain.attributes import Attribute
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, LimitExceeded, NotFound
from glimpse.domain.image import Image, Visibility


@dataclass(frozen=True, slots=True)
class Limits:
    """Local limits, by the names of their options. Negative counts and a quota of None mean no limit."""

    image_size_cap: int = 2**40
    user_storage_quota: int | None = None
    image_property_quota: int = 128
    image_tag_quota: int = 128
    image_member_quota: int = 128
    image_location_quota: int = 10
    limit_param_default: int = 25
    api_limit_max: int = 1000


@dataclass(frozen=True, slots=True)
class Catalog:
    """The first argument of every verb: records, rules, limits and the time."""

    records: Records
    policy: Policy
    limits: Limits
    attributes: Mapping[str, Attribute]
    clock: Callable[[], datetime]


def policy_target(image: Image) -> dict[str, object]:
    """What policy rules may ask about an image: its attributes and properties, by name."""
    return {
        **image.properties,
        "id": image.id,
        "image_id": image.id,
        "name": image.name,
        "status": image.status.value,
        "visibility": image.visibility.value,
        "owner": image.owner or None,
        "project_id": image.owner or None,
        "member_id": image.member,
        "disk_format": image.disk_format,
        "container_format": image.container_format,
        "size": image.size,
        "virtual_size": image.virtual_size,
        "checksum": image.checksum,
        "os_hash_algo": image.os_hash_algo,
        "os_hash_value": image.os_hash_value,
        "min_ram": image.min_ram,
        "min_disk": image.min_disk,
        "protected": image.protected,
        "os_hidden": image.os_hidden,
        "tags": sorted(image.tags),
    }


def is_visible(image: Image, caller: Caller) -> bool:
    """Whether the caller may know of the image at all. Policy can only narrow this."""
    if caller.is_admin or image.visibility in (Visibility.PUBLIC, Visibility.COMMUNITY):
        return True
    if caller.project_id is None:
        return False
    shared = image.visibility is Visibility.SHARED and image.member == caller.project_id
    return shared or image.owner == caller.project_id


def find_image(catalog: Catalog, caller: Caller, image_id: str) -> Image:
    """The image, if the caller may see it.

    :raises NotFound: there is none, or not for this caller.
    """
    image = catalog.records.images.get(image_id, caller.project_id)
    if not is_visible(image, caller) or not catalog.policy.allows("get_image", caller, policy_target(image)):
        raise NotFound("image", image_id)
    return image


def require(catalog: Catalog, caller: Caller, rule: str, image: Image) -> None:
    """Check a rule about an image that the caller can see.

    :raises Forbidden: the rule, or an anonymous caller's right to change nothing, forbids it.
    """
    require_rule(catalog, caller, rule, policy_target(image))


def require_rule(catalog: Catalog, caller: Caller, rule: str, target: Mapping[str, object]) -> None:
    """Check a rule. :raises Forbidden: it denies."""
    if not catalog.policy.allows(rule, caller, target):
        raise Forbidden(f"You are not authorized to complete {rule} action.")


def require_writer(caller: Caller) -> None:
    """:raises Forbidden: the caller may only read."""
    if caller.read_only:
        raise Forbidden("Anonymous callers may not change anything.")


def require_visibility(
    catalog: Catalog, caller: Caller, visibility: object, target: Mapping[str, object]
) -> None:
    """Check that the caller may give an image this visibility. :raises Forbidden: no."""
    rule = {Visibility.PUBLIC: "publicize_image", Visibility.COMMUNITY: "communitize_image"}.get(
        Visibility(str(visibility))
    )
    if rule is not None:
        require_rule(catalog, caller, rule, target)


def check_count(limit: str, maximum: int, attempted: int) -> None:
    """:raises LimitExceeded: `attempted` is more than the quota `limit` allows (negative: any number)."""
    if 0 <= maximum < attempted:
        raise LimitExceeded(limit, maximum, attempted)
