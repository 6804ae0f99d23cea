"""Both commands with every way to import, at our service behind Keystone with two stores."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.clients.client import Clients
from tests.clients.keystone import Keystone
from tests.clients.operated import in_the_catalog
from tests.clients.process import Options, Running
from tests.clients.test_glance_keystone import Person as Glance
from tests.clients.test_openstack_keystone import Person as OpenStack
from tests.sources import DATA, Source, serving

pytestmark = [pytest.mark.clients, pytest.mark.services]

RAW = ("--disk-format", "raw", "--container-format", "bare")
PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def source() -> Iterator[Source]:
    with serving() as source:
        yield source


@pytest.fixture(scope="module", autouse=True)
def service(keystone: Keystone, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("glance")
    with in_the_catalog(keystone, folder, options(folder)) as started:
        yield started


def options(folder: Path) -> Options:
    methods = "[glance-direct,web-download,copy-image,glance-download]"
    return {
        "DEFAULT": {"enabled_backends": "one:file,two:file", "enabled_import_methods": methods},
        "glance_store": {"default_backend": "one"},
        "one": {"filesystem_store_datadir": folder / "one"},
        "two": {"filesystem_store_datadir": folder / "two"},
        "import_filtering_opts": {"allowed_hosts": "127.0.0.1", "allowed_ports": ""},
    }


@pytest.fixture
def openstack(clients: Clients, keystone: Keystone) -> OpenStack:
    return OpenStack(replace(clients, at_terminal=True), keystone, "admin", "admin")


@pytest.fixture
def glance(clients: Clients, keystone: Keystone) -> Glance:
    return Glance(replace(clients, at_terminal=True), keystone, "admin", "admin")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk"
    path.write_bytes(random.Random(1).randbytes(300_000))
    return path


def soon(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.2)


class TestOpenStack:
    def test_glance_direct_in_one_command(self, openstack: OpenStack, disk: Path, tmp_path: Path) -> None:
        made = openstack.json("image", "create", *RAW, "--import", "--file", str(disk), "direct")
        check(openstack, made["id"], disk.read_bytes(), tmp_path)

    def test_glance_direct_in_steps(self, openstack: OpenStack, disk: Path, tmp_path: Path) -> None:
        image = openstack.json("image", "create", *RAW, "steps")["id"]
        openstack("image", "stage", "--file", str(disk), image)
        assert openstack.json("image", "show", image)["status"] == "uploading"
        openstack("image", "import", "--method", "glance-direct", "--all-stores", image)
        check(openstack, image, disk.read_bytes(), tmp_path)
        assert openstack.json("image", "show", image)["properties"]["stores"] == "one,two"

    def test_web_download(self, openstack: OpenStack, source: Source, tmp_path: Path) -> None:
        image = openstack.json("image", "create", *RAW, "web")["id"]
        openstack("image", "import", "--method", "web-download", "--uri", source.url(), image)
        check(openstack, image, DATA, tmp_path)

    def test_copy_image(self, openstack: OpenStack, disk: Path, tmp_path: Path) -> None:
        image = openstack.json("image", "create", *RAW, "--file", str(disk), "copy")["id"]
        openstack("image", "import", "--method", "copy-image", image, "--store", "two")
        soon(lambda: openstack.json("image", "show", image)["properties"]["stores"] == "one,two")
        check(openstack, image, disk.read_bytes(), tmp_path)

    def test_glance_download(
        self, openstack: OpenStack, disk: Path, tmp_path: Path, keystone: Keystone
    ) -> None:
        remote = openstack.json("image", "create", *RAW, "--file", str(disk), "remote")["id"]
        image = openstack.json("image", "create", *RAW, "local")["id"]
        words = ("--remote-region", keystone.region, "--remote-image", remote)
        # Without it openstacksdk 4.22 leaves out the other two, and hides the refusal.
        interface = ("--remote-service-interface", "public")
        openstack("image", "import", "--method", "glance-download", *words, *interface, image)
        check(openstack, image, disk.read_bytes(), tmp_path)


class TestGlance:
    def test_glance_direct(self, glance: Glance, disk: Path, tmp_path: Path) -> None:
        words = ("--import-method", "glance-direct", "--file", str(disk), "--name", "direct")
        verify(glance, glance("image-create-via-import", *RAW, *words)["id"], disk.read_bytes(), tmp_path)

    def test_glance_direct_in_steps(self, glance: Glance, disk: Path, tmp_path: Path) -> None:
        image = glance("image-create", *RAW, "--name", "steps")["id"]
        glance("image-stage", "--file", str(disk), image)
        glance("image-import", "--import-method", "glance-direct", "--stores", "one,two", image)
        verify(glance, image, disk.read_bytes(), tmp_path)

    def test_web_download(self, glance: Glance, source: Source, tmp_path: Path) -> None:
        words = ("--import-method", "web-download", "--uri", source.url(), "--all-stores", "True")
        image = glance("image-create-via-import", *RAW, *words)["id"]
        verify(glance, image, DATA, tmp_path)
        assert glance("image-show", image)["stores"] == "one,two"
        assert len(glance("image-tasks", image)) == 1

    def test_copy_image(self, glance: Glance, disk: Path, tmp_path: Path) -> None:
        image = glance("image-create", *RAW, "--file", str(disk), "--name", "copy")["id"]
        glance("image-import", "--import-method", "copy-image", "--stores", "two", image)
        soon(lambda: glance("image-show", image)["stores"] == "one,two")
        verify(glance, image, disk.read_bytes(), tmp_path)

    def test_glance_download(self, glance: Glance, disk: Path, tmp_path: Path, keystone: Keystone) -> None:
        remote = glance("image-create", *RAW, "--file", str(disk), "--name", "remote")["id"]
        words = ("--import-method", "glance-download", "--remote-region", keystone.region)
        image = glance("image-create-via-import", *RAW, *words, "--remote-image-id", remote)["id"]
        verify(glance, image, disk.read_bytes(), tmp_path)


def check(openstack: OpenStack, image: str, data: bytes, folder: Path) -> None:
    """The import ends, and the image has this data."""
    soon(lambda: openstack.json("image", "show", image)["status"] == "active")
    openstack("image", "save", "--file", str(folder / "saved"), image)
    assert (folder / "saved").read_bytes() == data


def verify(glance: Glance, image: str, data: bytes, folder: Path) -> None:
    """The same, by the other command."""
    soon(lambda: glance("image-show", image)["status"] == "active")
    glance("image-download", "--file", str(folder / "saved"), image)
    assert (folder / "saved").read_bytes() == data
