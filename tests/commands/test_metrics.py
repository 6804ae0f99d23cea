"""`/metrics` of a running service: what Prometheus reads, and that all of it is documented."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from prometheus_client import REGISTRY
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from glimpse.api import measured
from glimpse.domain.errors import Unavailable
from glimpse.metrics import counted
from glimpse.metrics.counted import MeasuredStore
from glimpse.metrics.serving import FOLDER, Ended
from glimpse.stores.base import LocalFile
from glimpse.stores.memory import MemoryStore
from tests.server import START_SECONDS, Server, free_port

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "observability.md"
IMAGES = "/v2/images"
ONE = "/v2/images/{image_id}"


def scrape(port: int) -> dict[str, Metric]:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text
    return {family.name: family for family in text_string_to_metric_families(text)}


def value(families: dict[str, Metric], family: str, **labels: str) -> float:
    return sum(
        sample.value
        for sample in families[family].samples
        if sample.name in (family, f"{family}_total") and labels.items() <= sample.labels.items()
    )


def calls(families: dict[str, Metric], **labels: str) -> float:
    return sum(
        sample.value
        for sample in families["glimpse_store_seconds"].samples
        if sample.name.endswith("_count") and labels.items() <= sample.labels.items()
    )


def documented() -> set[str]:
    return set(re.findall(r"^\| `(glimpse_\w+?)(?:_total)?`", DOCUMENTATION.read_text(), re.MULTILINE))


def defined() -> set[str]:
    """The metrics of the processes, also those of which a run may have none."""
    found = [*vars(measured).values(), *vars(counted).values(), *counted.COUNTERS.values()]
    return {family.name for one in found if isinstance(one, MetricWrapperBase) for family in one.describe()}


@pytest.mark.parametrize("workers", [1, 2])
def test_what_happened_is_counted(tmp_path: Path, workers: int) -> None:
    port = free_port()
    server = Server(tmp_path, f"workers = {workers}\n[glimpse]\nmetrics_port = {port}\n")
    server.start()
    try:
        for _ in range(6):
            # By a connection of its own each, so that both workers get some.
            with server.client() as client:
                assert client.get(IMAGES).status_code == 200
        with server.client() as client:
            assert client.get("/v2/images/none").status_code == 404
            image = client.post(IMAGES, json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
            sent = {"Content-Type": "application/octet-stream"}
            assert client.put(f"{IMAGES}/{image}/file", content=bytes(5000), headers=sent).status_code == 204
            assert len(client.get(f"{IMAGES}/{image}/file").content) == 5000
        families = scrape(port)
    finally:
        server.stop()
    assert value(families, "glimpse_requests", route=IMAGES, method="GET", code="200") == 6
    assert value(families, "glimpse_requests", route=ONE, code="404") == 1
    assert value(families, "glimpse_received_bytes", route=f"{ONE}/file") == 5000
    assert value(families, "glimpse_sent_bytes", route=f"{ONE}/file") == 5000
    assert value(families, "glimpse_database_up") == 1
    assert value(families, "glimpse_notifications_waiting") == 0
    assert value(families, "glimpse_store_written_bytes", store="file") == 5000
    assert value(families, "glimpse_store_read_bytes", store="file") == 5000
    assert calls(families, store="file", call="commit") == 1
    assert calls(families, store="file", call="open_reader") == 1
    assert value(families, "glimpse_digest_seconds", algorithm="sha512") > 0
    assert "glimpse_database_connections" in families
    assert defined() | {name for name in families if name.startswith("glimpse_")} == documented()


def test_none_are_made_unless_asked_for(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        with server.client() as client:
            assert client.get("/metrics").status_code != 200
    finally:
        server.stop()


def test_a_worker_has_metrics_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "worker.conf"
    config.write_text(f"[glimpse]\nstate_dir = {tmp_path}\nworker_metrics_port = {port}\n")
    command = [sys.executable, "-m", "glimpse", "worker", "--config-file", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as worker:
        try:
            families = scrape_soon(port, worker)
        finally:
            worker.terminate()
    assert value(families, "glimpse_database_up") == 1


def scrape_soon(port: int, process: subprocess.Popen[bytes]) -> dict[str, Metric]:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return scrape(port)
        except httpx.TransportError:
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_what_is_left_of_a_process_that_has_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    stale, mine = (tmp_path / f"gauge_livesum_{process}.db" for process in (ended.pid, os.getpid()))
    stale.touch()
    mine.touch()
    monkeypatch.setenv(FOLDER, str(tmp_path))
    assert list(Ended().collect()) == []
    assert (stale.exists(), mine.exists()) == (False, True)


def test_a_node_behind_a_registry_leaves_figures_of_the_database_out(tmp_path: Path) -> None:
    port = free_port()
    behind = f"data_api = glance.db.registry.api\nregistry_port = {free_port()}\n"
    server = Server(tmp_path, f"{behind}[glimpse]\nmetrics_port = {port}\n")
    server.start()
    try:
        with server.client() as client:
            answer = client.get("/healthcheck", headers={"Accept": "application/json"})
        families = scrape(port)
    finally:
        server.stop()
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["DATABASE UNAVAILABLE"])
    assert value(families, "glimpse_requests") >= 1
    assert "glimpse_database_up" not in families


def test_the_cache_is_counted(tmp_path: Path) -> None:
    port = free_port()
    server = Server(tmp_path, f"[glimpse]\nmetrics_port = {port}\nimage_cache = true\n")
    server.start()
    try:
        with server.client() as client:
            image = client.post(IMAGES, json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
            sent = {"Content-Type": "application/octet-stream"}
            assert client.put(f"{IMAGES}/{image}/file", content=bytes(5000), headers=sent).status_code == 204
            assert len(client.get(f"{IMAGES}/{image}/file").content) == 5000
            cached = client.get("/v2/cache").json
            deadline = time.monotonic() + START_SECONDS
            while not cached()["cached_images"]:
                assert time.monotonic() < deadline
                cached = client.get("/v2/cache").json
            assert len(client.get(f"{IMAGES}/{image}/file").content) == 5000
        families = scrape(port)
    finally:
        server.stop()
    for result in ("followed", "hit"):
        assert value(families, "glimpse_image_cache_requests", result=result) == 1
    assert value(families, "glimpse_image_cache_fills", result="good") == 1
    assert value(families, "glimpse_image_cache_filled_bytes", result="good") == 5000


class Away(MemoryStore):
    """A store that gives two chunks and goes away."""

    def open_reader(self, url: str, offset: int, length: int) -> Iterator[bytes]:
        del url, offset, length
        yield b"one"
        yield b"more"
        raise Unavailable("store away", "nobody listens")


def test_a_store_that_breaks_is_counted() -> None:
    def sample(name: str, **labels: str) -> float:
        return REGISTRY.get_sample_value(name, {"store": "breaking", **labels}) or 0

    data = MeasuredStore(Away("breaking")).open_reader("", 0, 10)
    assert not isinstance(data, LocalFile)
    with pytest.raises(Unavailable):
        list(data)
    assert sample("glimpse_store_errors_total", call="read", error="Unavailable") == 1
    assert sample("glimpse_store_seconds_count", call="read") == 1
    assert sample("glimpse_store_read_bytes_total") == 7
