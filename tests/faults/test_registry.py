"""kill -9 of the registry in the midst of requests; and a node that the registry does not know."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.clients.process import Options, Running
from tests.faults.promises import DATA, RAW, check_promises, show, wait_until
from tests.registry import SECRET, glance_registry
from tests.server import Server, free_port

pytestmark = pytest.mark.faults

KILLS = max(1, int(os.environ.get("GLIMPSE_KILLS", "30")) // 30)
CLIENTS = 4
SEED = 9191


def node(folder: Path, name: str, port: int, secret: str = SECRET, lease: float = 1.5) -> Server:
    """A standalone node behind the registry, with the images in the folder of the node "one"."""
    return Server(
        folder / name,
        f"data_api = glance.db.registry.api\nregistry_port = {port}\n"
        f"[glance_store]\nfilesystem_store_datadir = {folder / 'one' / 'images'}\n"
        f"[glimpse]\nlease_seconds = {lease}\nregistry_secret = {secret}\n",
    )


@contextlib.contextmanager
def nodes(folder: Path, port: int) -> Iterator[tuple[Server, Server]]:
    made = node(folder, "one", port), node(folder, "two", port)
    with contextlib.ExitStack() as stack:
        for each in made:
            stack.callback(each.stop)
            each.start()
        yield made


def registry(folder: Path, port: int) -> contextlib.AbstractContextManager[Running]:
    """One whose database is where a node would have its own."""
    database = folder / "one" / "glimpse.db"
    options: Options = {
        "database": {"connection": f"sqlite:///{database}"},
        "glimpse": {"registry_secret": SECRET},
    }
    return glance_registry(folder / "registry", port, options)


@dataclass
class Clients:
    """Clients that create, upload and delete until they are told to end, and what they were promised."""

    sent: dict[str, bytes] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    end: threading.Event = field(default_factory=threading.Event)

    def work(self, server: Server, seed: int) -> None:
        """What one client does."""
        chance = random.Random(seed)
        with server.client() as api:
            while not self.end.is_set():
                self._one_image(api, chance)

    def _one_image(self, api: httpx.Client, chance: random.Random) -> None:
        made = self._ask(api, "POST", "/v2/images", json=RAW)
        if made.status_code != 201:
            return
        image = made.json()["id"]
        data = self.sent[image] = chance.randbytes(chance.choice((10, 50_000)))
        path = f"/v2/images/{image}"
        if self._ask(api, "PUT", f"{path}/file", content=data, headers=DATA).status_code != 204:
            return
        self.active.add(image)
        if chance.random() < 0.5:
            # Without an answer it may have been deleted, or not.
            self.active.remove(image)
            if self._ask(api, "DELETE", path).status_code == 204:
                self.deleted.add(image)

    def _ask(self, api: httpx.Client, method: str, path: str, **said: object) -> httpx.Response:
        answer = api.request(method, path, **said)  # type: ignore[arg-type]
        assert answer.status_code in (201, 204, 503), (method, path, answer.text)
        assert (answer.status_code == 503) == ("retry-after" in answer.headers)
        self.statuses[answer.status_code] += 1
        if answer.status_code == 503:
            self.end.wait(0.2)
        return answer

    def wait_for_more(self, status: int) -> None:
        """Wait until answers of this status have come, since now."""
        before = self.statuses[status]
        wait_until(f"there are answers {status}", lambda: self.statuses[status] > before + CLIENTS)


def test_the_registry_is_killed_in_the_midst_of_requests(tmp_path: Path) -> None:
    port, clients = free_port(), Clients()
    with nodes(tmp_path, port) as both, ThreadPoolExecutor(CLIENTS) as pool:
        for each in both:  # the first request pays for the password
            with each.client() as api:
                assert api.get("/v2/images").status_code == 503
        working = [pool.submit(clients.work, both[n % 2], SEED + n) for n in range(CLIENTS)]
        try:
            for _ in range(KILLS):
                clients.wait_for_more(503)
                with registry(tmp_path, port) as running:
                    clients.wait_for_more(204)
                    os.killpg(running.process.pid, signal.SIGKILL)
            clients.wait_for_more(503)
        finally:
            clients.end.set()
        for done in working:
            done.result()
        with registry(tmp_path, port):
            images = check_promises(both[0], clients.sent)
            assert all(images[image]["status"] == "active" for image in clients.active)
            assert clients.deleted
            assert not clients.deleted & images.keys()
            with both[1].client() as api:
                assert show(api, next(iter(clients.active)))["status"] == "active"


def test_a_node_with_the_wrong_secret(tmp_path: Path) -> None:
    port, wrong = free_port(), "another-secret-that-nobody-can-guess"
    (tmp_path / "one").mkdir()
    stranger = node(tmp_path, "stranger", port, wrong)
    with registry(tmp_path, port), contextlib.ExitStack() as stack:
        stack.callback(stranger.stop)
        stranger.start()
        with stranger.client() as api:
            refused = api.post("/v2/images", json=RAW)
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            assert api.get("/healthcheck").status_code == 503
        assert "refuses this node: The registry_secret is another one here." in stranger.log()
        status, file = Path(sys.executable).with_name("glance-status"), stranger.state / "glimpse.conf"
        command = [str(status), "--config-file", str(file), "upgrade", "check"]
        checked = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert (checked.returncode, "refuses this node" in checked.stdout) == (2, True), checked
        for said in (stranger.log(), refused.text, checked.stdout, checked.stderr):
            assert wrong not in said
            assert SECRET not in said
