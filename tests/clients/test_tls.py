"""TLS by the service itself: up and down, whole and in part."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server import Server

pytestmark = [
    pytest.mark.clients,
    *(
        pytest.mark.skipif(
            shutil.which(name) is None, reason=f"{name} is not installed: apt-get install {name}"
        )
        for name in ("curl", "openssl")
    ),
]

SIZE = 3_000_001


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files],
        check=True,
        capture_output=True,
    )
    extra = f"cert_file = {certificate}\nkey_file = {key}\n"
    secure = Server(folder / "glimpse", extra, certificate=certificate)
    secure.start()
    yield secure
    secure.stop()


def curl(server: Server, *arguments: str) -> str:
    trust = ["--cacert", str(server.certificate), "--noproxy", "*", "--max-time", "120"]
    command = ["curl", "-sS", "-w", "%{http_code}", "-u", f"admin:{server.password}", *trust, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_up_and_down(server: Server, tmp_path: Path) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.write_bytes(random.Random(2).randbytes(SIZE))
    with server.client() as api:
        body = {"name": "secret", "disk_format": "raw", "container_format": "bare"}
        image = api.post("/v2/images", json=body).json()["id"]
    url = f"{server.url}/v2/images/{image}/file"
    assert url.startswith("https://")
    assert curl(server, "-T", str(disk), "-H", "Content-Type: application/octet-stream", url) == "204"
    assert curl(server, "-o", str(copy), url) == "200"
    assert copy.read_bytes() == disk.read_bytes()
    assert curl(server, "-r", "1000-2000999", "-o", str(copy), url) == "206"
    assert copy.read_bytes() == disk.read_bytes()[1000:2_001_000]
    copy.write_bytes(disk.read_bytes()[:999_999])
    assert curl(server, "-C", "-", "-o", str(copy), url) == "206"
    assert copy.read_bytes() == disk.read_bytes()


def test_links_are_https(server: Server) -> None:
    with server.client() as api:
        versions = api.get("/versions").json()["versions"]
    assert all(version["links"][0]["href"].startswith(server.url) for version in versions)
