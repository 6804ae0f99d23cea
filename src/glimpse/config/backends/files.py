"""Stores of files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from oslo_config import cfg

from glimpse.config.backends.kind import Kind
from glimpse.domain.errors import Invalid
from glimpse.stores.base import Store
from glimpse.transfer.lanes import BATCH_BYTES

OPTIONS = (
    cfg.StrOpt(
        "filesystem_store_datadir", help="Folder of the images. Default: `images` in the state folder."
    ),
    cfg.MultiStrOpt("filesystem_store_datadirs", help="As `filesystem_store_datadir`; so far one folder."),
    cfg.IntOpt(
        "filesystem_store_file_perm", default=0, help="Permissions of image files, as in chmod; 0: 640."
    ),
    cfg.BoolOpt(
        "filesystem_thin_provisioning", default=True, help="Keep holes instead of writing blocks of zeros."
    ),
)


@dataclass(frozen=True, slots=True)
class FileBackend:
    """The folder, the files' permissions (0: 0640), and whether to keep holes."""

    folder: Path
    file_mode: int = 0
    thin: bool = True

    def open(self, store_id: str) -> Store:
        """The store."""
        from glimpse.stores.filesystem import FilesystemStore

        return FilesystemStore(store_id, self.folder, thin=self.thin, file_mode=self.file_mode)

    def properties(self) -> Mapping[str, object]:
        """As Glance tells them."""
        return {
            "data_dir": str(self.folder),
            "chunk_size": BATCH_BYTES,
            "thin_provisioning": self.thin,
        }


def _read(options: Any, _: cfg.ConfigOpts, state: Path) -> FileBackend:
    mode = _file_mode(options.filesystem_store_file_perm)
    return FileBackend(_folder(options, state), mode, options.filesystem_thin_provisioning)


def _folder(options: Any, state: Path) -> Path:
    folders: list[str] = options.filesystem_store_datadirs or []
    if folders and options.filesystem_store_datadir:
        raise Invalid("filesystem_store_datadirs", "it and filesystem_store_datadir exclude each other")
    if len(folders) > 1:
        raise Invalid("filesystem_store_datadirs", "more than one folder is not supported yet")
    if folders:
        # With its priority, which means nothing for one.
        return Path(folders[0].partition(":")[0])
    return Path(options.filesystem_store_datadir or state / "images")


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
