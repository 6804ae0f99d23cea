"""What an operator does with two API nodes, one registry and the programs beside them, on each database."""

import json
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from glimpse.cli.glance_status import Code
from tests.clients.fleet import Fleet, Said, fleet
from tests.contract.records.conftest import empty_url, server

# The databases of the contract suites.
__all__ = ["empty_url", "server"]

pytestmark = [pytest.mark.clients, pytest.mark.services]

RAW = {"disk_format": "raw", "container_format": "bare"}
BYTES = {"Content-Type": "application/octet-stream"}
DATA = b"data" * 50_000


@pytest.fixture
def running(tmp_path: Path, empty_url: str) -> Iterator[Fleet]:
    with fleet(tmp_path, empty_url) as started:
        yield started


@pytest.fixture
def nodes(running: Fleet) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    with running.nodes[0].client() as one, running.nodes[1].client() as two:
        yield one, two


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def new(node: httpx.Client, name: str) -> str:
    answer = node.post("/v2/images", json={"name": name, **RAW})
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity


def is_active(node: httpx.Client, image: str) -> bool:
    return bool(node.get(f"/v2/images/{image}").json()["status"] == "active")


@pytest.mark.parametrize(
    "server",
    [pytest.param((kind, ""), id=kind) for kind in ("postgresql", "mariadb")],
    indirect=True,
)
def test_as_an_operator_runs_it(
    running: Fleet, nodes: tuple[httpx.Client, httpx.Client], tmp_path: Path
) -> None:
    uploaded, imported = through_both_nodes(*nodes)
    the_cache(running, nodes[0], uploaded)
    what_was_deleted(running, nodes, uploaded)
    what_the_programs_say(running)
    assert nodes[1].get(f"/v2/images/{imported}/file").content == DATA
    assert [path.name for path in (tmp_path / "images").iterdir()] == [imported]
    # The nodes had no database.
    assert not list(tmp_path.rglob("*.db"))


def through_both_nodes(one: httpx.Client, two: httpx.Client) -> tuple[str, str]:
    """The ids of an image that was uploaded, and of one that was imported, with steps at either node."""
    uploaded, imported = new(one, "uploaded"), new(two, "imported")
    assert two.put(f"/v2/images/{uploaded}/file", content=DATA, headers=BYTES).status_code == 204
    assert one.put(f"/v2/images/{imported}/stage", content=DATA, headers=BYTES).status_code == 204
    method = {"method": {"name": "glance-direct"}}
    assert two.post(f"/v2/images/{imported}/import", json=method).status_code == 202
    until(lambda: is_active(one, imported))
    for node in (one, two):
        names = {image["name"] for image in node.get("/v2/images").json()["images"]}
        assert names == {"uploaded", "imported"}
        assert node.get(f"/v2/images/{uploaded}/file").content == DATA
    return uploaded, imported


def the_cache(running: Fleet, node: httpx.Client, image: str) -> None:
    """`glance-cache-*` on the first node, which has read the image once already."""
    port = str(running.nodes[0].url.rpartition(":")[2])
    manage = ("-p", port, "--force")

    def cached() -> list[str]:
        return [row["image_id"] for row in node.get("/v2/cache").json()["cached_images"]]

    until(lambda: cached() == [image])
    listed = running.run("glance-cache-manage", *manage, "list-cached")
    assert (listed.status, image in listed.output) == (0, True), listed
    assert running.run("glance-cache-manage", *manage, "delete-cached-image", image).status == 0
    assert cached() == []
    assert node.put(f"/v2/cache/{image}").status_code == 202
    fetched = running.run("glance-cache-prefetcher", file="one")
    assert fetched.status == 0
    assert re.search(r"^(1 of 1|0 of 0) images cached\.$", fetched.output, re.M), fetched.output
    until(lambda: cached() == [image])
    pruned = running.run("glance-cache-pruner", file="one")
    assert (pruned.status, "0 images evicted, 0 bytes freed.\n" in pruned.output) == (0, True), pruned
    cleaned = running.run("glance-cache-cleaner", "--verify", file="one")
    assert (cleaned.status, "0 removed, 0 taken over.\n" in cleaned.output) == (0, True), cleaned


def what_was_deleted(running: Fleet, nodes: tuple[httpx.Client, httpx.Client], image: str) -> None:
    """An image is deleted, restored, deleted again and scrubbed."""
    one, two = nodes
    path = f"/v2/images/{image}"
    assert one.delete(path).status_code == 204
    assert two.get(path).status_code == 404
    restored = running.run("glance-scrubber", "--restore", image, file="glance-scrubber")
    assert restored == Said(0, f"Image {image} is restored.\n")
    assert two.get(f"{path}/file").content == DATA
    assert two.delete(path).status_code == 204
    # A scrubber reads the records as the nodes do, or has the database.
    scrubbed = running.run("glance-scrubber", file="two")
    assert scrubbed.status == 0
    assert scrubbed.output.endswith("Removed images: 1. Not removed yet: 0.\n"), scrubbed.output


def what_the_programs_say(running: Fleet) -> None:
    """`glance-manage` and `glance-status`, of which one has the database and the other a node's file."""
    checked = running.run("glance-manage", "db", "check", file="glance-manage")
    assert (checked.status, "up to date" in checked.output) == (0, True), checked
    node = running.run("glance-status", "upgrade", "check", "--json", file="one")
    results = {check["check"]: check for check in json.loads(node.output)["checks"]}
    # The file of the node has options of Glance that are deprecated.
    assert (node.status, results["Configuration"]["result"]) == (1, Code.WARNING), node.output
    assert f"{running.files['one']}:10: [glance_store] stores is deprecated" in node.output
    assert results["Registry"]["result"] == Code.SUCCESS
