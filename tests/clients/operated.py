"""Our service as operators of OpenStack run it: Keystone, and an address in its catalog."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from tests.clients.keystone import Keystone
from tests.clients.process import CHECKOUT, Options, Running, behind, glance_api, merged


@contextlib.contextmanager
def in_the_catalog(keystone: Keystone, folder: Path, options: Options) -> Iterator[Running]:
    """Our service where the catalog says that the image service is, with the standard metadata definitions.

    Only one program of the checkout is in such a block at a time.
    """
    database: Options = {"database": {"connection": f"sqlite:///{folder / 'glance.db'}"}}
    port = int(keystone.images.rpartition(":")[2])
    groups = merged(behind(keystone.url), database, options)
    with (
        alone("image-port"),
        glance_api(folder, port, groups, [["db_sync"], ["db_load_metadefs"]]) as running,
    ):
        yield running


@contextlib.contextmanager
def alone(name: str) -> Iterator[None]:
    """Only one program of the checkout is in such a block at a time."""
    folder = CHECKOUT / ".cache"
    folder.mkdir(exist_ok=True)
    with (folder / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
