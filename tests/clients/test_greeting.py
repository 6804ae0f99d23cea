"""What the service prints when it starts for the first time works when it is pasted."""

import re
import shutil
from pathlib import Path

import pytest

from tests.clients.client import Clients
from tests.server import Server, running

pytestmark = pytest.mark.clients


def line_after(server: Server, heading: str) -> list[str]:
    """The indented lines below a heading of the greeting."""
    lines = server.log().splitlines()
    below = lines[lines.index(heading) + 1 :]
    end = next(number for number, line in enumerate(below) if not line.startswith("  "))
    assert end > 0
    return [line.strip() for line in below[:end]]


def test_openstack_lines(server: Server, clients: Clients, qcow2: Path, tmp_path: Path) -> None:
    shutil.copy(qcow2, tmp_path / "disk.qcow2")
    script = "\n".join(line_after(server, "For the openstack client:"))
    clients.shell(script, tmp_path)
    with server.client() as api:
        [image] = api.get("/v2/images", params={"name": "my-image"}).json()["images"]
    assert (image["status"], image["size"]) == ("active", qcow2.stat().st_size)


def test_sdk_line(server: Server, clients: Clients) -> None:
    [line] = line_after(server, "For the SDK:")
    script = f"import openstack\nprint('images:', len(list(({line}).image.images())))"
    assert "images:" in clients.run(["python", "-c", script], {})


def test_curl_line(server: Server, clients: Clients) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed: apt-get install curl")
    [line] = line_after(server, "For curl:")
    assert '"images":' in clients.shell(line)


def test_second_start_says_how_as_well(clients: Clients, tmp_path: Path) -> None:
    with running(tmp_path / "glimpse") as server:
        first = server.password
    server.start()
    try:
        assert server.password == first
        greeting = server.log()[server.log().rindex("Glimpse is listening") :]
        assert first not in greeting
        [line] = re.findall(r"^  (curl .*)$", greeting, re.MULTILINE)
        assert '"images":' in clients.shell(line)
    finally:
        server.stop()


def test_lines_without_authentication(clients: Clients, tmp_path: Path) -> None:
    with running(tmp_path / "glimpse", "[glimpse]\nauth_strategy = noauth\n") as server:
        clients.shell("\n".join(line_after(server, "Everybody who reaches it is administrator:")))
