"""web-download of one big image, beside what bounds it: curl that fetches the same file."""

import json
import time
from pathlib import Path

from benchmarks import databases, load, processes, servers, settings
from benchmarks.context import Context
from benchmarks.processes import Failed
from benchmarks.report import Sheet
from benchmarks.settings import GIB
from benchmarks.transfers import Client, cost, delete, make_source, new_image, start_nginx, touch_memory

# What lets the service fetch from this machine.
RULES = "[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []\n"
POLL_SECONDS = 0.02
PATIENCE_SECONDS = 300


def run(context: Context) -> None:
    """Downloads into the sides in turns."""
    chosen, sheet = context.chosen, context.sheet
    touch_memory(chosen.stores, 3 * chosen.image_size)
    source = make_source(chosen.stores / "source", chosen.image_size)
    for side in context.sides:
        staging = chosen.stores / f"{side.name}-staging"
        staging.mkdir()
        side.prepare("imports", more=f"{RULES}[DEFAULT]\nnode_staging_uri = file://{staging}\n")
    clients = [Client(servers.start(side, "imports"), side.identity()) for side in context.sides]
    start_nginx(chosen, source)
    url = f"http://127.0.0.1:{settings.NGINX_PORT}/{source.name}"
    try:
        for _ in range(chosen.rounds):
            fetch_with_curl(url, source, sheet)
            for client in clients:
                image = new_image(client)
                cost(
                    client.server.pid,
                    client.server.side,
                    "web-download",
                    chosen.image_size,
                    sheet,
                    lambda client=client, image=image: web_download(client, image, url),  # type: ignore[misc]
                )
                delete(client, image)
    finally:
        for client in clients:
            client.server.stop()
        databases.services("down", "nginx", chosen.folder / "services")
        source.unlink()


def fetch_with_curl(url: str, source: Path, sheet: Sheet) -> None:
    """The same bytes into a file of the same folder."""
    target = source.with_name("fetched")
    begun = time.perf_counter()
    processes.run(["curl", "--silent", "--fail", "--output", target, url])
    sheet.add("web-download", "s/GiB", "curl", (time.perf_counter() - begun) * GIB / source.stat().st_size)
    target.unlink()


def web_download(client: Client, image: str, url: str) -> None:
    """Imports, and waits until the image is active."""
    headers = {**client.identity, "Content-Type": "application/json"}
    body = json.dumps({"method": {"name": "web-download", "uri": url}}).encode()
    answer = load.fetch(
        client.server.address, load.encode("POST", f"/v2/images/{image}/import", headers, body)
    )
    if answer.status != 202:
        raise Failed(f"{client.server.side} answers {answer.status}: {answer.body[:300]!r}")
    show = load.encode("GET", f"/v2/images/{image}", client.identity)
    deadline, begun = time.perf_counter() + PATIENCE_SECONDS, False
    while time.perf_counter() < deadline:
        status = json.loads(load.fetch(client.server.address, show).body)["status"]
        if status == "active":
            return
        # Upstream leaves the image queued until a thread takes up the import.
        if begun and status == "queued":
            break
        begun = begun or status != "queued"
        time.sleep(POLL_SECONDS)
    raise Failed(f"{client.server.side} has not imported the image")
