"""How long a start takes, and what an idle service holds in memory."""

import time

from benchmarks import processes, servers
from benchmarks.context import Context
from benchmarks.report import Sheet
from benchmarks.servers import Side
from benchmarks.settings import MIB, WORKERS


def run(context: Context) -> None:
    """The first start makes files and tables, so it is not counted."""
    for side in context.sides:
        side.prepare("startup")
        servers.start(side, "startup").stop()
    for _ in range(context.chosen.rounds):
        for side in context.sides:
            measure(side, context.sheet)


def measure(side: Side, sheet: Sheet) -> None:
    begun = time.perf_counter()
    server = side.launch("startup")
    try:
        servers.wait_until_ready(server, side.identity())
        sheet.add("start to the first answer", "s", side.name, time.perf_counter() - begun)
        time.sleep(1)
        servers.wake_all_workers(server, side.identity())
        time.sleep(1)
        held = processes.memory(server.pid)
        sheet.add(
            f"idle memory of {WORKERS} workers and what supervises them (PSS)",
            "MiB",
            side.name,
            held.pss / MIB,
        )
        sheet.add("idle memory of the largest process (RSS)", "MiB", side.name, held.largest_rss / MIB)
    finally:
        server.stop()
