"""How many bytes an import may bring."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from glimpse.catalog.catalog import Limits
from glimpse.catalog.ports import Allowance, Charge, Resource
from glimpse.catalog.quotas import MIB, Ceiling
from glimpse.domain.errors import LimitExceeded
from glimpse.imports.ceilings import ceiling_of_copies, meter
from glimpse.transfer.transfer import Transfer
from glimpse.transfer.upload import upload
from tests.unit.world import MEMBER, Source, register, run

CAP = 10 * MIB


@pytest.fixture
def ceiling(transfer: Transfer) -> Callable[..., Ceiling]:
    """The ceiling where the project `lab` stores 1000 bytes."""
    transfer = replace(transfer, catalog=replace(transfer.catalog, limits=Limits(image_size_cap=CAP)))
    image = register(transfer.catalog)
    run(upload(transfer, MEMBER, image.id, aiter(Source([bytes(1000)]))))

    def found(charge: Charge, reserved: int = 0, copies: int = 1) -> Ceiling:
        return run(ceiling_of_copies(transfer, charge, reserved, copies))

    return found


def allowing(most: int | None) -> Allowance:
    return Allowance("lab", {} if most is None else {Resource.SIZE_TOTAL: most})


@pytest.mark.parametrize(
    ("charge", "limit", "maximum"),
    [
        (Charge("lab"), "image_size_cap", CAP),
        (Charge("lab", CAP * 2), "image_size_cap", CAP),
        (Charge("lab", 5000), "user_storage_quota", 4000),
        (Charge("lab", 500), "user_storage_quota", 0),
        (Charge("elsewhere", 5000), "user_storage_quota", 5000),
        (Charge(None, 5000), "image_size_cap", CAP),
        (Charge("lab", None, allowing(1)), "image_size_total", MIB - 1000),
        (Charge("lab", 5000, allowing(1)), "user_storage_quota", 4000),
        (Charge("lab", None, allowing(-1)), "image_size_cap", CAP),
        (Charge("lab", None, allowing(None)), "image_size_total", 0),
    ],
)
def test_the_lowest_counts(ceiling: Callable[..., Ceiling], charge: Charge, limit: str, maximum: int) -> None:
    assert ceiling(charge) == Ceiling(limit, maximum)


def test_what_is_reserved_for_the_import_is_its_own(ceiling: Callable[..., Ceiling]) -> None:
    assert ceiling(Charge("lab", 5000), reserved=300) == Ceiling("user_storage_quota", 4300)


def test_copies_share(ceiling: Callable[..., Ceiling]) -> None:
    assert ceiling(Charge("lab", 5000), copies=3) == Ceiling("user_storage_quota", 1333)
    assert ceiling(Charge("lab"), copies=3) == Ceiling("image_size_cap", CAP)


def test_the_meter_refuses_what_is_above() -> None:
    check = meter(Ceiling("user_storage_quota", 10))
    check(10)
    with pytest.raises(LimitExceeded, match="user_storage_quota"):
        check(11)
