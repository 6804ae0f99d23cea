"""The store of S3 while its server, one of the test's own, dies."""

import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from glimpse.domain.errors import Unavailable
from glimpse.stores.s3.store import S3Store
from tests.backends.s3 import CUT, S3Backend, find, swift
from tests.contract.stores.suite import CONTENT, MIB, get, new_key, put

pytestmark = pytest.mark.services

_ROOT = Path(__file__).parents[3]
_SHARED = _ROOT / ".services" / "swift"


class OwnSwift:
    """Swift on other ports, with the programs that are installed for the shared one."""

    def __init__(self, folder: Path) -> None:
        home = folder / "swift"
        home.mkdir(parents=True)
        (home / "environment").symlink_to(_SHARED / "environment")
        shutil.copy(_SHARED / "installed", home / "installed")
        self._folder = folder
        self._environment = os.environ | {
            "GLIMPSE_SERVICES_DIR": str(folder),
            "GLIMPSE_SWIFT_PORT": str(_free_ports(5)),
        }

    def start(self) -> None:
        self._call("up")

    def kill(self) -> None:
        """All its processes at once, as when the power fails."""
        pid = int((self._folder / "swift" / "pid").read_text())
        os.kill(pid, signal.SIGKILL)

    def stop(self) -> None:
        self._call("down")

    def _call(self, verb: str) -> None:
        command = [str(_ROOT / "services" / verb), "swift"]
        subprocess.run(command, env=self._environment, check=True, capture_output=True)

    def backend(self) -> S3Backend:
        server = swift(self._folder)
        assert server is not None
        return S3Backend(server)


def _free_ports(count: int) -> int:
    """The first of so many ports that nobody listens to."""
    for first in range(25_900, 26_900, count):
        with suppress(OSError):
            for port in range(first, first + count):
                socket.create_server(("127.0.0.1", port)).close()
            return first
    pytest.skip("there are no free ports")


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OwnSwift]:
    find("swift")
    own = OwnSwift(tmp_path)
    own.start()
    yield own
    own.stop()


def test_the_server_dies_while_an_image_is_written_and_read(own: OwnSwift) -> None:
    backend = own.backend()
    # Nothing is to be waited for that will not come.
    endpoint = replace(backend.server.endpoint(backend.bucket), answer_seconds=5)
    store = S3Store("s3", endpoint, CUT)
    content = CONTENT * 20
    kept = put(store, content)
    key = new_key()
    writer = store.open_writer(key, None)
    writer.write([bytes(12 * MIB)])
    chunks = iter(store.open_reader(kept, 0, len(content)))
    next(chunks)

    own.kill()
    with pytest.raises(Unavailable):
        list(chunks)
    with pytest.raises(Unavailable):
        writer.write([bytes(5 * MIB)] * 5)
    writer.abort()
    with pytest.raises(Unavailable):
        store.discard(key)
    with pytest.raises(Unavailable):
        store.open_writer(new_key(), None)

    own.start()
    assert get(store, kept) == content
    store.discard(key)
    store.delete(kept)
    assert backend.leftovers() == []
