"""Notifications on a real RabbitMQ: every event as it is documented, whatever happens to the bus."""

import os
import re
import socket
import sqlite3
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from glimpse.api.operations import PATCH_TYPES
from tests.listener import Listener, Message, listening, rabbitmq_url
from tests.relay import Relay
from tests.server import Server, free_port

pytestmark = pytest.mark.services

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "notifications.md"
SERVICES = Path(__file__).parents[2] / "services"
BROKER_PORT = 25850
DATA = bytes(range(256)) * 64
METADEFS = "/v2/metadefs/namespaces"
PREPARED = {"os_glance_importing_to_stores", "os_glance_failed_import", "backend"}


def _rows(heading: str) -> list[list[str]]:
    _, _, after = DOCUMENTATION.read_text().partition(heading)
    lines = re.split(r"\n\n", after.split("|---", 1)[1], maxsplit=1)[0].splitlines()[1:]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def documented() -> dict[str, set[str]]:
    """The fields of the payload of each event, by its type."""
    fields = {name: set(re.findall(r"`(\w+)`", text)) for name, text in _rows("| Payload | Fields |\n")}
    fields["as `image.prepare`"] = fields["image"] | PREPARED
    events = {}
    for event, _, payload in _rows("| Event | When | Payload |\n"):
        base = fields.get(payload) or fields.get(payload.partition(" ")[0], set())
        events[event.strip("`")] = base | set(re.findall(r"`(\w+)`", payload))
    return events


@pytest.fixture
def bus() -> Iterator[Relay]:
    """The way from the service to RabbitMQ."""
    relay = Relay(rabbitmq_url())
    yield relay
    relay.close()


@pytest.fixture
def listener() -> Iterator[Listener]:
    with listening(f"glimpse_{uuid.uuid4().hex[:8]}") as listener:
        yield listener


@pytest.fixture
def server(tmp_path: Path, bus: Relay, listener: Listener) -> Iterator[Server]:
    """A service that sends by the relay."""
    account = urlsplit(rabbitmq_url()).netloc.rpartition("@")[0]
    url = bus.url.replace("://", f"://{account}@")
    server = Server(
        tmp_path,
        "[oslo_messaging_notifications]\ndriver = messagingv2\n"
        f"topics = {listener.topic}\ntransport_url = {url}\n[glimpse]\nlease_seconds = 1\n",
    )
    server.start()
    yield server
    server.stop()


class Broker:
    """A RabbitMQ of its own, which can be ended and started again. It has three ports."""

    def __init__(self, folder: Path) -> None:
        self.url = f"rabbit://guest:guest@127.0.0.1:{BROKER_PORT}/"
        self._environment = {
            **os.environ,
            "GLIMPSE_SERVICES_DIR": str(folder),
            "GLIMPSE_RABBITMQ_PORT": str(BROKER_PORT),
        }

    def start(self) -> None:
        """Returns when it answers."""
        self._run("up")

    def stop(self) -> None:
        """Returns when it has ended."""
        self._run("down")

    def _run(self, program: str) -> None:
        subprocess.run(
            [SERVICES / program, "rabbitmq"], env=self._environment, check=True, capture_output=True
        )


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    rabbitmq_url()  # else RabbitMQ is not installed
    broker = Broker(tmp_path / "services")
    broker.start()
    yield broker
    broker.stop()


def change_name(client: httpx.Client, image: str, name: str) -> None:
    body = [{"op": "replace", "path": "/name", "value": name}]
    done = client.patch(f"/v2/images/{image}", json=body, headers={"Content-Type": PATCH_TYPES[1]})
    assert done.status_code == 200, done.text


def create(client: httpx.Client, **fields: object) -> str:
    document = {"disk_format": "raw", "container_format": "bare", **fields}
    return str(client.post("/v2/images", json=document).json()["id"])


def put(client: httpx.Client, path: str, data: bytes = DATA, size: str = "") -> int:
    sent = {"Content-Type": "application/octet-stream", **({"X-OpenStack-Image-Size": size} if size else {})}
    return client.put(path, content=data, headers=sent).status_code


