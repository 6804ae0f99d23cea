"""Instances: what each is, where its files are, and whether it runs.

`instances/ID/` has `instance.json`, the disks `root.qcow2` (a copy-on-write clone of the base image) and
`ephemeral.raw`, and while it runs the sockets `console` and `monitor`; `console.log` is what it has printed.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from glimpse.compute.bases import Bases
from glimpse.compute.flavors import Flavor, Flavors
from glimpse.compute.folders import folders, locked, read_document
from glimpse.compute.images import RemoteImage
from glimpse.domain.errors import Conflict, NotFound

RECORD = "instance.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """A virtual machine on this host.

    `image` is what it was launched from, `base` the key of its data here; `root_size` is in bytes. `volume`
    is the path of a file or a device, or an iSCSI URL.
    """

    folder: Path
    name: str
    created_at: str
    flavor: Flavor
    image: RemoteImage
    base: str
    root_size: int
    volume: str | None = None

    @property
    def id(self) -> str:
        """Its UUID."""
        return self.folder.name

    @property
    def root(self) -> Path:
        """The disk vda."""
        return self.folder / "root.qcow2"

    @property
    def ephemeral(self) -> Path | None:
        """The disk vdb."""
        return self.folder / "ephemeral.raw" if self.flavor.ephemeral else None

    def to_document(self) -> dict[str, object]:
        """As values that JSON knows."""
        return {name: value for name, value in asdict(self).items() if name != "folder"}


@dataclass(frozen=True, slots=True)
class Host:
    """Everything that the compute side keeps, below one folder."""

    folder: Path

    @property
    def flavors(self) -> Flavors:
        """The flavors of this host."""
        return Flavors(self.folder)

    @property
    def bases(self) -> Bases:
        """The base images of this host."""
        return Bases(self.folder / "images")

    @property
    def instances_folder(self) -> Path:
        """Where each instance has its folder."""
        return self.folder / "instances"

    def instances(self) -> list[Instance]:
        """All instances, the oldest first."""
        found = (_read(folder) for folder in folders(self.instances_folder))
        return sorted((one for one in found if one is not None), key=lambda one: (one.created_at, one.id))

    def instance(self, name_or_id: str) -> Instance:
        """The instance of this id, else the one of this name.

        :raises NotFound: there is none. :raises Conflict: there are several of this name.
        """
        found = [one for one in self.instances() if name_or_id in (one.id, one.name)]
        if not found:
            raise NotFound("instance", name_or_id)
        exact = [one for one in found if one.id == name_or_id]
        if len(exact or found) > 1:
            raise Conflict(f"Several instances have the name {name_or_id}: choose one by its id.")
        return (exact or found)[0]

    @contextmanager
    def handling(self, name_or_id: str) -> Iterator[Instance]:
        """The same, while no other command does anything to it. :raises Conflict: another command does."""
        instance = self.instance(name_or_id)
        with locked(instance.folder, wait=False):
            yield instance

    def is_in_use(self, base: str) -> bool:
        """Whether an instance was launched from the base of this key."""
        return any(one.base == base for one in self.instances())


def _read(folder: Path) -> Instance | None:
    document = read_document(folder / RECORD)
    if document is None:
        return None
    flavor, image = Flavor(**document["flavor"]), RemoteImage(**document["image"])
    return Instance(**{**document, "folder": folder, "flavor": flavor, "image": image})
