"""`glance-replicator` as a real process, between two services."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import httpx
from keystoneauth1.adapter import Adapter
from keystoneauth1.noauth import NoAuth
from keystoneauth1.session import Session

from glimpse.compute.images import ImageService
from tests.server import Server

OPEN = "[glimpse]\nauth_strategy = noauth\n"


def program() -> str:
    """Where the program is."""
    return str(Path(sys.executable).with_name("glance-replicator"))


def replicate(home: Path, *words: str, **environment: str) -> tuple[int, str, str]:
    """Run it to its end: its exit status, what it printed, and what it logged."""
    done = subprocess.run(
        [program(), *words],
        capture_output=True,
        text=True,
        timeout=120,
        env={
            **{name: value for name, value in os.environ.items() if not name.startswith("OS_")},
            "HOME": str(home),
            **environment,
        },
    )
    return done.returncode, done.stdout, done.stderr


def service(url: str) -> ImageService:
    """A client of a server that knows nobody."""
    return ImageService(Adapter(Session(NoAuth(url)), endpoint_override=f"{url}/v2"), chunk_size=64 * 1024)


def address(server: Server) -> str:
    """A server as operators name it."""
    return f"127.0.0.1:{server.port}"


class Answering(Protocol):
    """A server, of whichever kind."""

    @property
    def url(self) -> str:
        """Where it is."""
        ...


def ask(server: Answering, method: str, path: str, **how: Any) -> httpx.Response:
    """What a server answers, which must be a success."""
    answer = httpx.request(method, f"{server.url}/v2/images{path}", trust_env=False, timeout=60, **how)
    assert answer.is_success, answer.text
    return answer


def add(
    server: Answering, data: bytes | None, headers: Mapping[str, str] | None = None, **fields: Any
) -> dict[str, Any]:
    """An image, with its data if there is any; its document."""
    named = {"disk_format": "raw", "container_format": "bare", **fields}
    image: dict[str, Any] = ask(server, "POST", "", json=named, headers=headers).json()
    if data is not None:
        content = {"Content-Type": "application/octet-stream", **(headers or {})}
        ask(server, "PUT", f"/{image['id']}/file", content=data, headers=content)
        image = ask(server, "GET", f"/{image['id']}", headers=headers).json()
    return image


def show(server: Answering, image_id: str) -> dict[str, Any]:
    """The document of an image."""
    document: dict[str, Any] = ask(server, "GET", f"/{image_id}").json()
    return document


def data_of(server: Answering, image_id: str) -> bytes:
    """The data of an image."""
    return ask(server, "GET", f"/{image_id}/file").content


def everything(server: Server) -> set[str]:
    """All images, by their ids."""
    pages = ("?visibility=all", "?visibility=all&os_hidden=true")
    return {image["id"] for page in pages for image in ask(server, "GET", page).json()["images"]}
