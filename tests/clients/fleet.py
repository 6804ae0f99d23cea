"""Two API nodes without a database, a registry that has one, and the programs beside them."""

import contextlib
import subprocess
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.clients.process import CHECKOUT, Options, Running, glance_api, merged, write
from tests.registry import SECRET, glance_registry
from tests.server import free_port


@dataclass(frozen=True)
class Said:
    """How a program ended, and what it said."""

    status: int
    output: str


@dataclass(frozen=True)
class Fleet:
    """The services; their configuration files, by the name of the program that reads them."""

    registry: Running
    nodes: tuple[Running, Running]
    files: Mapping[str, Path]

    def run(self, program: str, *words: str, file: str | None = None) -> Said:
        """Run a program to its end, with the configuration `file` where one is named."""
        return run_program(program, self.files[file] if file else None, *words)


def run_program(program: str, file: Path | None, *words: str) -> Said:
    named = ["--config-file", str(file)] if file else []
    done = subprocess.run(
        [CHECKOUT / ".venv" / "bin" / program, *named, *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    return Said(done.returncode, done.stdout)


@contextlib.contextmanager
def fleet(folder: Path, database: str) -> Iterator[Fleet]:
    """The fleet over an empty database, with the tables that `glance-manage db sync` makes."""
    port = free_port()
    secret: Options = {"glimpse": {"registry_secret": SECRET}}
    kept: Options = {"database": {"connection": database}}
    shared: Options = {"glance_store": {"filesystem_store_datadir": folder / "images"}}
    (folder / "images").mkdir()
    files = {name: folder / f"{name}.conf" for name in ("glance-manage", "glance-scrubber")}
    write(files["glance-manage"], kept)
    scrubbing: Options = {"glimpse": {"state_dir": folder / "scrubber"}}
    write(files["glance-scrubber"], merged(kept, shared, scrubbing))
    synced = run_program("glance-manage", files["glance-manage"], "db", "sync")
    assert synced.status == 0, synced
    assert synced.output.endswith("The database is up to date, at 2024_1_contract01.\n"), synced

    def node(name: str) -> Running:
        own: Options = {
            "DEFAULT": {
                "data_api": "glance.db.registry.api",
                "registry_port": port,
                "delayed_delete": True,
                "worker_self_reference_url": f"http://{name}.example",
            },
            "paste_deploy": {"flavor": "cachemanagement"},
        }
        options = merged(secret, shared, own)
        return stack.enter_context(glance_api(folder / name, free_port(), options))

    with contextlib.ExitStack() as stack, ThreadPoolExecutor(3) as pool:
        registry = pool.submit(
            lambda: stack.enter_context(glance_registry(folder / "registry", port, merged(secret, kept)))
        )
        one, two = pool.map(node, ("one", "two"))
        for running in (one, two):
            files[running.folder.name] = running.folder / "glance-api.conf"
        yield Fleet(registry.result(), (one, two), files)
