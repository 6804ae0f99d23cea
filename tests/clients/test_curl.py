"""curl: the ways of sending and fetching bytes that HTTP knows, without a client library in between."""

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.server import Server, running

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed: apt-get install curl"),
]

SIZE = 5_000_003
DATA_TYPE = "Content-Type: application/octet-stream"


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with running(tmp_path_factory.mktemp("state") / "glimpse", f"workers = {request.param}\n") as started:
        yield started


@pytest.fixture
def api(server: Server) -> Iterator[httpx.Client]:
    with server.client() as client:
        yield client


@pytest.fixture(scope="module")
def disk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("disk") / "disk.raw"
    path.write_bytes(random.Random(1).randbytes(SIZE))
    return path


def curl(server: Server, *arguments: str) -> str:
    """The status of the last answer, then what curl wrote."""
    user = ["-u", f"admin:{server.password}", "--noproxy", "*"]
    command = ["curl", "-sS", "--max-time", "120", "-w", "%{http_code}", *user, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def new_image(api: httpx.Client) -> str:
    body = {"name": "curl", "disk_format": "raw", "container_format": "bare"}
    answer = api.post("/v2/images", json=body)
    assert answer.status_code == 201
    return f"{api.base_url}/v2/images/{answer.json()['id']}/file".replace("//v2", "/v2")


@pytest.fixture(scope="module")
def image(server: Server, disk: Path) -> str:
    """The URL of the data of an image."""
    with server.client() as api:
        url = new_image(api)
        headers = {"Content-Type": "application/octet-stream"}
        assert api.put(url, content=disk.read_bytes(), headers=headers).status_code == 204
    return url


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("-H", "Transfer-Encoding: chunked"),
        ("-H", "Expect: 100-continue", "--expect100-timeout", "60"),
        ("-H", "Expect:"),
        ("-H", f"X-OpenStack-Image-Size: {SIZE}", "-H", "Transfer-Encoding: chunked"),
        ("--http1.0",),
    ],
    ids=["length", "chunked", "expect", "no expect", "size header", "HTTP 1.0"],
)
def test_upload(server: Server, api: httpx.Client, disk: Path, options: tuple[str, ...]) -> None:
    url = new_image(api)
    assert curl(server, "-T", str(disk), "-H", DATA_TYPE, *options, url) == "204"
    described = api.get(url.removesuffix("/file")).json()
    assert (described["status"], described["size"]) == ("active", SIZE)
    assert api.get(url).content == disk.read_bytes()


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
def test_download(server: Server, image: str, disk: Path, tmp_path: Path, version: str) -> None:
    copy = tmp_path / "copy"
    assert curl(server, version, "-o", str(copy), image) == "200"
    assert copy.read_bytes() == disk.read_bytes()


def test_several_downloads_on_one_connection(server: Server, image: str, disk: Path, tmp_path: Path) -> None:
    copies = [tmp_path / str(number) for number in range(4)]
    assert curl(server, *(part for copy in copies for part in ("-o", str(copy), image))) == "200" * 4
    assert [copy.read_bytes() for copy in copies] == [disk.read_bytes()] * 4


@pytest.mark.parametrize("version", ["--http1.1", "--http1.0"])
@pytest.mark.parametrize(
    ("asked", "window"),
    [
        ("0-0", slice(0, 1)),
        ("1000-1999999", slice(1000, 2_000_000)),
        ("4000000-", slice(4_000_000, None)),
        ("-777", slice(-777, None)),
        ("10-99999999", slice(10, None)),
    ],
)
def test_range(
    server: Server, image: str, disk: Path, tmp_path: Path, version: str, asked: str, window: slice
) -> None:
    copy = tmp_path / "copy"
    assert curl(server, version, "-r", asked, "-o", str(copy), image) == "206"
    assert copy.read_bytes() == disk.read_bytes()[window]


def test_resume(server: Server, image: str, disk: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    copy.write_bytes(disk.read_bytes()[:1_234_567])
    assert curl(server, "-C", "-", "-o", str(copy), image) == "206"
    assert copy.read_bytes() == disk.read_bytes()


def test_nothing_to_resume(server: Server, image: str, tmp_path: Path) -> None:
    assert curl(server, "-r", f"{SIZE}-", "-o", str(tmp_path / "copy"), image) == "416"


def test_interrupted_download_is_resumed(server: Server, image: str, disk: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    command = ["curl", "-sS", "--noproxy", "*", "-u", f"admin:{server.password}", image]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as interrupted:
        assert interrupted.stdout is not None
        copy.write_bytes(interrupted.stdout.read(1_000_000))
        interrupted.kill()
    assert curl(server, "-C", "-", "-o", str(copy), image) == "206"
    assert copy.read_bytes() == disk.read_bytes()


def test_no_upload_to_an_active_image(server: Server, image: str, disk: Path) -> None:
    answer = curl(server, "-T", str(disk), "-H", DATA_TYPE, "-H", "Expect: 100-continue", image)
    assert answer.endswith("409")