def live(client: httpx.Client) -> None:
    """The life of an image."""
    image = create(client)
    assert put(client, f"/v2/images/{image}/file", size="5") == 400
    assert put(client, f"/v2/images/{image}/file") == 204
    assert client.get(f"/v2/images/{image}/file").content == DATA
    members = f"/v2/images/{image}/members"
    assert client.post(members, json={"member": "m"}).status_code == 200
    assert client.put(f"{members}/m", json={"status": "accepted"}).status_code == 200
    assert client.delete(f"{members}/m").status_code == 204
    assert client.delete(f"/v2/images/{image}").status_code == 204
    imported = create(client)
    assert put(client, f"/v2/images/{imported}/stage") == 204
    body = {"method": {"name": "glance-direct"}}
    assert client.post(f"/v2/images/{imported}/import", json=body).status_code == 202
    refused = client.post("/v2/tasks", json={"type": "location_import", "input": {}})
    assert refused.status_code == 201, refused.text


def define(client: httpx.Client) -> None:
    """The life of a namespace."""
    body = {
        "namespace": "N",
        "objects": [{"name": "o", "properties": {"p": {"title": "P", "type": "string"}}}],
        "properties": {"p": {"title": "P", "type": "string"}},
        "tags": [{"name": "t"}],
        "resource_type_associations": [{"name": "OS::Nova::Server", "prefix": "x_"}],
    }
    assert client.post(METADEFS, json=body).status_code == 201
    base = f"{METADEFS}/N"
    parts = {
        "objects/o": {"name": "o2"},
        "properties/p": {"name": "p2", "title": "P", "type": "string"},
        "tags/t": {"name": "t2"},
    }
    for path, wanted in parts.items():
        assert client.put(f"{base}/{path}", json=wanted).status_code == 200, path
        assert client.delete(f"{base}/{path}2").status_code == 204
        assert client.delete(f"{base}/{path.partition('/')[0]}").status_code == 204
    assert client.delete(f"{base}/resource_types/OS::Nova::Server").status_code == 204
    assert client.put(base, json={"namespace": "N2"}).status_code == 200
    assert client.delete(f"{METADEFS}/N2").status_code == 204


def ended(*types: str) -> Callable[[list[Message]], bool]:
    """Whether the last of these events came."""
    return lambda messages: set(types) <= {one["event_type"] for one in messages}


def backlog(server: Server) -> int:
    with closing(sqlite3.connect(server.state / "glimpse.db")) as connection:
        [count] = connection.execute("SELECT count(*) FROM glimpse_notifications").fetchone()
    return int(count)


def _check(messages: list[Message]) -> None:
    known = documented()
    assert {one["event_type"] for one in messages} == set(known)
    for one in messages:
        if one["priority"] == "ERROR":
            assert one["event_type"] == "image.upload"
            assert isinstance(one["payload"], str)
        else:
            assert set(one["payload"]) == known[one["event_type"]], one["event_type"]
        assert one["publisher_id"] == "image.localhost"


def test_every_event_comes_as_documented(server: Server, listener: Listener) -> None:
    with server.client() as client:
        live(client)
        define(client)
    _check(listener.wait(ended("metadef_namespace.delete", "task.success", "task.run")))


def test_every_event_comes_through_an_interruption(server: Server, listener: Listener, bus: Relay) -> None:
    with server.client() as client:
        live(client)
        listener.wait(ended("image.create"))
        bus.cut()
        define(client)
        image = create(client)
        for number in range(20):
            change_name(client, image, f"n{number}")
        deadline = time.monotonic() + 30
        while not backlog(server):
            assert time.monotonic() < deadline
            change_name(client, image, "once more")
        bus.join()
        change_name(client, image, "last")
    _check(listener.wait(lambda messages: _names(messages, image)[-1:] == ["last"]))
    names = _names(listener.messages, image)
    assert [name for name in names if name.startswith("n")] == [f"n{number}" for number in range(20)]
    server.stop()
    assert backlog(server) == 0


