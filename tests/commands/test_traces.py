"""Traces of a running service, as a collector gets them by OTLP over HTTP."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.collector import Collector, Span, collecting
from tests.server import Server
from tests.sources import serving

SERVER_KIND = 2
QUICKLY = {"OTEL_BSP_SCHEDULE_DELAY": "200"}


@pytest.fixture
def collector() -> Iterator[Collector]:
    with collecting() as collector:
        yield collector


def started(state: Path, options: str, environment: dict[str, str]) -> Server:
    server = Server(state, options, environment={**QUICKLY, **environment})
    server.start()
    return server


def has(*names: str) -> Callable[[Sequence[Span]], bool]:
    return lambda spans: set(names) <= {span.name for span in spans}


def below(spans: Sequence[Span], parent: Span) -> list[str]:
    """The names of all spans that hang on one, directly or not."""
    children = [span for span in spans if span.parent == parent.id]
    return [name for child in children for name in (child.name, *below(spans, child))]


def make(client: httpx.Client, **headers: str) -> str:
    body = {"disk_format": "raw", "container_format": "bare"}
    answer = client.post("/v2/images", json=body, headers=headers)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_what_a_trace_tells(tmp_path: Path, collector: Collector) -> None:
    options = f"[glimpse]\ntrace_endpoint = {collector.url}\n"
    with serving() as source:
        source.pages["/image?secret=s3cret"] = source.pages["/image"]
        allowed = "[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n"
        server = started(tmp_path, options + allowed, {"OTEL_SERVICE_NAME": "images-of-the-lab"})
        trace, caller = secrets.token_hex(16), secrets.token_hex(8)
        with server.client() as client:
            image = make(client, traceparent=f"00-{trace}-{caller}-01")
            octets = {"Content-Type": "application/octet-stream"}
            assert client.put(f"/v2/images/{image}/file", content=b"data", headers=octets).status_code == 204
            answer = client.get(f"/v2/images/{image}/file")
            assert client.get("/v2/images/none?secret=s3cret").status_code == 404
            copied = make(client)
            wanted = {"method": {"name": "web-download", "uri": source.url("/image?secret=s3cret")}}
            assert client.post(f"/v2/images/{copied}/import", json=wanted).status_code == 202
            spans = collector.wait(has("job api_image_import", "GET /v2/images/{image_id}"))
        server.stop()
    spans = collector.spans
    assert collector.paths == {"/v1/traces"}
    assert {span.resource["service.name"] for span in spans} == {"images-of-the-lab"}
    [create, _] = [span for span in spans if span.name == "POST /v2/images"]
    assert (create.trace, create.parent, create.kind) == (trace, caller, SERVER_KIND)
    assert "database write" in below(spans, create)
    [upload] = [span for span in spans if span.name == "PUT /v2/images/{image_id}/file"]
    assert {"store open_writer", "store commit", "database write"} <= set(below(spans, upload))
    [download] = [span for span in spans if span.name == "GET /v2/images/{image_id}/file"]
    assert {"store open_reader", "database read"} <= set(below(spans, download))
    assert download.attributes["http.response.status_code"] == 200
    assert download.attributes["glimpse.request_id"] == answer.headers["x-openstack-request-id"]
    [job] = [span for span in spans if span.name == "job api_image_import"]
    assert {"outbound GET", "store commit"} <= set(below(spans, job))
    # Neither what clients asked for in queries, nor who they are, nor where their data comes from.
    everything = repr(spans)
    assert "s3cret" not in everything
    assert server.password not in everything


def test_a_failure_is_seen(tmp_path: Path, collector: Collector) -> None:
    server = started(tmp_path, "", {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url})
    with server.client() as client:
        image = make(client)
        octets = {"Content-Type": "application/octet-stream"}
        assert client.put(f"/v2/images/{image}/file", content=b"data", headers=octets).status_code == 204
        for file in (tmp_path / "images").iterdir():
            file.unlink()
        client.get(f"/v2/images/{image}/file")
        spans = collector.wait(has("store open_reader", "GET /v2/images/{image_id}/file"))
    server.stop()
    [opened] = [span for span in spans if span.name == "store open_reader"]
    assert (opened.failed, opened.attributes["error.type"]) == (True, "StoreObjectMissing")


@pytest.mark.parametrize(
    ("options", "environment"),
    [
        ("trace_ratio = 1\n", {}),
        ("trace_endpoint = {url}\n", {"OTEL_SDK_DISABLED": "true"}),
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "{url}", "OTEL_TRACES_EXPORTER": "none"}),
        ("trace_endpoint = {url}\ntrace_ratio = 0\n", {}),
    ],
)
def test_nothing_is_sent(
    tmp_path: Path, collector: Collector, options: str, environment: dict[str, str]
) -> None:
    named = {name: value.format(url=collector.url) for name, value in environment.items()}
    server = started(tmp_path, f"[glimpse]\n{options.format(url=collector.url)}", named)
    with server.client() as client:
        make(client)
    # What waits is sent at the end.
    server.stop()
    assert collector.spans == []


def test_a_collector_that_is_away_keeps_nobody(tmp_path: Path) -> None:
    server = started(tmp_path, "[glimpse]\ntrace_endpoint = http://127.0.0.1:9\n", {})
    with server.client() as client:
        make(client)
    server.stop()


def test_a_wrong_address(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="trace_endpoint"):
        Server(tmp_path, "[glimpse]\ntrace_endpoint = collector:4318\n").start()
