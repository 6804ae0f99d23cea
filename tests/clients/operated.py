"""Our service as operators of OpenStack run it: Keystone, and an address in its catalog."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from tests.clients.keystone import Keystone
from tests.clients.process import Options, Running, behind, glance_api, merged
from tests.server import free_port


@contextlib.contextmanager
def in_the_catalog(
    keystone: Keystone, folder: Path, options: Options, port: int | None = None
) -> Iterator[Running]:
    """Our service, with the standard metadata definitions, as the image service of Keystone's region."""
    database: Options = {"database": {"connection": f"sqlite:///{folder / 'glance.db'}"}}
    groups = merged(behind(keystone.url), database, options)
    with (
        glance_api(folder, port or free_port(), groups, [["db_sync"], ["db_load_metadefs"]]) as running,
        keystone.endpoints("image", running.url),
    ):
        yield running
