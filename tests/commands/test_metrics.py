"""`/metrics` of a running service: what Prometheus reads, and that all of it is documented."""

import re
from pathlib import Path

import httpx
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.server import Server, free_port

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
    documented = set(re.findall(r"^\| `(glimpse_\w+?)(?:_total)?`", DOCUMENTATION.read_text(), re.MULTILINE))
    assert {name for name in families if name.startswith("glimpse_")} == documented


def test_none_are_made_unless_asked_for(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    try:
        with server.client() as client:
            assert client.get("/metrics").status_code != 200
    finally:
        server.stop()
