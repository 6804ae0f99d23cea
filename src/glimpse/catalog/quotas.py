"""What a project may have, and what it has."""

from collections.abc import Mapping
from dataclasses import dataclass

from glimpse.catalog.catalog import Catalog
from glimpse.catalog.ports import Allowance, Resource
from glimpse.domain.caller import Caller
from glimpse.domain.errors import LimitExceeded

MIB = 2**20


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The most bytes that may come in, and the name of the limit that says so."""

    limit: str
    maximum: int


@dataclass(frozen=True, slots=True)
class Usage:
    """How much there is of a resource, and how much there may be (negative: any amount); sizes in MiB."""

    usage: int
    limit: int


def allowance(catalog: Catalog, caller: Caller) -> Allowance | None:
    """The limits of the caller's project that are kept elsewhere; None: there are none.

    :raises Unavailable: they cannot be read.
    """
    if catalog.quotas is None or caller.project_id is None:
        return None
    return Allowance(caller.project_id, catalog.quotas.of(caller.project_id))


def usage(catalog: Catalog, caller: Caller) -> Mapping[str, Usage]:
    """What the caller's project has and may have, by resource; nothing where no limits are kept elsewhere.

    :raises Unavailable: the limits cannot be read.
    """
    allowed = allowance(catalog, caller)
    if allowed is None:
        return {}
    totals = catalog.records.images.totals(allowed.project_id)
    return {
        resource.value: Usage(total // unit(resource), allowed.limits.get(resource, 0))
        for resource, total in totals.items()
    }


def unit(resource: Resource) -> int:
    """How many bytes or images one of a limit is."""
    return MIB if resource in (Resource.SIZE_TOTAL, Resource.STAGE_TOTAL) else 1


def storage_quota(catalog: Catalog) -> int | None:
    """The local quota of bytes a project, which does not count where limits are kept elsewhere."""
    return catalog.limits.user_storage_quota if catalog.quotas is None else None


def ceiling(catalog: Catalog, caller: Caller, allowed: Allowance | None, size: int | None) -> Ceiling:
    """How many bytes an upload of `size` bytes (None: unknown) may bring.

    :raises LimitExceeded: it may bring none, or fewer than that.
    """
    found = Ceiling("image_size_cap", catalog.limits.image_size_cap)
    quota = _quota(catalog, caller, allowed)
    if quota is not None:
        left = max(0, quota.maximum - catalog.records.images.usage(caller.project_id or ""))
        if left == 0 and size is None:
            raise LimitExceeded(quota.limit, quota.maximum, None, "bytes")
        found = min(found, Ceiling(quota.limit, left), key=lambda one: one.maximum)
    if size is not None and size > found.maximum:
        raise LimitExceeded(found.limit, found.maximum, size, "bytes")
    return found


def _quota(catalog: Catalog, caller: Caller, allowed: Allowance | None) -> Ceiling | None:
    if allowed is not None:
        limit = allowed.limits.get(Resource.SIZE_TOTAL, 0)
        return Ceiling(Resource.SIZE_TOTAL.value, limit * MIB) if limit >= 0 else None
    quota = storage_quota(catalog)
    return None if quota is None or caller.project_id is None else Ceiling("user_storage_quota", quota)
