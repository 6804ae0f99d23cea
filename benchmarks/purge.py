"""python -m benchmarks.purge: how long it takes to purge deleted images, and how quick `show` is meanwhile.

It needs the URL of a database server (`--url`; default: the PostgreSQL of `make services`), where it makes
a database and drops it again. One client asks for one image a hundred times a second: first alone, then while
`glance-manage db purge` and `db purge_images_table` run.
"""

import argparse
import math
import os
import resource
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from sqlalchemy import create_engine, insert, make_url, text

from benchmarks import load, processes
from glimpse.records import tables
from glimpse.records.engines import parse
from glimpse.records.schema import upgrade
from tests.clients.keystone import service_address
from tests.server import free_port

NAME = "glimpse_bench_purge"
MADE = {"created_at": "2020-01-01 00:00:00", "updated_at": "2020-01-01 00:00:00"}
GONE = {"deleted_at": "2020-01-02 00:00:00", "deleted": True}
SHOWN = "ffffffff-ffff-4fff-8fff-ffffffffffff"
PROGRAMS = Path(sys.executable).parent
ALONE_SECONDS = 10


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.purge", description=__doc__)
    parser.add_argument("--url", default=service_address("POSTGRESQL_URL"), help="of a database server")
    parser.add_argument("--images", type=int, default=100_000)
    asked = parser.parse_args()
    admin = create_engine(parse(asked.url), isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE IF EXISTS {NAME}"))
        connection.execute(text(f"CREATE DATABASE {NAME}"))
    url = make_url(asked.url).set(database=NAME).render_as_string(hide_password=False)
    try:
        fill(url, asked.images)
        with tempfile.TemporaryDirectory(prefix="glimpse-bench-") as folder:
            measure(url, Path(folder), asked.images)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {NAME}"))
        admin.dispose()


def fill(url: str, count: int) -> None:
    """Deleted images, each with two properties, a tag and a location; and the one that is shown."""
    upgrade(url)
    image = {"status": "deleted", "min_disk": 0, "min_ram": 0, "owner": "p", "size": 5, **MADE, **GONE}
    engine = create_engine(parse(url))
    gone = [{"id": f"{number:08x}-0000-4000-8000-000000000000", **image} for number in range(count)]
    kept = {"deleted_at": None, "deleted": False}
    with engine.begin() as connection:
        connection.execute(insert(tables.images), gone)
        connection.execute(insert(tables.images), {**image, **kept, "id": SHOWN, "status": "active"})
        for table, names, values in (
            ("image_properties", "name, value", "'a', 'x'"),
            ("image_properties", "name, value", "'b', 'y'"),
            ("image_tags", "value", "'t'"),
            ("image_locations", "value, status", "'file:///x', 'deleted'"),
        ):
            times = "created_at, updated_at, deleted_at, deleted"
            columns = f"image_id, {names}, {times}"
            connection.execute(
                text(
                    f"INSERT INTO {table} ({columns}) SELECT id, {values}, {times} FROM images WHERE deleted"
                )
            )
    engine.dispose()


def measure(url: str, folder: Path, count: int) -> None:
    """Serve, show, and purge."""
    config, port = folder / "glance-api.conf", free_port()
    config.write_text(
        f"[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\nworkers = 1\n[database]\nconnection = {url}\n"
        f"[glance_store]\nfilesystem_store_datadir = {folder}/images\n"
        f"[glimpse]\nstate_dir = {folder}/state\nauth_strategy = noauth\n"
    )
    server = processes.spawn([PROGRAMS / "glance-api", "--config-file", config], folder / "log")
    try:
        wait_for(port)
        report("show alone", shown(port, time.monotonic() + ALONE_SECONDS))
        outcome: list[load.Outcome] = []
        done = threading.Event()
        client = threading.Thread(target=lambda: outcome.append(shown(port, math.inf, done)))
        client.start()
        begun, before = time.monotonic(), resource.getrusage(resource.RUSAGE_CHILDREN)
        for action in ("purge", "purge_images_table"):
            print(
                processes.run(
                    [PROGRAMS / "glance-manage", "--config-file", config, "db", action, "--max_rows=-1"]
                )
            )
        seconds, after = time.monotonic() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        done.set()
        client.join()
        report("show meanwhile", outcome[0])
        used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"purge of {count} images: {seconds:.1f} s, of which {used:.1f} s of glance-manage's processor")
        print(f"load average: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    finally:
        processes.end(server)


def wait_for(port: int) -> None:
    """Until the image is shown."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            if load.fetch(("127.0.0.1", port), request()).status == 200:
                return
        except OSError:
            time.sleep(0.2)
    raise processes.Failed("the service does not answer")


def request() -> bytes:
    """One `show`."""
    return load.encode("GET", f"/v2/images/{SHOWN}", {})


def shown(port: int, until: float, done: threading.Event | None = None) -> load.Outcome:
    """`show`, a hundred times a second at most."""

    def paced() -> Iterator[bytes]:
        while time.monotonic() < until and not (done and done.is_set()):
            time.sleep(0.01)
            yield request()

    return load.run(("127.0.0.1", port), paced(), math.inf, 1)


def report(name: str, outcome: load.Outcome) -> None:
    """The percentiles."""
    ordered = sorted(outcome.latencies)
    middle, late = (ordered[int(len(ordered) * share)] * 1000 for share in (0.5, 0.99))
    print(
        f"{name}: median {middle:.1f} ms, p99 {late:.1f} ms, longest {ordered[-1] * 1000:.1f} ms, "
        f"of {outcome.requests} ({outcome.failures} failed)"
    )


if __name__ == "__main__":
    main()
