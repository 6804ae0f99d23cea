import pytest

from glimpse.stores.swift.writer import Shape

MIB = 1024 * 1024


@pytest.mark.parametrize(("segment", "many"), [(1, 4), (16, 4), (32, 4), (64, 2), (200, 1)])
def test_memory_is_bounded(segment: int, many: int) -> None:
    assert Shape(segment * MIB, 1000).side_by_side == many
