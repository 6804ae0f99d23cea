"""What a registry adds to a `show`: a node with the database and one behind `glance-registry`, in turns."""

import itertools
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from benchmarks import load, processes, records, servers, settings
from benchmarks.catalogs import Catalog, plan
from benchmarks.context import Context
from benchmarks.databases import Database
from benchmarks.servers import Server, Side

DIRECT = "without a registry"
IMAGES = 1000


@dataclass(frozen=True, slots=True)
class Node:
    """An API node, and the processes whose processor time it costs, the database aside."""

    who: str
    server: Server
    processes: tuple[Popen[bytes], ...]

    def cpu_seconds(self) -> float:
        return sum(processes.cpu_seconds(process.pid) for process in self.processes)


def run(context: Context) -> None:
    """Both nodes answer the same requests: one at a time, and eight side by side."""
    chosen = context.chosen
    side = next((side for side in context.sides if side.name == "glimpse"), None)
    if side is None:
        return
    catalog = plan(side.project, "private", IMAGES)
    side.prepare("registry")
    direct = servers.start(side, "registry")
    records.fill(context.database, "glimpse_registry", [catalog])
    registry = start_registry(chosen.folder / "registry", context.database)
    nodes = [Node(DIRECT, direct, (direct.process,))]
    try:
        behind = start_node(chosen.folder / side.name / "registry" / "glimpse.conf", side, context.database)
        nodes.append(Node(side.name, behind, (behind.process, registry)))
        for _ in range(chosen.rounds):
            for connections in (1, settings.CONNECTIONS):
                for node in nodes:
                    measure(node, shows(side, catalog), connections, context)
        conclude(context)
    finally:
        for process in {each for node in nodes for each in node.processes} | {registry}:
            processes.end(process)


def start_registry(folder: Path, database: Database) -> Popen[bytes]:
    """`glance-registry` over the database of the node that has one."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    file = folder / "glance-registry.conf"
    file.write_text(
        f"[DEFAULT]\nbind_port = {settings.REGISTRY_PORT}\nworkers = {settings.WORKERS}\n"
        f"[database]\nconnection = {database.url('glimpse_registry')}\n"
        f"[glimpse]\nstate_dir = {folder / 'state'}\n"
    )
    program = settings.CHECKOUT / ".venv" / "bin" / "glance-registry"
    return processes.spawn([program, "--config-file", file], folder / "server.log")


def start_node(like: Path, side: Side, database: Database) -> Server:
    """A node with the same users and options, but without the database."""
    file = like.with_name("behind.conf")
    group, _, rest = like.read_text().partition("[database]\n")
    own = f"data_api = glance.db.registry.api\nregistry_port = {settings.REGISTRY_PORT}\n"
    port = group.replace(f"= {settings.OURS_PORT}\n", f"= {settings.NODE_PORT}\n")
    file.write_text(f"{port}{own}{rest.partition(chr(10))[2]}")
    program = settings.CHECKOUT / ".venv" / "bin" / "glimpse"
    process = processes.spawn([program, "serve", "--config-file", file], file.with_name("behind.log"))
    server = Server(side.name, "behind", settings.NODE_PORT, process, database)
    servers.wait_until_ready(server, side.identity())
    return server


def shows(side: Side, catalog: Catalog) -> Iterator[bytes]:
    return itertools.cycle(
        [load.encode("GET", f"/v2/images/{image}", side.identity()) for image in catalog.ids]
    )


def measure(node: Node, requests: Iterator[bytes], connections: int, context: Context) -> None:
    """Runs `show` on one node."""
    seconds, sheet = context.chosen.seconds, context.sheet
    load.run(node.server.address, itertools.islice(requests, 64), seconds, settings.CONNECTIONS)
    cpu = node.cpu_seconds()
    outcome = load.run(node.server.address, requests, seconds, connections)
    cpu = node.cpu_seconds() - cpu
    name = f"show through a registry, {connections} at a time"
    if outcome.failures:
        sheet.note(f"{node.who}, {name}: answers that were no success: {dict(outcome.statuses)}")
    sheet.add(name, "ms, median", node.who, 1000 * outcome.median_latency)
    sheet.add(name, "CPU ms a request", node.who, 1000 * cpu / outcome.requests)
    sheet.add(name, "requests a second", node.who, outcome.rate)


def conclude(context: Context) -> None:
    """How long a single `show` waits for the registry."""
    key = ("show through a registry, 1 at a time", "ms, median")
    behind, direct = (context.sheet.median(key, who) for who in ("glimpse", DIRECT))
    if behind is not None and direct is not None:
        context.sheet.add("what a registry adds to a show", "ms", "glimpse", behind - direct)
