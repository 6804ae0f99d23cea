"""The two sides: how each is installed, configured and started, and who calls them."""

import base64
import socket
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Protocol

from benchmarks import load, processes, settings
from benchmarks.databases import Database
from benchmarks.keystone import Keystone, Member
from benchmarks.processes import Failed
from benchmarks.settings import Settings

PROJECT = "5b1f3c8e9d2a4c7fb0e6a1d4c3b2f190"
PACKAGES = ("glance", "glance_store[s3,swift]", "PyMySQL", "psycopg2-binary", "pyuwsgi")


@dataclass(frozen=True, slots=True)
class Server:
    """A running service, and the headers that say who calls."""

    side: str
    instance: str
    port: int
    process: Popen[bytes]
    database: Database

    @property
    def address(self) -> load.Address:
        return "127.0.0.1", self.port

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        processes.end(self.process)


class Side(Protocol):
    """One of the two programs."""

    name: str
    # Whose images the catalogs hold.
    project: str

    def version(self) -> str:
        """For the report."""

    def identity(self, project: str | None = None) -> Mapping[str, str]:
        """The headers of an ordinary member of the project (None: `self.project`)."""

    def prepare(self, instance: str, workers: int = settings.WORKERS, more: str = "") -> None:
        """Writes the configuration of an instance, with `more` options, and makes its empty database."""

    def launch(self, instance: str) -> Server:
        """Starts the program, without waiting for it."""


def start(side: Side, instance: str) -> Server:
    """Starts a prepared instance and waits until it answers."""
    server = side.launch(instance)
    wait_until_ready(server, side.identity())
    return server


def wait_until_ready(server: Server, identity: Mapping[str, str], seconds: float = 60) -> float:
    """Asks until the first image list comes; the seconds that this took."""
    begun = time.perf_counter()
    request = load.encode("GET", "/v2/images?limit=1", identity)
    while time.perf_counter() - begun < seconds:
        try:
            answer = load.fetch(server.address, request)
        except OSError:
            if server.process.poll() is not None:
                break
            time.sleep(0.005)
            continue
        if answer.status == 200:
            return time.perf_counter() - begun
        raise Failed(f"{server.side} answers {answer.status}: {answer.body[:300]!r}")
    server.stop()
    raise Failed(f"{server.side} does not start; see the logs in its folder")


def wake_all_workers(server: Server, identity: Mapping[str, str]) -> None:
    """Lets every worker load its program and meet the caller: cheap requests on many connections."""
    request = load.encode("GET", f"/v2/images/{uuid.UUID(int=0)}", identity)
    load.run(server.address, iter([request] * 64), 30, connections=32)