def test_nothing_is_lost_when_the_broker_is_restarted(tmp_path: Path, broker: Broker) -> None:
    """Nobody listens before it has come back: what it had taken by then was on its disk."""
    topic, port = "restart", free_port()
    server = Server(
        tmp_path / "glimpse",
        "[oslo_messaging_notifications]\ndriver = messagingv2\n"
        f"topics = {topic}\ntransport_url = {broker.url}\n"
        "[oslo_messaging_rabbit]\namqp_durable_queues = true\n"
        f"[glimpse]\nmetrics_port = {port}\n",
    )
    server.start()
    with server.client() as client:
        live(client)
        broker.stop()
        define(client)
        image = create(client)
        for number in range(20):
            change_name(client, image, f"n{number}")
        _until(lambda: backlog(server) >= 20)
        assert _waiting(port) == backlog(server)
        broker.start()
        change_name(client, image, "last")
        with listening(topic, broker.url) as late:
            _check(late.wait(lambda messages: _names(messages, image)[-1:] == ["last"]))
            names = _names(late.messages, image)
        _until(lambda: _waiting(port) == 0)
    server.stop()
    assert names == [*(f"n{number}" for number in range(20)), "last"]


def test_the_backlog_is_bounded_and_what_is_dropped_is_counted(tmp_path: Path) -> None:
    """Nobody listens on the broker's port."""
    port = free_port()
    server = Server(
        tmp_path,
        "[oslo_messaging_notifications]\ndriver = messagingv2\n"
        f"transport_url = rabbit://a:b@127.0.0.1:{free_port()}/\n"
        f"[glimpse]\nnotification_backlog = 100\nmetrics_port = {port}\n",
    )
    server.start()
    with server.client() as client:
        image = create(client)
        for number in range(150):
            change_name(client, image, f"n{number}")
        _until(lambda: "dropped" in _metrics(port))
        _until(lambda: _waiting(port) <= 100)
    server.stop()
    assert 0 < backlog(server) <= 100


def _metrics(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text


def _waiting(port: int) -> int:
    [value] = re.findall(r"^glimpse_notifications_waiting (\S+)$", _metrics(port), re.MULTILINE)
    return int(float(value))


def _until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _names(messages: list[Message], image: str) -> list[str]:
    return [
        one["payload"]["name"] or ""
        for one in messages
        if one["event_type"] == "image.update" and one["payload"]["id"] == image
    ]


@pytest.mark.parametrize("end", ["stop", "kill"])
def test_what_waits_outlives_the_service(server: Server, listener: Listener, bus: Relay, end: str) -> None:
    bus.cut()
    with server.client() as client:
        image = create(client)
        change_name(client, image, "a")
        deadline = time.monotonic() + 30
        while end == "kill" and backlog(server) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    getattr(server, end)()
    assert backlog(server) == 2
    bus.join()
    server.start()
    listener.wait(lambda messages: len(messages) == 2)
    assert listener.types() == ["image.create", "image.update"]


def test_a_bus_that_hangs_keeps_nobody_waiting(tmp_path: Path, listener: Listener, bus: Relay) -> None:
    """It takes connections, and says nothing."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=16)) as silent:
        port = silent.getsockname()[1]
        server = Server(
            tmp_path,
            "[oslo_messaging_notifications]\ndriver = messagingv2\n"
            f"topics = {listener.topic}\ntransport_url = rabbit://a:b@127.0.0.1:{port}/\n",
        )
        server.start()
        with server.client() as client:
            image = create(client)
            for number in range(30):
                change_name(client, image, f"n{number}")
        server.stop()
    assert backlog(server) == 31


def test_a_driver_that_does_not_exist(tmp_path: Path) -> None:
    server = Server(tmp_path, "[oslo_messaging_notifications]\ndriver = pigeon\n")
    with pytest.raises(AssertionError, match="'pigeon'"):
        server.start()


def test_a_download_that_is_broken_off(server: Server, listener: Listener) -> None:
    size = 64 * 2**20
    with server.client() as client:
        image = create(client)
        assert put(client, f"/v2/images/{image}/file", bytes(size)) == 204
        with client.stream("GET", f"/v2/images/{image}/file") as answer:
            next(answer.iter_raw())
    [sent] = [one for one in listener.wait(ended("image.send")) if one["event_type"] == "image.send"]
    assert sent["priority"] == "ERROR"
    assert 0 < sent["payload"]["bytes_sent"] < size
