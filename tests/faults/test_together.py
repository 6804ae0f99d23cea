"""Many at once: writers on one SQLite database, servers on one state folder, readers who take their time."""

import random
import resource
import socket
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.faults.handles import open_images, open_sockets
from tests.faults.promises import (
    DATA,
    QUICK_LEASE,
    RAW,
    check_promises,
    new_image,
    show,
    stored,
    upload,
    wait_until,
)
from tests.faults.wire import Exchange, Upload
from tests.server import Server, running

pytestmark = pytest.mark.faults

SEED = 9292

WRITERS = 32
TURNS = 3
PATCH = {"Content-Type": "application/openstack-images-v2.1-json-patch"}

READERS = 300
IMAGE_BYTES = 64 * 1024 * 1024
# Fixed buffers for each connection are allowed, an image for each is not.
MEMORY_BYTES = 150 * 1024 * 1024


def write_all_the_time(server: Server, writer: int) -> Counter[int]:
    """Create, change, tag, share and delete; how often which status came."""
    statuses: Counter[int] = Counter()
    with server.client() as api:
        for turn in range(TURNS):
            created = api.post(
                "/v2/images", json={"name": f"{writer}-{turn}", "p": "1", "tags": ["t"], **RAW}
            )
            statuses[created.status_code] += 1
            url = f"/v2/images/{created.json()['id']}"
            change = [
                {"op": "replace", "path": "/p", "value": "2"},
                {"op": "add", "path": "/q", "value": "3"},
            ]
            statuses[api.patch(url, json=change, headers=PATCH).status_code] += 1
            statuses[api.put(f"{url}/tags/{turn}").status_code] += 1
            statuses[api.post(f"{url}/members", json={"member": "m"}).status_code] += 1
            statuses[api.put(f"{url}/file", content=b"data", headers=DATA).status_code] += 1
            if turn % 2:
                statuses[api.delete(url).status_code] += 1
    return statuses


@pytest.mark.parametrize("workers", [1, 2])
def test_writers_on_sqlite(tmp_path: Path, workers: int) -> None:
    with running(tmp_path / "glimpse", f"workers = {workers}\n{QUICK_LEASE}") as server:
        with ThreadPoolExecutor(WRITERS) as pool:
            results = list(pool.map(lambda writer: write_all_the_time(server, writer), range(WRITERS)))
        made, deleted = WRITERS * TURNS, WRITERS * (TURNS // 2)
        assert sum(results, Counter[int]()) == {201: made, 200: 2 * made, 204: 2 * made + deleted}
        with server.client() as api:
            left = api.get("/v2/images", params={"limit": 1000, "q": "3", "tag": "t"}).json()["images"]
        assert len(left) == made - deleted
        check_promises(server, {image["id"]: b"data" for image in left})


@pytest.fixture
def pair(server: Server) -> Iterator[tuple[Server, Server]]:
    """Two servers on one state folder."""
    other = Server(server.state, QUICK_LEASE, name="other")
    other.start()
    yield server, other
    other.stop()


def test_two_servers_are_one_service(pair: tuple[Server, Server]) -> None:
    first, second = pair
    data = random.Random(3).randbytes(1_000_000)
    with first.client() as one, second.client() as two:
        image = stored(one, data)
        assert two.get(f"/v2/images/{image}/file").content == data
        change = [{"op": "replace", "path": "/name", "value": "renamed"}]
        assert two.patch(f"/v2/images/{image}", json=change, headers=PATCH).status_code == 200
        assert show(one, image)["name"] == "renamed"
        assert two.delete(f"/v2/images/{image}").status_code == 204
        assert one.get(f"/v2/images/{image}").status_code == 404
    check_promises(first, {})


def test_one_of_two_uploads_wins(pair: tuple[Server, Server]) -> None:
    known: dict[str, bytes] = {}
    with pair[0].client() as api, ThreadPoolExecutor(2) as pool:
        for turn in range(8):
            image = new_image(api)
            bodies = [b"%d-%d" % (turn, number) * 10_000 for number in range(2)]
            uploads = [Upload(server, image, body) for server, body in zip(pair, bodies, strict=True)]
            statuses = list(pool.map(Upload.finish, uploads))
            assert sorted(map(str, statuses)) == ["204", "409"]
            known[image] = bodies[statuses.index(204)]
            assert show(api, image)["status"] == "active"
            assert api.get(f"/v2/images/{image}/file").content == known[image]
    check_promises(pair[1], known)


def test_deletes_and_uploads_in_a_race(pair: tuple[Server, Server]) -> None:
    # Many at once, because a delete that waits for its turn to write is overtaken by the end of an upload.
    together, chance = 10, random.Random(SEED)

    def delete(api: httpx.Client, image: str, delay: float) -> int:
        time.sleep(delay)
        return api.delete(f"/v2/images/{image}").status_code

    with pair[0].client() as api, pair[1].client() as other, ThreadPoolExecutor(2 * together) as pool:
        for _ in range(4):
            uploads = [Upload(pair[0], new_image(api), bytes(20_000)) for _ in range(together)]
            for current in uploads:
                current.send(10_000)
            deleting = [pool.submit(delete, other, c.image, chance.uniform(0, 0.03)) for c in uploads]
            finishing = [pool.submit(current.finish) for current in uploads]
            assert {future.result() for future in finishing} <= {204, 404, 409, 410}
            assert {future.result() for future in deleting} == {204}
            for current in uploads:
                current.close()
                assert api.get(f"/v2/images/{current.image}").status_code == 404
    assert check_promises(pair[0], {}) == {}


def resident_bytes(server: Server) -> int:
    assert server.process is not None
    lines = Path(f"/proc/{server.process.pid}/status").read_text().splitlines()
    [resident] = [line.split()[1] for line in lines if line.startswith("VmRSS:")]
    return int(resident) * 1024


@pytest.fixture
def many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2 * READERS:
        pytest.skip(f"{hard} open files are too few: ulimit -Hn 4096")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("many_files")
def test_slow_readers(server: Server, api: httpx.Client) -> None:
    body = random.Random(4).randbytes(1024 * 1024) * (IMAGE_BYTES // (1024 * 1024))
    image = stored(api, body)
    memory, sockets = resident_bytes(server), open_sockets(server)
    readers = [slow_reader(server, image) for _ in range(READERS)]
    received = [bytearray() for _ in readers]
    for _ in range(5):
        for reader, sofar in zip(readers, received, strict=True):
            sofar += reader.connection.recv(4096)
        assert show(api, image)["status"] == "active"
        other = new_image(api)
        upload(api, other, b"meanwhile")
        time.sleep(0.1)
    for sofar in received:
        head, _, data = sofar.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert data
        assert body.startswith(bytes(data))
    assert resident_bytes(server) < memory + MEMORY_BYTES
    for reader in readers:
        reader.close()
    wait_until("no file is open any more", lambda: open_images(server) == 0)
    wait_until("no connection is open any more", lambda: open_sockets(server) <= sockets + 1)


def slow_reader(server: Server, image: str) -> Exchange:
    reader = Exchange(server, f"GET /v2/images/{image}/file")
    reader.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
    return reader
