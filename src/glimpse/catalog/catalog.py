"""What every verb needs, and the questions that most verbs ask first."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from glimpse.catalog.events import Notifier
from glimpse.catalog.ports import Policy, PropertyRules, Quotas
from glimpse.catalog.records import Records
from glimpse.domain.attributes import Attribute
from glimpse.domain.caller import Caller
from glimpse.domain.errors import Forbidden, LimitExceeded, NotFound
from glimpse.domain.image import Image, Visibility
from glimpse.domain.properties import NOTHING_KNOWN, KnownProperties


@dataclass(frozen=True, slots=True)
class Limits:
    """Local limits, by the names of their options. Negative counts and a quota of None mean no limit.

    `task_time_to_live` is hours.
    """

    image_size_cap: int = 2**40
    user_storage_quota: int | None = None
    image_property_quota: int = 128
    image_tag_quota: int = 128
    image_member_quota: int = 128
    image_location_quota: int = 10
    limit_param_default: int = 25
    api_limit_max: int = 1000
    task_time_to_live: int = 48


@dataclass(frozen=True, slots=True)
class Catalog:
    """The first argument of every verb: records, rules, limits and the time.

    Without `protection` all properties are open; without `quotas` the local storage quota counts; without a
    `notifier` nobody is told what happens. With `delayed_delete` the data of deleted images waits for the
    scrubber.
    """

    records: Records
    policy: Policy
    limits: Limits
    attributes: Mapping[str, Attribute]
    clock: Callable[[], datetime]
    protection: PropertyRules | None = None
    quotas: Quotas | None = None
    known: KnownProperties = NOTHING_KNOWN
    delayed_delete: bool = False
    notifier: Notifier | None = None


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


def find_image(catalog: Catalog, caller: Caller, image_id: str, rule: str = "get_image") -> Image:
    """The image, if `rule` lets the caller do with it what the rule is about.

    :raises NotFound: there is none, or not for this caller.
    :raises Forbidden: the caller may see it, but the rule denies.
    """
    image = catalog.records.images.get(image_id, caller.project_id)
    if not is_visible(image, caller):
        raise NotFound("image", image_id)
    require(catalog, caller, rule, image)
    return image


def require(catalog: Catalog, caller: Caller, rule: str, image: Image) -> None:
    """Check a rule about an image.

    :raises Forbidden: the rule denies. :raises NotFound: and so does the one about seeing the image.
    """
    target = policy_target(image)
    allows = catalog.policy.allows
    if allows(rule, caller, target):
        return
    if rule == "get_image" or not allows("get_image", caller, target):
        raise NotFound("image", image.id)
    raise _denied(rule)


def require_rule(catalog: Catalog, caller: Caller, rule: str, target: Mapping[str, object]) -> None:
    """Check a rule. :raises Forbidden: it denies."""
    if not catalog.policy.allows(rule, caller, target):
        raise _denied(rule)


def _denied(rule: str) -> Forbidden:
    return Forbidden(f"You are not authorized to complete {rule} action.")


def may(catalog: Catalog, caller: Caller, operation: str, name: str) -> bool:
    """Whether the caller may `create`, `read`, `update` or `delete` the custom property of this name."""
    return catalog.protection is None or catalog.protection.allows(operation, name, caller)


def seen_by(catalog: Catalog, caller: Caller) -> Callable[[Image], Image]:
    """What leaves of an image what the caller may see: all but the properties that they may not read.

    For answers alone: what is stored is always compared with the whole image, or a property that its editor
    cannot see would be lost.
    """
    if catalog.protection is None:
        return lambda image: image
    readable: dict[str, bool] = {}

    def seen(image: Image) -> Image:
        for name in image.properties.keys() - readable.keys():
            readable[name] = may(catalog, caller, "read", name)
        shown = {name: value for name, value in image.properties.items() if readable[name]}
        return image if len(shown) == len(image.properties) else replace(image, properties=shown)

    return seen


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