class Ours:
    """`glimpse serve` from the checkout's environment, with HTTP basic."""

    name = "glimpse"

    def __init__(self, chosen: Settings, database: Database, keystone: Keystone | None = None) -> None:
        self._folder = chosen.folder / self.name
        self._stores = chosen.stores / self.name
        self._database = database
        self._keystone = keystone
        self._member: Member | None = keystone.member() if keystone else None
        self.project = self._member.project if self._member else PROJECT
        self._program = settings.CHECKOUT / ".venv" / "bin" / "glimpse"
        if not self._program.exists():
            raise SystemExit("glimpse is not installed here: run `make setup` first")

    def version(self) -> str:
        return processes.run([self._program, "--version"])

    def identity(self, project: str | None = None) -> Mapping[str, str]:
        if self._member is not None:
            return self._member.headers
        pair = base64.b64encode(f"user-{project or PROJECT}:secret".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def prepare(self, instance: str, workers: int = settings.WORKERS, more: str = "") -> None:
        folder = fresh_folders(self._folder / instance, self._stores / instance)
        name = f"{self.name}_{instance}"
        self._database.create(name)
        (folder / "glimpse.conf").write_text(
            f"[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {settings.OURS_PORT}\nworkers = {workers}\n"
            f"[database]\nconnection = {self._database.url(name)}\n"
            f"[glance_store]\nfilesystem_store_datadir = {self._stores / instance}\n"
            f"[glimpse]\nstate_dir = {folder / 'state'}\n{self._access()}{more}"
        )
        if self._keystone is None:
            self.add_member(instance, PROJECT)

    def _access(self) -> str:
        if self._keystone is None:
            return "auth_strategy = http_basic\n"
        return f"auth_strategy = paste\n[paste_deploy]\nflavor = keystone\n{self._keystone.options()}"

    def add_member(self, instance: str, project: str) -> None:
        """Makes a user of the project who may read and write."""
        configuration = self._folder / instance / "glimpse.conf"
        words = ["user", "add", f"user-{project}", "--password-stdin", "--project", project]
        words += ["--role", "member", "--config-file", str(configuration)]
        processes.run([self._program, *words], text="secret\n")

    def launch(self, instance: str) -> Server:
        require_free(settings.OURS_PORT)
        folder = self._folder / instance
        process = processes.spawn(
            [self._program, "serve", "--config-file", folder / "glimpse.conf"], folder / "server.log"
        )
        return Server(self.name, instance, settings.OURS_PORT, process, self._database)


class Upstream:
    """Glance from PyPI under uWSGI, in an environment of its own.

    Without Keystone it is spared the validation of tokens: who calls is told by the headers that Keystone's
    middleware would have set. So it is faster then than it can be in a real cloud.
    """

    name = "upstream"

    def __init__(self, chosen: Settings, database: Database, keystone: Keystone | None = None) -> None:
        self._folder = chosen.folder / self.name
        self._stores = chosen.stores / self.name
        self._database = database
        self._keystone = keystone
        self._member: Member | None = keystone.member() if keystone else None
        self.project = self._member.project if self._member else PROJECT
        self._environment = chosen.folder / "upstream-environment"
        self._install()

    def _install(self) -> None:
        marker = self._environment / "installed"
        if marker.exists() and marker.read_text().split() == list(PACKAGES):
            return
        print("installing upstream Glance ...", file=sys.stderr)
        processes.run([sys.executable, "-m", "venv", self._environment])
        words = ["install", "-qq", "--disable-pip-version-check", *PACKAGES]
        processes.run([self._environment / "bin" / "pip", *words])
        python = self._environment / "bin" / "python"
        processes.run([settings.CHECKOUT / "services" / "ceph-bindings", python])
        marker.write_text(" ".join(PACKAGES))

    def version(self) -> str:
        script = (
            "from importlib.metadata import version as v; print('glance', v('glance'), 'uWSGI', v('pyuwsgi'))"
        )
        return processes.run([self._environment / "bin" / "python", "-c", script])

    def identity(self, project: str | None = None) -> Mapping[str, str]:
        if self._member is not None:
            return self._member.headers
        return {
            "X-Identity-Status": "Confirmed",
            "X-User-Id": f"user-{project or PROJECT}",
            "X-Project-Id": project or PROJECT,
            "X-Roles": "member,reader",
        }

    def prepare(self, instance: str, workers: int = settings.WORKERS, more: str = "") -> None:
        folder = fresh_folders(self._folder / instance, self._stores / instance)
        name = f"{self.name}_{instance}"
        self._database.create(name)
        # SQLAlchemy takes the newer driver unless it is told; upstream comes with the older one.
        url = self._database.url(name).replace("postgresql://", "postgresql+psycopg2://")
        (folder / "glance-api.conf").write_text(
            f"[database]\nconnection = {url}\n"
            "[glance_store]\nstores = file,http\ndefault_store = file\n"
            f"filesystem_store_datadir = {self._stores / instance}\n"
            f"[paste_deploy]\nconfig_file = {folder / 'paste.ini'}\n"
            f"[oslo_concurrency]\nlock_path = {folder}\n"
            f"{self._keystone.options() if self._keystone else ''}{more}"
        )
        (folder / "paste.ini").write_text(PASTE if self._keystone is None else PASTE_KEYSTONE)
        (folder / "uwsgi.ini").write_text(UWSGI.format(port=settings.UPSTREAM_PORT, workers=workers))
        manage = self._environment / "bin" / "glance-manage"
        migration = processes.spawn(
            [manage, "--config-file", folder / "glance-api.conf", "db", "sync"], folder / "server.log"
        )
        if migration.wait(120) != 0:
            raise Failed(f"glance-manage db sync failed, see {folder / 'server.log'}")

    def launch(self, instance: str) -> Server:
        require_free(settings.UPSTREAM_PORT)
        folder = self._folder / instance
        process = processes.spawn(
            [self._environment / "bin" / "uwsgi", "--ini", folder / "uwsgi.ini"],
            folder / "server.log",
            {"OS_GLANCE_CONFIG_DIR": str(folder), "VIRTUAL_ENV": str(self._environment)},
        )
        return Server(self.name, instance, settings.UPSTREAM_PORT, process, self._database)


def require_free(port: int) -> None:
    """What another run left behind must not be measured instead of ours."""
    with socket.socket() as probe:
        if probe.connect_ex(("127.0.0.1", port)) == 0:
            raise Failed(f"port {port} is taken by another program")


def fresh_folders(folder: Path, store: Path) -> Path:
    """Makes the folders of an instance, with an empty log."""
    folder.mkdir(parents=True, exist_ok=True)
    store.mkdir(parents=True, exist_ok=True)
    (folder / "server.log").write_bytes(b"")
    return folder


def sides(chosen: Settings, database: Database, keystone: Keystone | None = None) -> list[Side]:
    known: dict[str, type[Ours] | type[Upstream]] = {"upstream": Upstream, "glimpse": Ours}
    return [known[name](chosen, database, keystone) for name in chosen.sides]


# The pipeline "keystone" without its token filter.
PASTE = """\
[composite:glance-api]
paste.composite_factory = glance.api:root_app_factory
/: api

[composite:api]
paste.composite_factory = glance.api:pipeline_factory
default = cors http_proxy_to_wsgi versionnegotiation osprofiler context rootapp

[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app

[app:apiversions]
paste.app_factory = glance.api.versions:create_resource

[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory

[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory

[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory

[filter:osprofiler]
paste.filter_factory = osprofiler.web:WsgiMiddleware.factory

[filter:cors]
paste.filter_factory = oslo_middleware.cors:filter_factory
oslo_config_project = glance
oslo_config_program = glance-api

[filter:http_proxy_to_wsgi]
paste.filter_factory = oslo_middleware:HTTPProxyToWSGI.factory
"""

PASTE_KEYSTONE = (
    PASTE.replace("osprofiler context rootapp", "osprofiler authtoken context rootapp")
    + """
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
"""
)

# What its documentation recommends; in its favour threads, a long queue, time for slow readers and no log.
UWSGI = """\
[uwsgi]
module = glance.wsgi.api:application
http-socket = 127.0.0.1:{port}
processes = {workers}
threads = 8
listen = 1024
master = true
lazy-apps = true
enable-threads = true
thunder-lock = true
die-on-term = true
exit-on-reload = true
socket-timeout = 60
buffer-size = 65535
http-auto-chunked = true
http-chunked-input = true
http-raw-body = true
add-header = Connection: close
disable-logging = true
"""
