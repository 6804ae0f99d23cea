"""What Nova and Cinder do with an image in Ceph: a clone of its snapshot boots, and nothing is copied."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.backends import rbd
from tests.server import running

pytestmark = pytest.mark.services

_GUEST = Path(__file__).parents[2] / ".services" / "guest" / "disk.raw"
_SECONDS = 90


@contextmanager
def booted(drive: str, console: Path) -> Iterator[None]:
    """A guest on a drive, until this is left. Its serial port is written to a file."""
    # Nothing can be faster here that works everywhere.
    command = ["qemu-system-x86_64", "-accel", "tcg", "-m", "160", "-nodefaults", "-display", "none"]
    command += ["-serial", f"file:{console}", "-drive", f"file={drive},format=raw,if=virtio"]
    guest = subprocess.Popen(command)
    try:
        yield
    finally:
        # It lets go of the drive then, of which Ceph would wait half a minute for a dead one.
        guest.terminate()
        guest.wait(_SECONDS)


def wait_for(text: str, console: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while not console.exists() or text not in console.read_text(errors="replace"):
        assert time.monotonic() < deadline, console.read_text(errors="replace")[-2000:]
        time.sleep(0.1)


def test_a_clone_of_an_images_snapshot_boots(tmp_path: Path) -> None:
    if shutil.which("qemu-system-x86_64") is None or not _GUEST.exists():
        pytest.skip("there is no guest to boot; make it with: services/guest")
    told, data = rbd.running(), _GUEST.read_bytes()
    store = f"enabled_backends = ceph:rbd\n[glance_store]\ndefault_backend = ceph\n[ceph]\n{rbd.options()}"
    words = ["rbd", "--conf", told["CEPH_CONF"], "--id", "cinder", "--keyring"]
    words.append(str(Path(told["CEPH_KEYRING"]).with_name("client.cinder.keyring")))
    with running(tmp_path / "glimpse", store) as server, server.client() as api:
        body = {"name": "guest", "disk_format": "raw", "container_format": "bare"}
        image = api.post("/v2/images", json=body).raise_for_status().json()["id"]
        headers = {"Content-Type": "application/octet-stream"}
        api.put(f"/v2/images/{image}/file", content=data, headers=headers).raise_for_status()
        clone = f"volumes/{image}"
        subprocess.run([*words, "clone", f"{told['CEPH_POOL']}/{image}@snap", clone], check=True)
        try:
            drive = f"rbd:{clone}:id=cinder:keyring={words[-1]}:conf={told['CEPH_CONF']}"
            with booted(drive, tmp_path / "console"):
                wait_for("guest note: as it was made", tmp_path / "console")
                wait_for("guest ready", tmp_path / "console")
            assert api.get(f"/v2/images/{image}/file").content == data
        finally:
            subprocess.run([*words, "--no-progress", "rm", clone], check=True)
        assert api.delete(f"/v2/images/{image}").status_code == 204
