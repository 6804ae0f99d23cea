"""Many concurrent writers on SQLite: does anyone get an error?"""

import itertools
import json

from benchmarks import load, processes, servers
from benchmarks.context import Context
from benchmarks.databases import SQLite
from benchmarks.records import NEW_IMAGE

WRITERS = 32


def run(context: Context) -> None:
    """On SQLite whatever the database of the run is."""
    for side in servers.sides(context.chosen, SQLite(context.chosen.folder)):
        side.prepare("writers")
        server = servers.start(side, "writers")
        try:
            headers = {**side.identity(), "Content-Type": "application/json"}
            request = load.encode("POST", "/v2/images", headers, json.dumps(NEW_IMAGE).encode())
            servers.wake_all_workers(server, side.identity())
            cpu = processes.cpu_seconds(server.pid)
            outcome = load.run(server.address, itertools.repeat(request), context.chosen.seconds, WRITERS)
            cpu = processes.cpu_seconds(server.pid) - cpu
        finally:
            server.stop()
        title = f"create on SQLite, {WRITERS} writers"
        context.sheet.add(title, "% errors", side.name, 100 * outcome.failures / outcome.requests)
        context.sheet.add(title, "requests a second", side.name, outcome.rate)
        context.sheet.add(title, "CPU ms a request", side.name, 1000 * cpu / outcome.requests)
        context.sheet.add(title, "ms, slowest", side.name, 1000 * max(outcome.latencies))
