"""A registry within the process of a test, on a real socket."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import uvicorn

from glimpse.catalog.records import Records
from glimpse.cli.listener import bind
from glimpse.config.registry import RegistryLink
from glimpse.registry.client import Registry
from glimpse.registry.gate import by_secret, secret_headers
from glimpse.registry.server import Gate, healthcheck_of, make_registry
from glimpse.transfer.health import Health, database_probe
from glimpse.transfer.threads import Crew
from tests.clients.process import CHECKOUT, Command, Options, Running, merged, started, write

SECRET = "a-secret-that-nobody-can-guess-at-all"


@contextlib.contextmanager
def listening(records: Records, gate: Gate) -> Iterator[RegistryLink]:
    """A registry of `records` for those whom `gate` lets in, and the way to it."""
    listener = bind("127.0.0.1", 0)
    healthcheck = healthcheck_of(Health([database_probe(records.jobs)], patience=2, remembered=5))
    application = make_registry(records, gate, Crew(8, "registry"), healthcheck)
    server = uvicorn.Server(uvicorn.Config(application, log_config=None, access_log=False, ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield RegistryLink("127.0.0.1", listener.getsockname()[1], tls=False, timeout=60)
    finally:
        server.should_exit = True
        thread.join(30)


@contextlib.contextmanager
def registry_of(records: Records, secret: str = SECRET) -> Iterator[Registry]:
    """The client, with this secret, of a registry of `records` that wants SECRET."""
    with listening(records, by_secret(SECRET)) as link:
        registry = Registry(link, lambda _: secret_headers(secret))
        try:
            yield registry
        finally:
            registry.close()


@contextlib.contextmanager
def glance_registry(folder: Path, port: int, options: Options) -> Iterator[Running]:
    """A `glance-registry` with a configuration file of these groups, over SQLite in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "glance-registry.conf"
    defaults: Options = {
        "DEFAULT": {"bind_port": port},
        "database": {"connection": f"sqlite:///{folder / 'registry.db'}"},
        "glimpse": {"state_dir": folder},
    }
    write(file, merged(defaults, options))
    words = (CHECKOUT / ".venv" / "bin" / "glance-registry", "--config-file", file)
    with started(Command(words, folder, port)) as running:
        yield running
