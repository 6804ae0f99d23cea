"""How many bytes an import may bring."""

from collections.abc import Callable

from glimpse.catalog.ports import Charge, Resource
from glimpse.catalog.quotas import MIB, Ceiling
from glimpse.domain.errors import LimitExceeded
from glimpse.transfer.transfer import Transfer


async def ceiling_of_copies(transfer: Transfer, charge: Charge, reserved: int, copies: int) -> Ceiling:
    """The most bytes that each of so many copies may have, for which `reserved` bytes are set aside."""
    catalog = transfer.catalog
    found = Ceiling("image_size_cap", catalog.limits.image_size_cap)
    for quota in _quotas(charge):
        used = await transfer.threads.record(catalog.records.images.usage, charge.project_id or "")
        left = max(0, quota.maximum - used + reserved) // copies
        found = min(found, Ceiling(quota.limit, left), key=lambda one: one.maximum)
    return found


def _quotas(charge: Charge) -> list[Ceiling]:
    """What bounds the bytes of the project."""
    if charge.project_id is None:
        return []
    quotas = [] if charge.quota is None else [Ceiling("user_storage_quota", charge.quota)]
    if charge.allowance is not None:
        size = Resource.SIZE_TOTAL
        most = charge.allowance.limits.get(size, 0)
        quotas += [Ceiling(size.value, most * MIB)] if most >= 0 else []
    return quotas


def meter(ceiling: Ceiling) -> Callable[[int], None]:
    """What refuses bytes above the ceiling."""

    def check(total: int) -> None:
        if total > ceiling.maximum:
            raise LimitExceeded(ceiling.limit, ceiling.maximum, None, "bytes")

    return check
