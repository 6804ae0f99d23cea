"""Requests on records: what each costs in processor time, and how many come through in a second."""

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks import catalogs, load, processes, servers, settings
from benchmarks.catalogs import Catalog
from benchmarks.context import Context
from benchmarks.databases import Database
from benchmarks.processes import Failed
from benchmarks.report import Sheet
from benchmarks.servers import Server, Side

DEEP = 9_000  # how many images come before a deep page of the shared catalog
PATCH_TYPE = "application/openstack-images-v2.1-json-patch"
NEW_IMAGE = {
    "name": "a new image",
    "disk_format": "qcow2",
    "container_format": "bare",
    "tags": ["tag-1", "benchmark"],
    **{f"property_{n}": f"value {n} of a new image" for n in range(catalogs.PROPERTIES)},
}


@dataclass(slots=True)
class Bench:
    """One side under test: its server, its caller, and the images that it has made in this round."""

    server: Server
    identity: Mapping[str, str]
    catalog: Catalog
    deep_markers: list[str]
    created: list[str]

    def get(self, path: str) -> bytes:
        return load.encode("GET", path, self.identity)

    def remember(self, body: bytes) -> None:
        self.created.append(json.loads(body)["id"])


def shows(bench: Bench) -> Iterator[bytes]:
    return itertools.cycle([bench.get(f"/v2/images/{image}") for image in bench.catalog.ids[:1000]])


def first_pages(bench: Bench) -> Iterator[bytes]:
    return itertools.repeat(bench.get("/v2/images?limit=25"))


def deep_pages(bench: Bench) -> Iterator[bytes]:
    return itertools.cycle(
        [bench.get(f"/v2/images?limit=25&marker={marker}") for marker in bench.deep_markers]
    )


def by_property(bench: Bench) -> Iterator[bytes]:
    return itertools.cycle([bench.get(f"/v2/images?limit=25&property_0=release-{n}") for n in range(20)])


def by_name(bench: Bench) -> Iterator[bytes]:
    return itertools.cycle([bench.get(f"/v2/images?limit=25&name=image-{n}") for n in range(500, 5500, 50)])


def creates(bench: Bench) -> Iterator[bytes]:
    headers = {**bench.identity, "Content-Type": "application/json"}
    return itertools.repeat(load.encode("POST", "/v2/images", headers, json.dumps(NEW_IMAGE).encode()))


def patches(bench: Bench) -> Iterator[bytes]:
    headers = {**bench.identity, "Content-Type": PATCH_TYPE}
    for turn, image in enumerate(itertools.cycle(bench.created)):
        changes = [
            {"op": "replace", "path": "/name", "value": f"renamed {turn}"},
            {"op": "replace", "path": "/property_1", "value": f"changed {turn}"},
        ]
        yield load.encode("PATCH", f"/v2/images/{image}", headers, json.dumps(changes).encode())


def deletes(bench: Bench) -> Iterator[bytes]:
    """Each image that was made in this round, once."""
    while bench.created:
        yield load.encode("DELETE", f"/v2/images/{bench.created.pop()}", bench.identity)


OPERATIONS: dict[str, Callable[[Bench], Iterator[bytes]]] = {
    "show": shows,
    "list of 25 among 10,000": first_pages,
    "list of 25, deep": deep_pages,
    "list of 25 by property": by_property,
    "list by name": by_name,
    "create": creates,
    "patch": patches,
    "delete": deletes,
}


def run(context: Context) -> None:
    """All operations, side by side in turns."""
    chosen = context.chosen
    benches = [prepare(side, context.database, chosen.catalog) for side in context.sides]
    try:
        for _ in range(chosen.rounds):
            for name, operation in OPERATIONS.items():
                for bench in benches:
                    measure(bench, name, operation, chosen.seconds, context.sheet)
    finally:
        for bench in benches:
            bench.server.stop()


def prepare(side: Side, database: Database, size: int) -> Bench:
    """A side with the big catalog: nine tenths are the caller's own images, one tenth public ones."""
    side.prepare("records")
    server = servers.start(side, "records")
    own = catalogs.plan(side.project, "private", size * 9 // 10)
    public = catalogs.plan("provider", "public", size // 10)
    fill(database, f"{side.name}_records", [own, public])
    bench = Bench(server, side.identity(), own, [], [])
    bench.deep_markers = follow(bench, DEEP, pages=20)
    return bench


def fill(database: Database, name: str, wanted: list[Catalog]) -> None:
    database.execute(name, itertools.chain.from_iterable(catalogs.statements(catalog) for catalog in wanted))
    refresh = "analyze table images, image_properties, image_tags, image_members, image_locations"
    database.execute(name, [refresh if database.kind == "mariadb" else "analyze"])


def follow(bench: Bench, depth: int, pages: int) -> list[str]:
    """Walks the whole list by its markers, and gives the markers of some pages of 25 beyond the depth."""
    markers: list[str] = []
    path, seen, limit = "/v2/images?limit=500", 0, 500
    while len(markers) < pages:
        answer = load.fetch(bench.server.address, bench.get(path))
        images = json.loads(answer.body)["images"]
        if len(images) < limit:
            raise Failed(f"{bench.server.side} lists {seen + len(images)} images, too few")
        seen += len(images)
        if seen >= depth:
            markers.append(images[-1]["id"])
            limit = 25
        path = f"/v2/images?limit={limit}&marker={images[-1]['id']}"
    return markers


def measure(
    bench: Bench, name: str, operation: Callable[[Bench], Iterator[bytes]], seconds: float, sheet: Sheet
) -> None:
    """Runs one operation on one side."""
    collect = bench.remember if operation is creates else None
    servers.wake_all_workers(bench.server, bench.identity)
    if operation not in (deletes, creates):
        load.run(bench.server.address, itertools.islice(operation(bench), 16), seconds, settings.CONNECTIONS)
    cpu = processes.cpu_seconds(bench.server.pid)
    database_cpu = database_seconds(bench.server)
    outcome = load.run(bench.server.address, operation(bench), seconds, settings.CONNECTIONS, collect)
    cpu = processes.cpu_seconds(bench.server.pid) - cpu
    database_cpu = database_seconds(bench.server) - database_cpu
    side = bench.server.side
    if outcome.failures:
        sheet.note(f"{side}, {name}: answers that were no success: {dict(outcome.statuses)}")
    if not outcome.requests:
        return
    sheet.add(name, "CPU ms a request", side, 1000 * cpu / outcome.requests)
    if database_cpu:
        sheet.add(name, "CPU ms of the database a request", side, 1000 * database_cpu / outcome.requests)
    sheet.add(name, "requests a second", side, outcome.rate)
    sheet.add(name, "ms, median", side, 1000 * outcome.median_latency)


def database_seconds(server: Server) -> float:
    pid = server.database.process()
    return processes.cpu_seconds(pid) if pid is not None else 0.0
