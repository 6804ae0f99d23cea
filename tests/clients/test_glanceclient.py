"""python-glanceclient: the library by HTTP basic authentication, and the `glance` command.

The command knows tokens only, so it speaks with a service that asks for no authentication. Each case of the
library is a function of `programs/glance.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.client import Clients, cases
from tests.server import Server, running

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("case", cases("glance"))
def test_library(server: Server, clients: Clients, qcow2: Path, case: str) -> None:
    clients.program("glance", case, server.url, server.password, str(qcow2))


class Command:
    """The `glance` command against one service."""

    def __init__(self, clients: Clients, url: str) -> None:
        self._clients = clients
        self._options = ["--os-image-url", url, "--os-auth-token", "any"]

    def __call__(self, *arguments: str) -> str:
        return self._clients.run(["glance", *self._options, *arguments], {})


@pytest.fixture(scope="module")
def glance(clients: Clients, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Command]:
    state = tmp_path_factory.mktemp("open") / "glimpse"
    with running(state, "[glimpse]\nauth_strategy = noauth\n") as open_server:
        yield Command(clients, open_server.url)


def test_command(glance: Command, qcow2: Path, tmp_path: Path) -> None:
    formats = ("--disk-format", "qcow2", "--container-format", "bare")
    described = glance(
        "image-create", "--name", "disk", *formats, "--file", str(qcow2), "--progress", "--property", "a=b"
    )
    image = field(described, "id")
    assert field(described, "status") == "active"
    assert field(described, "virtual_size") == str(64 * 1024 * 1024)
    copy = tmp_path / "copy"
    glance("image-download", "--file", str(copy), image)
    assert copy.read_bytes() == qcow2.read_bytes()
    glance("image-tag-update", image, "rock")
    glance("image-update", "--name", "renamed", "--property", "a=c", image)
    assert "renamed" in glance("image-list", "--tag", "rock", "--property-filter", "a=c")
    glance("member-create", image, "somebody")
    assert "somebody" in glance("member-list", "--image-id", image)
    glance("image-delete", image)
    assert image not in glance("image-list")


def field(table: str, name: str) -> str:
    """The value of one line of a table."""
    rows = [[cell.strip() for cell in line.split("|")[1:3]] for line in table.splitlines() if "|" in line]
    return next(value for key, value in rows if key == name)
