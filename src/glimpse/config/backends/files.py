"""Stores of files."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store
from glimpse.stores.folders import Folder
from glimpse.transfer.lanes import BATCH_BYTES

OPTIONS = (
    cfg.StrOpt(
        "filesystem_store_datadir", help="Folder of the images. Default: `images` in the state folder."
    ),
    cfg.MultiStrOpt(
        "filesystem_store_datadirs",
        help="Several folders, one a line, each with its priority if need be: `/path:10`. The highest takes "
        "new images as long as they fit; of equals, the one with most free space.",
    ),
    cfg.StrOpt(
        "filesystem_store_metadata_file",
        help="JSON file of what mount points are called, for those who mount them too: an object with `id` "
        "and `mountpoint`, or a list of such. The locations of images that lie there say so.",
    ),
    cfg.IntOpt(
        "filesystem_store_timeout",
        min=0,
        default=0,
        help="For network filesystems: seconds after which a call on one is given up (a commit gets at least "
        "120); 0: never. As long as a call hangs, the store is not available. Makes downloads dearer.",
    ),
    cfg.IntOpt(
        "filesystem_store_thread_pool_size",
        min=1,
        default=10,
        help="How many calls with a timeout are made at once.",
    ),
    cfg.IntOpt(
        "filesystem_store_threadpool_threshold",
        min=0,
        max=100,
        default=75,
        help="The log is told when so many percent of these threads are busy.",
    ),
    cfg.IntOpt(
        "filesystem_store_file_perm",
        default=0,
        help="Permissions of image files, as in chmod; 0: 640. Whoever may use them may pass their folder.",
    ),
    cfg.BoolOpt(
        "filesystem_thin_provisioning", default=True, help="Keep holes instead of writing blocks of zeros."
    ),
)


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount point, and what the locations of images that lie there say of it."""

    point: Path
    metadata: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Timeout:
    """How many seconds a call may take, and how many threads make them; `warn_at` busy ones are logged."""

    seconds: int
    threads: int
    warn_at: int


@dataclass(frozen=True, slots=True)
class FileBackend:
    """The folders, the files' permissions (0: 0640), whether to keep holes, names of mount points, and how
    long a call may take (None: for ever).
    """

    folders: tuple[Folder, ...]
    file_mode: int = 0
    thin: bool = True
    mounts: tuple[Mount, ...] = ()
    timeout: Timeout | None = None

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.bounded import BoundedStore
        from glimpse.stores.callers import Callers
        from glimpse.stores.filesystem import FilesystemStore

        store = FilesystemStore(store_id, *self.folders, thin=self.thin, file_mode=self.file_mode)
        if self.timeout is None:
            return store
        callers = Callers(store_id, self.timeout.threads, self.timeout.warn_at)
        return BoundedStore(store, callers, self.timeout.seconds)

    def properties(self) -> Mapping[str, object]:
        """As Glance tells them."""
        return {
            "data_dir": ", ".join(str(folder.path) for folder in self.folders),
            "chunk_size": BATCH_BYTES,
            "thin_provisioning": self.thin,
        }

    def describe(self, url: str) -> Mapping[str, str]:
        """What the location of an object says besides the store's name: that of the innermost mount point."""
        path = Path(url.partition("://")[2])
        mounts = [mount for mount in self.mounts if path.is_relative_to(mount.point)]
        return max(mounts, key=lambda mount: len(mount.point.parts)).metadata if mounts else {}


def _read(options: Any, _: cfg.ConfigOpts, state: Path) -> FileBackend:
    return FileBackend(
        tuple(_folders(options, state)),
        _file_mode(options.filesystem_store_file_perm),
        options.filesystem_thin_provisioning,
        tuple(_mounts(options.filesystem_store_metadata_file)),
        _timeout(options),
    )


def _timeout(options: Any) -> Timeout | None:
    threads = options.filesystem_store_thread_pool_size
    warn_at = max(threads * options.filesystem_store_threadpool_threshold // 100, 1)
    seconds = options.filesystem_store_timeout
    return Timeout(seconds, threads, warn_at) if seconds else None


def _folders(options: Any, state: Path) -> Sequence[Folder]:
    written: list[str] = options.filesystem_store_datadirs or []
    if not written:
        return [Folder(Path(options.filesystem_store_datadir or state / "images"))]
    if options.filesystem_store_datadir:
        raise Invalid("filesystem_store_datadirs", "it and filesystem_store_datadir exclude each other")
    folders = [_folder(text) for text in written]
    if len({os.path.realpath(folder.path) for folder in folders}) < len(folders):
        raise Invalid("filesystem_store_datadirs", "a folder is there twice")
    return folders


def _folder(written: str) -> Folder:
    path, colon, priority = written.rpartition(":")
    if not colon:
        return Folder(Path(written.strip()))
    try:
        return Folder(Path(path.strip()), int(priority.strip() or 0))
    except ValueError:
        reason = f"'{written}': what follows the colon is a priority, which is a whole number"
        raise Invalid("filesystem_store_datadirs", reason) from None


def _mounts(path: str | None) -> Iterator[Mount]:
    if not path:
        return
    try:
        document = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise Invalid("filesystem_store_metadata_file", f"{path}: {error}") from None
    for entry in document if isinstance(document, list) else [document]:
        if not isinstance(entry, dict) or not {"id", "mountpoint"} <= entry.keys():
            raise Invalid("filesystem_store_metadata_file", f"{path}: an entry has an id and a mountpoint")
        if not all(isinstance(value, str) for value in entry.values()):
            raise Invalid("filesystem_store_metadata_file", f"{path}: all values are strings")
        if not entry["mountpoint"].startswith("/"):
            raise Invalid("filesystem_store_metadata_file", f"{path}: a mountpoint begins with /")
        yield Mount(Path(entry["mountpoint"]), entry)


def _file_mode(written: int) -> int:
    """Permissions that are written in decimal and read in octal, as chmod takes them."""
    if written <= 0:
        return 0
    try:
        mode = int(str(written), 8)
    except ValueError:
        raise Invalid("filesystem_store_file_perm", f"{written} is no file mode as chmod takes it") from None
    if not mode & 0o400 or mode > 0o777:
        raise Invalid("filesystem_store_file_perm", "it must let the owner read, and be 777 at most")
    return mode


KIND = Kind("file", frozenset({"file", "filesystem", "glance.store.filesystem.Store"}), OPTIONS, _read)
