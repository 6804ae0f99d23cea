"""A disk hangs, as an NFS mount whose server is gone: other stores go on, and nothing is left."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest

from glimpse.transfer.threads import DATA_THREADS
from tests.disks import Disk, mounted
from tests.faults.promises import DATA, QUICK_LEASE, has_status, intents, new_image, wait_until
from tests.server import Server, running

pytestmark = pytest.mark.faults

STORES = """enabled_backends = nfs:file,local:file
[glance_store]
default_backend = nfs
[nfs]
filesystem_store_datadir = {disk}/images
filesystem_store_timeout = 1
[local]
filesystem_store_datadir = {folder}/local
"""
BODY = os.urandom(2**20)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    with mounted(tmp_path, 32) as disk:
        yield disk


@pytest.fixture
def server(tmp_path: Path, disk: Disk) -> Iterator[Server]:
    extra = STORES.format(disk=disk.mount, folder=tmp_path) + QUICK_LEASE
    with running(tmp_path / "glimpse", extra) as started:
        yield started


def put(api: httpx.Client, image: str, store: str) -> int:
    headers = {**DATA, "X-Image-Meta-Store": store}
    return api.put(f"/v2/images/{image}/file", content=BODY, headers=headers).status_code


def test_other_stores_go_on(server: Server, api: httpx.Client, disk: Disk, tmp_path: Path) -> None:
    kept = new_image(api)
    assert put(api, kept, "nfs") == 204
    # More uploads than the service has threads for bytes.
    images = [new_image(api) for _ in range(DATA_THREADS + 4)]
    with ThreadPoolExecutor(len(images)) as pool:
        with disk.hanging():
            hung = [pool.submit(put, api, image, "nfs") for image in images]
            assert {upload.result() for upload in hung} == {503}
            for _ in range(3):
                assert put(api, new_image(api), "local") == 204
            assert put(api, images[0], "nfs") == 503
            assert api.get(f"/v2/images/{kept}/file").status_code == 503
            for image in images:
                wait_until("it is undone", partial(has_status, api, image, "queued"))
        wait_until("nothing is under way", lambda: not intents(server.state))
    wait_until("it answers", lambda: api.get(f"/v2/images/{kept}/file").content == BODY)
    assert [path.name for path in (disk.mount / "images").iterdir()] == [kept]
    assert put(api, images[0], "nfs") == 204
    assert len(list((tmp_path / "local").iterdir())) == 3
