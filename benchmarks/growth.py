"""Ours alone: does a page cost more when the catalog is bigger?"""

import itertools
import json

from benchmarks import catalogs, load, records, servers
from benchmarks.catalogs import Catalog
from benchmarks.context import Context
from benchmarks.records import Bench
from benchmarks.servers import Ours, Server


def run(context: Context) -> None:
    """The first page of a small catalog, a deep one of a big catalog, and that of a member of many images."""
    ours = next((side for side in context.sides if isinstance(side, Ours)), None)
    if ours is None:
        return
    small = catalogs.plan("small", "private", 1000)
    big = catalogs.plan("big", "private", context.chosen.big_catalog)
    shared = catalogs.plan("sharer", "shared", context.chosen.shared_images, member="member")
    ours.prepare("growth")
    for project in ("small", "big", "member"):
        ours.add_member("growth", project)
    server = servers.start(ours, "growth")
    try:
        fill(context, server, [small])
        measure(context, "first page of 1,000", Bench(server, ours.identity("small"), small, [], []))
        fill(context, server, [big, shared])
        caller = Bench(server, ours.identity("big"), big, [], [])
        measure(context, f"deep page of {big.size:,}", caller, f"&marker={big.ids[big.size * 9 // 10]}")
        caller = Bench(server, ours.identity("member"), shared, [], [])
        measure(context, f"first page, member of {shared.size:,}", caller)
    finally:
        server.stop()


def fill(context: Context, server: Server, wanted: list[Catalog]) -> None:
    records.fill(context.database, f"{server.side}_{server.instance}", wanted)


def measure(context: Context, name: str, caller: Bench, query: str = "") -> None:
    request = caller.get(f"/v2/images?limit=25{query}")
    found = len(json.loads(load.fetch(caller.server.address, request).body)["images"])
    if found != 25:
        context.sheet.note(f"{name}: the page has {found} images")
    for _ in range(context.chosen.rounds):
        records.measure(
            caller, name, lambda _: itertools.repeat(request), context.chosen.seconds / 2, context.sheet
        )
