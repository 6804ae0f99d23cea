"""A volume by iSCSI, through QEMU's own initiator, from a real target on the loopback."""

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.compute.host import Host
from tests.compute.test_instances import ready, upload
from tests.keys import signer

pytestmark = pytest.mark.services

_NAME = "iqn.2026-11.test.glimpse:volume"
# The number of the target daemon's control socket, which is known on all of the machine.
_CONTROL = str(os.getpid() % 30_000 + 1)


def tgtadm(*words: str) -> None:
    subprocess.run(["tgtadm", "-C", _CONTROL, "--lld", "iscsi", *words], check=True, capture_output=True)


@pytest.fixture
def volume(tmp_path: Path) -> Path:
    file = tmp_path / "volume"
    file.write_bytes(bytes(1024**2))
    return file


@pytest.fixture
def target(volume: Path) -> Iterator[str]:
    """A target that has the volume as its unit 1; its address."""
    if shutil.which("tgtd") is None or os.getuid() != 0:
        pytest.skip("there is no tgt that may be run; install it with: services/guest")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    daemon = subprocess.Popen(["tgtd", "-f", "-C", _CONTROL, "--iscsi", f"portal=127.0.0.1:{port}"])
    try:
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with suppress(subprocess.CalledProcessError):
                tgtadm("--mode", "target", "--op", "new", "--tid", "1", "-T", _NAME)
                break
            time.sleep(0.1)
        unit = ("--mode", "logicalunit", "--op", "new", "--tid", "1", "--lun", "1")
        tgtadm(*unit, "--backing-store", str(volume))
        tgtadm("--mode", "target", "--op", "bind", "--tid", "1", "-I", "127.0.0.1")
        yield f"iscsi://127.0.0.1:{port}/{_NAME}/1"
    finally:
        daemon.kill()
        daemon.wait()


def test_a_volume_of_another_host(
    host: Host, api: httpx.Client, disk: Path, volume: Path, target: str
) -> None:
    data = disk.read_bytes()
    upload(api, "remote", data, **signer("RSA-PSS").properties(data, "builder"))
    host.do("flavor", "create", "--ram", "160", "--disk", "1", "--ephemeral", "1", "small")
    host.do("launch", "--image", "remote", "--flavor", "small", "--volume", target, "one")
    console = host.console("one")
    ready(console, "as it was made")
    assert console.type("echo size $(cat /sys/block/vdc/size) end", r"size \d+ end") == "size 2048 end"
    assert console.type("echo kept >/dev/vdc && sync && echo volume-$((1 + 1))", "volume-2")
    host.do("delete", "one")
    assert volume.read_bytes().startswith(b"kept")
