"""The image cache: the `glance cache-*` commands, those of `openstack cached image`, and `glance-cache-*`."""

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from glimpse.cli.glance_cache_manage import glance_cache_manage
from glimpse.domain.errors import GlimpseError
from tests.clients.client import Clients
from tests.server import Server, running

pytestmark = pytest.mark.clients

FORMATS = ("--disk-format", "qcow2", "--container-format", "bare")
# What is queued stays so until it is asked for.
IDLE = "auth_strategy = http_basic\nrun_jobs = false\n"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture(scope="module")
def glance(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., str]]:
    state = tmp_path_factory.mktemp("open") / "glimpse"
    with running(state, "[glimpse]\nauth_strategy = noauth\nimage_cache = true\n") as server:
        known = ["glance", "--os-image-url", server.url, "--os-auth-token", "any"]
        yield lambda *words: clients.run([*known, *words], {})


def test_glance(glance: Callable[..., str], qcow2: Path) -> None:
    made = glance("image-create", *FORMATS, "--file", str(qcow2))
    image = next(line.split("|")[2].strip() for line in made.splitlines() if line.startswith("| id "))
    glance("cache-queue", image)
    until(lambda: f"{image} | cached" in glance("cache-list"))
    glance("cache-delete", image)
    assert image not in glance("cache-list")
    glance("cache-clear", "--target", "cache")


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service that leaves the queue to others."""
    state = tmp_path_factory.mktemp("idle") / "glimpse"
    with running(state, f"[glimpse]\nstate_dir = {state}\nimage_cache = true\n{IDLE}") as server:
        yield server


@pytest.fixture
def image(idle: Server) -> str:
    with idle.client() as api:
        made = api.post("/v2/images", json={"disk_format": "raw", "container_format": "bare"}).json()["id"]
        data = {"content": bytes(range(256)) * 512, "headers": {"Content-Type": "application/octet-stream"}}
        assert api.put(f"/v2/images/{made}/file", **data).status_code == 204  # type: ignore[arg-type]
        assert api.delete("/v2/cache").status_code == 204
    return str(made)


def manage(server: Server, *words: str, status: int = 0) -> str:
    """What `glance-cache-manage` says."""
    known = {"OS_USERNAME": "admin", "OS_PASSWORD": server.password}
    words = ("-f", "-p", str(server.port), *words)
    done = CliRunner().invoke(glance_cache_manage, words, env=known)
    if isinstance(done.exception, GlimpseError):
        assert status == 1
        return str(done.exception)
    assert done.exit_code == status, done.output
    return done.output


def program(server: Server, name: str, *words: str) -> str:
    """What `glance-cache-cleaner`, `-prefetcher` or `-pruner` says; it must succeed."""
    text = f"from glimpse.cli.glance_cache import {name}_main; {name}_main()"
    command = [sys.executable, "-c", text, "--config-file", str(server.state / "glimpse.conf"), *words]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_operators_commands(idle: Server, image: str) -> None:
    assert "0 images are cached" in manage(idle, "list-cached")
    assert "is queued" in manage(idle, "queue-image", image)
    assert image in manage(idle, "list-queued")
    assert "1 of 1 images cached" in program(idle, "prefetch")
    assert "0 images are queued" in manage(idle, "list-queued")
    assert image in manage(idle, "list-cached")
    assert "0 images evicted" in program(idle, "prune")
    cached = idle.state / "image-cache" / image
    with cached.open("r+b") as file:
        file.write(b"rot")
    assert "1 removed" in program(idle, "clean", "--verify")
    assert not cached.exists()
    manage(idle, "queue-image", image)
    assert "not queued any more" in manage(idle, "delete-queued-image", image)
    manage(idle, "queue-image", image)
    assert "1 images were taken out" in manage(idle, "delete-all-queued-images")
    manage(idle, "queue-image", image)
    program(idle, "prefetch")
    assert "not cached any more" in manage(idle, "delete-cached-image", image)
    assert "0 images were removed" in manage(idle, "delete-all-cached-images")
    assert "delete-queued-image" in manage(idle, "help")


@pytest.mark.parametrize(
    ("words", "status", "complaint"),
    [
        (("queue-image", "x"), 1, "image id"),
        (("queue-everything",), 2, "No such command"),
        (("-p", "1", "list-cached"), 1, "not available"),
        (("-K", "wrong", "list-cached"), 1, "verify"),
    ],
)
def test_what_goes_wrong(idle: Server, words: tuple[str, ...], status: int, complaint: str) -> None:
    assert complaint in manage(idle, *words, status=status)


def test_openstack(clients: Clients, idle: Server, image: str) -> None:
    def listed() -> list[str]:
        rows = clients.openstack_json(idle, "cached", "image", "list")
        return [f"{row['State']} {row['ID']}" for row in rows]

    clients.openstack(idle, "cached", "image", "queue", image)
    assert listed() == [f"queued {image}"]
    program(idle, "prefetch")
    assert listed() == [f"cached {image}"]
    clients.openstack(idle, "cached", "image", "delete", image)
    assert listed() == []
    clients.openstack(idle, "cached", "image", "queue", image)
    clients.openstack(idle, "cached", "image", "clear", "--queue")
    assert listed() == []
