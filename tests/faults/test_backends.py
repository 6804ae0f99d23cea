"""The server behind a store dies in the middle of an upload: killed, or stopped where others need it."""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.backends.cinder import CinderServer
from tests.backends.cinder import options as cinder_options
from tests.backends.cinder import server as cinder_server
from tests.backends.own_swift import OwnSwift
from tests.backends.s3 import S3Backend
from tests.backends.s3 import swift as s3_server
from tests.backends.swift import MIB, Cluster, SwiftBackend, running
from tests.faults.promises import (
    DATA,
    QUICK_LEASE,
    has_status,
    intents,
    new_image,
    show,
    upload,
    wait_until,
)
from tests.server import Server, free_port
from tests.server import running as running_service

pytestmark = [pytest.mark.faults, pytest.mark.services]

HALF = os.urandom(6 * MIB)
SMALL = os.urandom(100_000)


@dataclass(frozen=True)
class Mortal:
    """A server that can be taken away and brought back, the options of a store in it, and what that holds.

    Whoever shares the server with others tells what it holds of one image.
    """

    kind: str
    options: str
    die: Callable[[], object]
    live: Callable[[], object]
    leftovers: Callable[[str], Any]


@pytest.fixture(scope="module")
def own_swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnSwift]:
    running()
    own = OwnSwift(tmp_path_factory.mktemp("own"))
    own.start()
    yield own
    own.stop()


@contextmanager
def swift(own: OwnSwift) -> Iterator[Mortal]:
    told = running(own.folder / "env")
    backend = SwiftBackend(Cluster.by_swift(told=told))
    options = (
        f"swift_store_auth_address = {told['SWIFT_AUTH_URL']}\nswift_store_auth_version = 1\n"
        f"swift_store_user = {told['SWIFT_USER']}\nswift_store_key = {told['SWIFT_KEY']}\n"
        f"swift_store_container = {backend.terms.containers.name}\n"
        "swift_store_create_container_on_put = true\nswift_store_large_object_chunk_size = 1\n"
    )
    yield Mortal("swift", options, own.kill, own.start, lambda _: backend.leftovers())


@contextmanager
def s3(own: OwnSwift) -> Iterator[Mortal]:
    server = s3_server(own.folder)
    assert server is not None
    backend = S3Backend(server)
    options = (
        f"s3_store_host = {server.url}\ns3_store_bucket = {backend.bucket}\n"
        f"s3_store_access_key = {server.access_key}\ns3_store_secret_key = {server.secret_key}\n"
        "s3_store_large_object_size = 5\ns3_store_large_object_chunk_size = 5\n"
    )
    yield Mortal("s3", options, own.kill, own.start, lambda _: backend.leftovers())


class OwnCinder:
    """An API of Cinder on another port, which shares all but that with the running one."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self._home = Path(cinder_server()["HOME"])
        self._config = folder / "api.conf"
        self._config.write_text(f"[DEFAULT]\nosapi_volume_listen_port = {self.port}\n")
        self._log = folder / "log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        programs = self._home / "environment" / "bin"
        configs = [f"--config-file={self._home / 'cinder.conf'}", f"--config-file={self._config}"]
        path = f"{self._home / 'bin'}:{programs}:{os.environ['PATH']}"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [str(programs / "cinder-api"), *configs],
                env=os.environ | {"PATH": path},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until("Cinder answers", self._answers)

    def kill(self) -> None:
        """It and its children."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(60)
            self._process = None

    def _answers(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.port}/", trust_env=False).status_code == 300
        except httpx.TransportError:
            return False


@contextmanager
def cinder(folder: Path) -> Iterator[Mortal]:
    backend, own = CinderServer(folder), OwnCinder(folder)
    own.start()
    endpoint = f"cinder_endpoint_template = http://127.0.0.1:{own.port}/v3/%(tenant)s\n"
    options = f"{cinder_options()}{endpoint}cinder_http_retries = 0\n"

    def leftovers(image: str) -> list[str]:
        return [name for name in backend.leftovers() if image in name]

    yield Mortal("cinder", options, own.kill, own.start, leftovers)
    own.kill()


