"""The Image API v1 over a real socket: headers as bytes, which clients' libraries would not send."""

import http.client
import socket
from collections.abc import Iterator

import pytest

from tests.server import Server, running

pytestmark = pytest.mark.clients

FORMATS = b"x-image-meta-disk_format: raw\r\nx-image-meta-container_format: bare\r\n"


@pytest.fixture(scope="module")
def old_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that answers the API v1."""
    with running(tmp_path_factory.mktemp("wire") / "glimpse", "[DEFAULT]\nenable_v1_api = true\n") as started:
        yield started


def ask(server: Server, line: bytes, headers: bytes, data: bytes = b"") -> http.client.HTTPResponse:
    """The answer to a request that is sent as it is."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        [(name, value)] = server.authorization.items()
        common = f"Host: x\r\n{name}: {value}\r\nContent-Length: {len(data)}\r\nConnection: close\r\n"
        connection.sendall(line + b" HTTP/1.1\r\n" + common.encode() + headers + b"\r\n" + data)
        answer = http.client.HTTPResponse(connection, method=line.split()[0].decode())
        answer.begin()
        answer.body = answer.read()  # type: ignore[attr-defined]
    return answer


def listed(server: Server) -> list[str]:
    """The names of all images."""
    with server.client() as client:
        found = client.get("/v1/images", params={"is_public": "none", "limit": 100}).json()["images"]
    return sorted(one["name"] for one in found)


def test_names_beyond_ascii(old_server: Server) -> None:
    name = "größe ♫".encode()
    headers = FORMATS + b"x-image-meta-name: " + name + b"\r\nx-image-meta-property-city: Z\xc3\xbcrich\r\n"
    data = headers + b"Content-Type: application/octet-stream\r\n"
    answer = ask(old_server, b"POST /v1/images", data, b"12345")
    assert answer.status == 201
    path = str(answer.headers["Location"]).partition("/v1")[2].encode()
    shown = ask(old_server, b"HEAD /v1" + path, b"")
    assert shown.headers["x-image-meta-name"].encode("latin-1") == name
    assert shown.headers["x-image-meta-property-city"].encode("latin-1") == "Zürich".encode()
    fetched = ask(old_server, b"GET /v1" + path, b"")
    assert (fetched.status, fetched.body) == (200, b"12345")  # type: ignore[attr-defined]
    assert fetched.headers["x-image-meta-name"].encode("latin-1") == name


@pytest.mark.parametrize(
    "header",
    [
        b"x-image-meta-name: a\x00b",
        b"x-image-meta-name: a%00b\r\nUser-Agent: python-glanceclient",
        b"x-image-meta-name: \xff\xfe",
        b"x-image-meta-property-p: a\x00b",
        b"x-image-meta-property-p: \xc3",
        b"x-image-meta-property-\xc3\xbc: x",
        b"x-image-meta-property-a\x00b: x",
        b"x-image-meta-min_ram: \xd9\xa3",
        b"x-image-meta-name: a\r\nx-image-meta-name: b",
    ],
)
def test_bytes_that_are_no_text(old_server: Server, header: bytes) -> None:
    before = listed(old_server)
    assert ask(old_server, b"POST /v1/images", FORMATS + header + b"\r\n").status == 400
    assert listed(old_server) == before
