"""The disk is full: said plainly, nothing half, and the service goes on."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.faults.promises import (
    QUICK_LEASE,
    RAW,
    has_status,
    intents,
    new_image,
    show,
    stored,
    upload,
    wait_until,
)
from tests.faults.wire import Upload
from tests.server import Server, running

MEBIBYTE = 1024 * 1024
SIZE = 16 * MEBIBYTE

pytestmark = pytest.mark.faults


def mounted(file: Path, folder: Path) -> str | None:
    """Mount a small filesystem of its own; why that cannot be done here, if so."""
    for program, package in (("mkfs.ext4", "e2fsprogs"), ("losetup", "mount"), ("mount", "mount")):
        if shutil.which(program) is None:
            return f"{program} is not installed: apt-get install {package}"
    if os.geteuid() != 0:
        return "only root can mount a filesystem: run as root"
    with file.open("wb") as content:
        content.truncate(SIZE)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", "-O", "^has_journal", file], check=True)
    folder.mkdir()
    done = subprocess.run(["mount", "-o", "loop", file, folder], capture_output=True, text=True)
    return f"a loop device cannot be mounted here: {done.stderr.strip()}" if done.returncode else None


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder on a disk of 16 MiB."""
    folder = tmp_path / "small"
    reason = mounted(tmp_path / "disk", folder)
    if reason is not None:
        pytest.skip(reason)
    (folder / "images").mkdir()
    yield folder / "images"
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.fixture
def server(tmp_path: Path, folder: Path) -> Iterator[Server]:
    extra = f"{QUICK_LEASE}[glance_store]\nfilesystem_store_datadir = {folder}\n"
    with running(tmp_path / "glimpse", extra) as started:
        yield started


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_full_disk(server: Server, api: httpx.Client, folder: Path, chunked: bool) -> None:
    body = os.urandom(2 * SIZE)
    for _ in range(2):
        image = new_image(api)
        with Upload(server, image, body, chunked=chunked) as current:
            while current.sent < len(body) and current.send(MEBIBYTE):
                pass
            assert current.status() == 413
        wait_until("it is undone", partial(has_status, api, image, "queued"))
        assert show(api, image)["size"] is None
        wait_until("nothing is under way", lambda: not intents(server.state))
        assert names(folder) == []
    # The service goes on, and what is too much for the disk was not too much for the image.
    upload(api, image, body[:MEBIBYTE])
    assert api.get(f"/v2/images/{image}/file").content == body[:MEBIBYTE]
    assert names(folder) == [image]


def test_filled_by_many_at_once(server: Server, api: httpx.Client, folder: Path) -> None:
    body = os.urandom(5 * MEBIBYTE)
    kept = stored(api, body)
    uploads = [Upload(server, new_image(api), body) for _ in range(4)]
    for piece in range(5):
        for current in uploads:
            if current.sent == piece * MEBIBYTE:
                current.send(MEBIBYTE)
    answers = {current.image: current.status() for current in uploads}
    assert set(answers.values()) <= {204, 413}
    assert 413 in answers.values()
    wait_until("nothing is under way", lambda: not intents(server.state))
    for image, answer in answers.items():
        assert show(api, image)["status"] == ("active" if answer == 204 else "queued")
    active = {kept, *(image for image, answer in answers.items() if answer == 204)}
    assert set(names(folder)) == active
    assert all(api.get(f"/v2/images/{image}/file").content == body for image in active)


def test_disk_that_others_have_filled(server: Server, api: httpx.Client, folder: Path) -> None:
    with (folder.parent / "filler").open("wb") as filler, contextlib.suppress(OSError):
        for _ in range(SIZE // 4096):
            filler.write(bytes(4096))
            filler.flush()
    image = new_image(api)
    with Upload(server, image, os.urandom(MEBIBYTE), chunked=True) as current:
        assert current.finish() == 413
    assert api.post("/v2/images", json={"name": "still here", **RAW}).status_code == 201
    assert names(folder) == []
    (folder.parent / "filler").unlink()
    upload(api, image, b"room again")
    assert names(folder) == [image]