@contextmanager
def rbd(folder: Path) -> Iterator[Mortal]:
    """The OSD is the one that other tests use too. It is stopped for a moment; they wait longer."""
    from tests.backends.ceph import Admin, Pool

    conf = running()["CEPH_CONF"]
    osd = int((Path(conf).parent / "osd.pid").read_text())
    pool = Pool(Admin.of(conf), folder)
    options = (
        f"rbd_store_ceph_conf = {pool.access.conf}\nrbd_store_user = {pool.access.user}\n"
        f"rbd_store_pool = {pool.name}\nrados_connect_timeout = 2\n"
    )
    try:
        yield Mortal(
            "rbd",
            options,
            lambda: os.kill(osd, signal.SIGSTOP),
            lambda: os.kill(osd, signal.SIGCONT),
            lambda _: pool.objects(),
        )
    finally:
        os.kill(osd, signal.SIGCONT)
        pool.drop()


@pytest.fixture(params=["swift", "s3", "cinder", "rbd"])
def mortal(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Mortal]:
    if request.param in ("swift", "s3"):
        made = {"swift": swift, "s3": s3}[request.param](request.getfixturevalue("own_swift"))
    else:
        made = {"cinder": cinder, "rbd": rbd}[request.param](tmp_path)
    with made as mortal:
        yield mortal


@pytest.fixture
def service(mortal: Mortal, tmp_path: Path) -> Iterator[Server]:
    """A service with files and the store that may lose its server, to which it writes by default."""
    extra = (
        f"enabled_backends = here:file,tested:{mortal.kind}\n[glance_store]\ndefault_backend = tested\n"
        f"[here]\nfilesystem_store_datadir = {tmp_path / 'here'}\n[tested]\n{mortal.options}{QUICK_LEASE}"
    )
    with running_service(tmp_path / "glimpse", extra) as server:
        yield server


def test_the_server_dies_while_an_image_comes(mortal: Mortal, service: Server) -> None:
    with service.client() as api:
        image, elsewhere = new_image(api), new_image(api)
        put = api.put(
            f"/v2/images/{elsewhere}/file", content=SMALL, headers={**DATA, "X-Image-Meta-Store": "here"}
        )
        assert put.status_code == 204, put.text

        def body() -> Iterator[bytes]:
            yield HALF
            wait_until("the store has something", lambda: bool(mortal.leftovers(image)))
            mortal.die()
            yield HALF

        answer = api.put(f"/v2/images/{image}/file", content=body(), headers=DATA)
        try:
            assert answer.status_code == 503, answer.text
            assert "store tested" in answer.text
            wait_until("the upload is undone", lambda: has_status(api, image, "queued"))
            if mortal.kind == "swift":
                # It is tried again for some seconds, on the same road for all kinds of stores.
                check_old_location_stays(api, elsewhere)
        finally:
            mortal.live()
        wait_until("what was left is removed", lambda: not intents(service.state))
        assert list(mortal.leftovers(image)) == list(mortal.leftovers(elsewhere)) == []
        upload(api, image, HALF)
        assert api.get(f"/v2/images/{image}/file").content == HALF
        assert api.delete(f"/v2/images/{image}").status_code == 204
    assert list(mortal.leftovers(image)) == []


def check_old_location_stays(api: httpx.Client, image: str) -> None:
    """A copy into the store fails, and changes nothing."""
    request = {"method": {"name": "copy-image"}, "stores": ["tested"]}
    answer = api.post(f"/v2/images/{image}/import", json=request)
    assert answer.status_code == 202, answer.text
    wait_until("the copy has failed", lambda: show(api, image).get("os_glance_failed_import") == "tested")
    assert (show(api, image)["status"], show(api, image)["stores"]) == ("active", "here")
    assert api.get(f"/v2/images/{image}/file").content == SMALL
