from pathlib import Path

import pytest

from glimpse.compute.flavors import PREDEFINED, Flavor, Flavors
from glimpse.domain.errors import Duplicate, Invalid, NotFound


def test_predefined_flavors_can_be_changed_and_removed(tmp_path: Path) -> None:
    flavors = Flavors(tmp_path)
    assert {flavor.name for flavor in flavors.all()} == {flavor.name for flavor in PREDEFINED}
    flavors.create(Flavor("mine", 2, 256))
    assert flavors.edit("mine", {"ram": 512, "ephemeral": 3}) == Flavor("mine", 2, 512, 0, 3)
    flavors.delete("m1.tiny")
    again = Flavors(tmp_path)
    assert again.get("mine").ram == 512
    with pytest.raises(NotFound):
        again.get("m1.tiny")


def test_a_name_is_given_once(tmp_path: Path) -> None:
    with pytest.raises(Duplicate):
        Flavors(tmp_path).create(Flavor("m1.tiny", 1, 64))


@pytest.mark.parametrize(
    ("field", "value"),
    [("name", "../x"), ("vcpus", 0), ("ram", 31), ("disk", -1), ("ephemeral", 1024**2 + 1)],
)
def test_values_outside_their_limits(field: str, value: object) -> None:
    values = {"name": "good", "vcpus": 1, "ram": 64, "disk": 1, "ephemeral": 0, field: value}
    with pytest.raises(Invalid, match=field):
        Flavor(**values)  # type: ignore[arg-type]
