"""A server with a small disk that boots, and a host for its instances."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.compute.host import Host
from tests.keys import signer
from tests.server import Server, running

_GUEST = Path(__file__).parents[2] / ".services" / "guest" / "disk.qcow2"


@pytest.fixture(scope="session")
def disk() -> Path:
    """A disk that boots."""
    for program in ("qemu-system-x86_64", "qemu-img"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed; run services/guest")
    if not _GUEST.exists():
        pytest.skip("the guest's disk is not there; make it with: services/guest")
    return _GUEST


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that is the key manager of both ends."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "builder.pem").write_bytes(signer("RSA-PSS").pem)
    return folder


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, certificates: Path) -> Iterator[Server]:
    """Where the images are."""
    extra = f"[glimpse]\ncertificate_folder = {certificates}\n"
    with running(tmp_path_factory.mktemp("state") / "glimpse", extra) as started:
        yield started


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture
def host(tmp_path: Path, server: Server, certificates: Path) -> Iterator[Host]:
    """A host that demands signatures. Nothing of it runs on after the test."""
    config = f"[glimpse]\ncertificate_folder = {certificates}\n[glance]\nverify_glance_signatures = true\n"
    made = Host(tmp_path / "host", server, config)
    yield made
    for one in made.instances():
        made.do("delete", one["id"])
