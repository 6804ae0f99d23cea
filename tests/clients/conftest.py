"""A real server for each module, the public clients, and a disk to be an image."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.barbican import Barbican, find_barbican
from tests.clients.client import Clients
from tests.clients.environment import CLIENTS, RegistryUnreachable, prepare
from tests.clients.keystone import Keystone, find_keystone
from tests.clients.operated import in_the_catalog
from tests.clients.process import Running
from tests.server import Server, running

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Clients:
    """The clients from PyPI."""
    try:
        folder = prepare(CLIENTS)
    except RegistryUnreachable as error:
        pytest.skip(f"{', '.join(CLIENTS.packages)} cannot be installed: {error}")
    return Clients(folder, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the tests of a module share."""
    with running(tmp_path_factory.mktemp("state") / "glimpse") as started:
        yield started


@pytest.fixture(scope="session")
def qcow2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk of 64 MiB with some data on it, as qemu-img makes it."""
    if shutil.which("qemu-img") is None:
        pytest.skip("qemu-img is not installed: apt-get install qemu-utils")
    folder = tmp_path_factory.mktemp("disk")
    raw = folder / "disk.raw"
    with raw.open("wb") as file:
        file.seek(3 * MEBIBYTE)
        file.write(random.Random(9292).randbytes(5 * MEBIBYTE))
        file.truncate(64 * MEBIBYTE)
    disk = folder / "disk.qcow2"
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, disk], check=True)
    return disk


@pytest.fixture(scope="session")
def keystone() -> Iterator[Keystone]:
    """A real Keystone with a region of our own: other processes test at the same time."""
    found = find_keystone()
    if found is None:
        pytest.skip("Keystone is not running; start it with: make services")
    with found.own_region() as own:
        yield own


@pytest.fixture(scope="module")
def keystone_server(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Our `glance-api` behind Keystone, and in its catalog."""
    with in_the_catalog(keystone, tmp_path_factory.mktemp("glance"), {}) as started:
        yield started


@pytest.fixture(scope="session")
def barbican() -> Barbican:
    """A real Barbican, behind Keystone."""
    found = find_barbican()
    if found is None:
        pytest.skip("Barbican is not running; start it with: make services-all")
    return found
