"""What openstacksdk does with the stores of a service. Run as: program, case, endpoint, password, file of an
image, and what else the case needs. It ends by printing the locations that the image had, as JSON.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import openstack

Connection = Any
PATCH = "application/openstack-images-v2.1-json-patch"


def life(connection: Connection, disk: Path) -> None:
    image = _queued(connection)
    with disk.open("rb") as file:
        image.data = file
        image.upload(connection.image)
    shown = connection.image.get_image(image.id)
    assert (shown.status, shown.size) == ("active", disk.stat().st_size)
    _read(connection, image.id, disk)
    _delete(connection, image.id)
    _tell(shown)


def copies_in_all_stores(connection: Connection, disk: Path, folder: str) -> None:
    image = _queued(connection)
    connection.image.stage_image(image, filename=str(disk))
    connection.image.import_image(image, method="glance-direct", all_stores=True)
    shown = _active(connection, image.id)
    assert len(shown.locations) == 2
    _read(connection, image.id, disk)
    Path(folder, image.id).unlink()
    _read(connection, image.id, disk)
    _delete(connection, image.id)
    _tell(shown)


def web_location(connection: Connection, disk: Path, url: str) -> None:
    image = _queued(connection)
    added = {"op": "add", "path": "/locations/-", "value": {"url": url, "metadata": {"store": "web"}}}
    done = connection.image.patch(
        f"/images/{image.id}", data=json.dumps([added]), headers={"Content-Type": PATCH}
    )
    assert done.status_code == 200, done.text
    shown = connection.image.get_image(image.id)
    assert (shown.status, shown.size) == ("active", disk.stat().st_size)
    _read(connection, image.id, disk, digests=False)
    _delete(connection, image.id)
    _tell(shown)


def web_takes_nothing(connection: Connection, disk: Path, store: str) -> None:
    image = _queued(connection)
    file = f"/images/{image.id}/file"
    kind = "application/octet-stream"
    done = connection.image.put(file, data=b"x", headers={"Content-Type": kind, "X-Image-Meta-Store": store})
    assert done.status_code == 400, done.text
    assert "takes no data" in done.text
    _delete(connection, image.id)
    _tell(image)


def _read(connection: Connection, image_id: str, disk: Path, *, digests: bool = True) -> None:
    """The whole and two ranges, one of them up to the end."""
    data = disk.read_bytes()
    if digests:
        # This client compares what came with the image's digest.
        assert connection.image.download_image(image_id).content == data
    for asked, expected in (
        ("", data),
        ("bytes=70000-1900000", data[70_000:1_900_001]),
        ("bytes=-1000", data[-1000:]),
    ):
        headers = {"Range": asked} if asked else {}
        answer = connection.image.get(f"/images/{image_id}/file", headers=headers)
        assert answer.status_code == (206 if asked else 200)
        assert answer.content == expected


def _active(connection: Connection, image_id: str) -> Any:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        shown = connection.image.get_image(image_id)
        if shown.status == "active":
            return shown
        time.sleep(0.1)
    raise AssertionError(f"the image is {shown.status}")


def _delete(connection: Connection, image_id: str) -> None:
    connection.image.delete_image(image_id, ignore_missing=False)
    assert connection.image.find_image(image_id) is None


def _queued(connection: Connection) -> Any:
    return connection.image.create_image(
        f"stored-{uuid4()}", disk_format="qcow2", container_format="bare", allow_duplicates=True
    )


def _tell(image: Any) -> None:
    sys.stdout.write(json.dumps(image.locations or []))


if __name__ == "__main__":
    case, endpoint, password, disk_name, *more = sys.argv[1:]
    auth = {"endpoint": endpoint, "username": "admin", "password": password}
    globals()[case](openstack.connect(auth_type="http_basic", auth=auth), Path(disk_name), *more)
