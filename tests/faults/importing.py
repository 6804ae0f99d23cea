"""Servers with two stores that import, and what must be true of them after a fault."""

import json
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.faults.promises import RAW, all_images, intents, query, wait_until
from tests.faults.wire import Exchange
from tests.server import Server
from tests.sources import Handler

STORES = ("one", "two")
_RESTING = frozenset({"active", "queued", "uploading"})


def import_options(state: Path, more: str = "") -> str:
    """A short lease, two stores in the state folder, and sources on the loopback."""
    folders = "".join(f"[{name}]\nfilesystem_store_datadir = {state / name}\n" for name in STORES)
    return (
        "enabled_backends = one:file, two:file\n[glance_store]\ndefault_backend = one\n"
        f"{folders}[glimpse]\nlease_seconds = 2\n"
        f"[import_filtering_opts]\nallowed_hosts = 127.0.0.1\nallowed_ports =\n{more}"
    )


def slowly(data: bytes, pieces: int = 8, pause: float = 0.02) -> Any:
    """A page with this data that takes its time."""

    def page(handler: Handler) -> None:
        handler.begin(200, Content_Length=str(len(data)), ETag='"one"')
        if handler.command == "GET":
            size = -(-len(data) // pieces)
            for at in range(0, len(data), size):
                handler.wfile.write(data[at : at + size])
                time.sleep(pause)

    return page


def web(uri: str, **wanted: Any) -> dict[str, Any]:
    """What asks for a download."""
    return {"method": {"name": "web-download", "uri": uri}, **wanted}


def method(name: str, **wanted: Any) -> dict[str, Any]:
    """What asks for an import by a method that needs no more words."""
    return {"method": {"name": name}, **wanted}


class Import(Exchange):
    """A POST that begins an import, whose answer may be read later or never come."""

    def __init__(self, server: Server, image: str, wanted: Mapping[str, Any]) -> None:
        body = json.dumps(wanted).encode()
        length, media = f"Content-Length: {len(body)}", "Content-Type: application/json"
        super().__init__(server, f"POST /v2/images/{image}/import", length, media)
        self.write(body)


def begin(api: httpx.Client, image: str, wanted: Mapping[str, Any]) -> None:
    """Begin an import, which must be taken on."""
    answer = api.post(f"/v2/images/{image}/import", json=wanted)
    assert answer.status_code == 202, answer.text


def stage(api: httpx.Client, data: bytes, disk_format: str = "raw") -> str:
    """The id of an image with staged data."""
    created = api.post("/v2/images", json={**RAW, "disk_format": disk_format})
    image = str(created.json()["id"])
    headers = {"Content-Type": "application/octet-stream"}
    answer = api.put(f"/v2/images/{image}/stage", content=data, headers=headers)
    assert answer.status_code == 204, answer.text
    return image


def jobs(state: Path) -> set[str]:
    """The images of which imports are not done."""
    return {row[0] for row in query(state, "SELECT subject FROM glimpse_jobs")}


def staged_images(state: Path) -> set[str]:
    """The images that have staged data."""
    return {row[0] for row in query(state, "SELECT image_id FROM glimpse_staged")}


def is_idle(api: httpx.Client, state: Path) -> bool:
    """Whether nothing is under way any more."""
    if intents(state) or jobs(state):
        return False
    staged = staged_images(state)
    return all(
        image["status"] in _RESTING and (image["status"] == "uploading") == (identity in staged)
        for identity, image in all_images(api).items()
    )


def check_imports(server: Server, known: Mapping[str, bytes]) -> dict[str, dict[str, Any]]:
    """Wait until nothing is under way. Then every image is active with the bytes that are `known` for it, in
    all the stores that it names; or it waits for its import; or it is queued, with nothing. No store holds
    anything else.
    """
    with server.client() as api:
        wait_until("everything is settled", lambda: is_idle(api, server.state))
        images = all_images(api)
        for identity, image in images.items():
            data = api.get(f"/v2/images/{identity}/file")
            if image["status"] == "active":
                assert (data.status_code, image["size"]) == (200, len(known[identity])), image
                assert data.content == known[identity]
            else:
                assert (data.status_code, image["checksum"]) == (204, None), image
            assert "os_glance_import_task" not in image
            assert not image.get("os_glance_importing_to_stores")
    check_stores(server.state, known)
    return images


def check_stores(state: Path, known: Mapping[str, bytes]) -> None:
    """Owners have bytes, in every store, and bytes have owners."""
    owned = query(state, "SELECT image_id, value FROM image_locations WHERE deleted = 0")
    owned += query(state, "SELECT image_id, url FROM glimpse_staged")
    files = {str(path) for name in STORES for path in (state / name).iterdir()}
    assert sorted(row[1].removeprefix("file://") for row in owned) == sorted(files)
    for image, url in query(state, "SELECT image_id, value FROM image_locations WHERE deleted = 0"):
        assert Path(url.removeprefix("file://")).read_bytes() == known[image]


def failed_tasks(api: httpx.Client, images: Collection[str]) -> list[str]:
    """Why imports of these images have failed."""
    tasks = [task for image in images for task in api.get(f"/v2/images/{image}/tasks").json()["tasks"]]
    return [task["message"] for task in tasks if task["status"] == "failure"]


@contextmanager
def another(server: Server, name: str) -> Iterator[Server]:
    """A server more on the state of `server`, which is killed in the end if it still lives."""
    more = Server(server.state, server.extra, name=name, token=server.token)
    more.start()
    try:
        with more.client() as api:  # the first request pays for the password
            answer = api.get("/v2/images", params={"limit": 1})
            assert answer.status_code == 200, answer.text
        yield more
    finally:
        more.kill()
