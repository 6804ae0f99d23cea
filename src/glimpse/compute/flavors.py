"""Flavors: how many processors, how much memory and how large disks an instance gets."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from glimpse.compute.folders import locked, read_document, write_document
from glimpse.domain.errors import Duplicate, Invalid, NotFound

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,254}", re.ASCII)
# What a flavor may hold, at least and at most.
_LIMITS = {"vcpus": (1, 255), "ram": (32, 16 * 1024**2), "disk": (0, 1024**2), "ephemeral": (0, 1024**2)}


@dataclass(frozen=True, slots=True)
class Flavor:
    """A size of instances: `ram` in MiB; `disk` and `ephemeral` in GiB.

    With a `disk` of 0 the root disk is as large as the image's; with an `ephemeral` of 0 there is no such
    disk.

    :raises Invalid: a value is outside its limits.
    """

    name: str
    vcpus: int
    ram: int
    disk: int = 0
    ephemeral: int = 0

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise Invalid("name", "a flavor's has letters, digits, '.', '_' and '-' alone, 255 at most")
        for field, (least, most) in _LIMITS.items():
            if not least <= getattr(self, field) <= most:
                raise Invalid(field, f"it must be {least} to {most}")


# Those that OpenStack installations used to come with.
PREDEFINED = (
    Flavor("m1.nano", 1, 192, 1),
    Flavor("m1.tiny", 1, 512, 1),
    Flavor("m1.small", 1, 2048, 20),
    Flavor("m1.medium", 2, 4096, 40),
    Flavor("m1.large", 4, 8192, 80),
    Flavor("m1.xlarge", 8, 16384, 160),
)


class Flavors:
    """The flavors of this host; those predefined, until somebody changes one."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = folder / "flavors.json"

    def all(self) -> list[Flavor]:
        """All of them, by name."""
        return sorted(self._read().values(), key=lambda flavor: flavor.name)

    def get(self, name: str) -> Flavor:
        """One of them. :raises NotFound: there is none of this name."""
        try:
            return self._read()[name]
        except KeyError:
            raise NotFound("flavor", name) from None

    def create(self, flavor: Flavor) -> None:
        """Add one. :raises Duplicate: there is one of this name."""
        with locked(self._folder):
            flavors = self._read()
            if flavor.name in flavors:
                raise Duplicate(f"There is a flavor {flavor.name} already.")
            self._write({**flavors, flavor.name: flavor})

    def edit(self, name: str, changes: Mapping[str, int]) -> Flavor:
        """Change one; instances keep what they were launched with.

        :raises NotFound: there is none of this name. :raises Invalid: a value is outside its limits.
        """
        with locked(self._folder):
            edited = Flavor(**{**asdict(self.get(name)), **changes})
            self._write({**self._read(), name: edited})
        return edited

    def delete(self, name: str) -> None:
        """Remove one. :raises NotFound: there is none of this name."""
        with locked(self._folder):
            self.get(name)
            self._write({other: flavor for other, flavor in self._read().items() if other != name})

    def _read(self) -> dict[str, Flavor]:
        document = read_document(self._file)
        if document is None:
            return {flavor.name: flavor for flavor in PREDEFINED}
        return {name: Flavor(**values) for name, values in document.items()}

    def _write(self, flavors: Mapping[str, Flavor]) -> None:
        write_document(self._file, {name: asdict(flavor) for name, flavor in flavors.items()})
