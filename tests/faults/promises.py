"""What must be true after a fault, whatever it was."""

import sqlite3
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.server import Server

# Nothing here is timed: this is when a test gives up waiting for what must happen.
DEADLINE_SECONDS = 60.0

QUICK_LEASE = "[glimpse]\nlease_seconds = 1.5\n"

DATA = {"Content-Type": "application/octet-stream"}
RAW = {"disk_format": "raw", "container_format": "bare"}


def wait_until(what: str, true: Callable[[], bool]) -> None:
    """Wait until something has become true."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, f"in vain waited until {what}"
        time.sleep(0.1)


def new_image(api: httpx.Client, name: str = "image") -> str:
    """The id of a queued image."""
    answer = api.post("/v2/images", json={"name": name, **RAW})
    assert answer.status_code == 201, answer.text
    identity: str = answer.json()["id"]
    return identity


def upload(api: httpx.Client, image: str, data: bytes) -> None:
    """Upload, which must succeed."""
    answer = api.put(f"/v2/images/{image}/file", content=data, headers=DATA)
    assert answer.status_code == 204, answer.text


def stored(api: httpx.Client, data: bytes) -> str:
    """The id of an active image with this data."""
    image = new_image(api)
    upload(api, image, data)
    return image


def show(api: httpx.Client, image: str) -> dict[str, Any]:
    """The image's document."""
    answer = api.get(f"/v2/images/{image}")
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def has_status(api: httpx.Client, image: str, status: str) -> bool:
    """Whether that is the image's status now."""
    return bool(show(api, image)["status"] == status)


def all_images(api: httpx.Client) -> dict[str, dict[str, Any]]:
    """Every image, by its id."""
    found = {}
    url: str | None = "/v2/images?limit=500&sort=id:asc"
    while url:
        page = api.get(url).json()
        found.update({image["id"]: image for image in page["images"]})
        url = page.get("next")
    return found


def query(state: Path, statement: str) -> list[tuple[Any, ...]]:
    """Rows of the service's database."""
    connection = sqlite3.connect(f"file:{state / 'glimpse.db'}?mode=ro", uri=True, timeout=30)
    try:
        return connection.execute(statement).fetchall()
    finally:
        connection.close()


def intents(state: Path) -> list[tuple[Any, ...]]:
    """What workers have begun and not ended."""
    return query(state, "SELECT id, kind, image_id FROM glimpse_intents")


def files(state: Path) -> set[str]:
    """The names in the folder of the images."""
    return {path.name for path in (state / "images").iterdir()}


def is_settled(api: httpx.Client, state: Path) -> bool:
    """Whether nothing is under way any more."""
    return not intents(state) and all(image["status"] != "saving" for image in all_images(api).values())


def check_promises(server: Server, known: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Wait until all is settled. Then every image is active with the bytes that are `known` for it, or
    queued and without any; and the folder of the images holds the files of active ones and nothing else.
    """
    with server.client() as api:
        wait_until("everything is settled", lambda: is_settled(api, server.state))
        images = all_images(api)
        for identity, image in images.items():
            assert image["status"] in ("active", "queued"), image
            data = api.get(f"/v2/images/{identity}/file")
            if image["status"] == "active":
                assert (data.status_code, image["size"]) == (200, len(known[identity]))
                assert data.content == known[identity]
            else:
                assert (data.status_code, image["size"], image["checksum"]) == (204, None, None)
    check_files(server.state, {name for name, image in images.items() if image["status"] == "active"})
    return images


def check_files(state: Path, active: set[str]) -> None:
    """Owners have bytes, and bytes have owners."""
    rows = query(state, "SELECT image_id, value FROM image_locations WHERE deleted = 0")
    assert {row[0] for row in rows} == active
    assert {row[1].rpartition("/")[2] for row in rows} == files(state)
    assert len(rows) == len(active)
