"""Where a run keeps its files and how long it takes."""

import resource
import shutil
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
GIB = 1024**3
MIB = 1024**2

MARIADB_PORT = 24801
NGINX_PORT = 24802
OURS_PORT = 24810
REGISTRY_PORT = 24811
NODE_PORT = 24812
UPSTREAM_PORT = 24820
POSTGRESQL_PORT = 24803
KEYSTONE_PORT = 24804
CEPH_PORT = 24805
SWIFT_PORT = 24830

CONNECTIONS = 8
WORKERS = 2
UPSTREAM_THREADS = 8


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that the options of the command decide."""

    folder: Path  # configurations, logs, upstream's environment
    stores: Path  # image data
    database: str  # "mariadb", "postgresql" or "sqlite"
    identity: str  # "headers": as cheap as each side can; "keystone": both ask the same Keystone
    quick: bool
    sides: tuple[str, ...]

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 3

    @property
    def seconds(self) -> float:
        """How long one operation is repeated in one round."""
        return 1.5 if self.quick else 4.0

    @property
    def catalog(self) -> int:
        """Images in the catalog that both sides list."""
        return 10_000

    @property
    def big_catalog(self) -> int:
        return 20_000 if self.quick else 100_000

    @property
    def shared_images(self) -> int:
        return 5_000 if self.quick else 20_000

    @property
    def image_size(self) -> int:
        return GIB // 4 if self.quick else GIB

    @property
    def slow_seconds(self) -> float:
        """How long the slow readers stay slow."""
        return 10.0 if self.quick else 20.0


def default_stores(folder: Path) -> Path:
    """Memory, when it has room, so that the disk does not hide the software."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 6 * GIB:
        return memory
    return folder


def raise_file_limit() -> None:
    """Thousands of connections need as many descriptors, here and in the servers that inherit the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
