"""Ours alone: what metrics, notifications and traces cost a request, and how long `/metrics` takes.

Notifications go to a real RabbitMQ; the processor time is that of the service, with the threads that send.
Traces go to a collector that takes them and does nothing.
"""

import http.server
import itertools
import os
import statistics
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import backends, catalogs, databases, load, records, servers
from benchmarks.context import Context
from benchmarks.records import Bench
from benchmarks.servers import Ours

IMAGES = 100_000
METRICS_PORT = 24811
RABBITMQ_PORT = 24840
CREATED = 200
SCRAPES = 30


def run(context: Context) -> None:
    """Requests that read, requests that write and tell an event, and questions for figures."""
    ours = next((side for side in context.sides if isinstance(side, Ours)), None)
    if ours is None:
        return
    with _rabbitmq(context) as rabbit, _collector() as collector:
        metrics = f"metrics_port = {METRICS_PORT}\n"
        notifications = (
            f"[oslo_messaging_notifications]\ndriver = messagingv2\ntransport_url = {rabbit}\n"
            f"topics = bench_{uuid.uuid4().hex[:8]}\n"
        )
        variants = {
            "bare": "",
            "with metrics": metrics,
            "with metrics and notifications": metrics + notifications,
            "with traces": f"trace_endpoint = {collector}\n",
        }
        for _ in range(context.chosen.rounds):
            for name, more in variants.items():
                measure(context, ours, name, more)
    scrape(context, ours, metrics)


@contextmanager
def _rabbitmq(context: Context) -> Iterator[str]:
    """A RabbitMQ that runs already, or one of its own."""
    running = os.environ.get("GLIMPSE_SERVICES_DIR")
    if running:
        yield backends.read_facts(Path(running) / "env")["RABBITMQ_URL"]
        return
    folder = context.chosen.folder / "services"
    databases.services("up", "rabbitmq", folder, GLIMPSE_RABBITMQ_PORT=str(RABBITMQ_PORT))
    try:
        yield backends.read_facts(folder / "env")["RABBITMQ_URL"]
    finally:
        databases.services("down", "rabbitmq", folder, GLIMPSE_RABBITMQ_PORT=str(RABBITMQ_PORT))


@contextmanager
def _collector() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def measure(context: Context, ours: Ours, name: str, more: str) -> None:
    """A new service with these options."""
    ours.prepare("observing", more=more)
    server = servers.start(ours, "observing")
    try:
        empty = catalogs.plan(ours.project, "private", 0)
        bench = Bench(server, ours.identity(), empty, [], [])
        making = itertools.islice(records.creates(bench), CREATED)
        load.run(server.address, making, context.chosen.seconds, 4, bench.remember)
        shows = [bench.get(f"/v2/images/{image}") for image in bench.created]
        for title, operation in (("show", lambda _: itertools.cycle(shows)), ("patch", records.patches)):
            records.measure(bench, f"{title}, {name}", operation, context.chosen.seconds, context.sheet)
    finally:
        server.stop()


def scrape(context: Context, ours: Ours, metrics: str) -> None:
    """Questions for figures, as Prometheus asks them, while a big catalog lies there."""
    ours.prepare("observing", more=metrics)
    server = servers.start(ours, "observing")
    try:
        records.fill(context.database, "glimpse_observing", [catalogs.plan("big", "private", IMAGES)])
        servers.wake_all_workers(server, ours.identity())
        address, request = (
            ("127.0.0.1", METRICS_PORT),
            load.encode("GET", "/metrics", {"Connection": "close"}),
        )
        waits = []
        for _ in range(SCRAPES):
            begun = time.perf_counter()
            load.fetch(address, request)
            waits.append(1000 * (time.perf_counter() - begun))
        title = f"/metrics with {IMAGES:,} images"
        context.sheet.add(f"{title}, median", "ms", ours.name, statistics.median(waits))
        context.sheet.add(f"{title}, slowest of {SCRAPES}", "ms", ours.name, max(waits))
    finally:
        server.stop()
