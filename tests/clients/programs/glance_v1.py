"""What python-glanceclient does by the Image API v1. Run as: program, case, endpoint, file of an image."""

import hashlib
import sys
from pathlib import Path
from typing import Any

import glanceclient
import glanceclient.exc

Client = Any


def create_with_data(client: Client, disk: Path) -> None:
    with disk.open("rb") as file:
        image = client.images.create(
            name="größe 1 ♫",
            disk_format="qcow2",
            container_format="bare",
            min_ram=64,
            protected=True,
            properties={"city": "Zürich", "share": "100%"},
            data=file,
        )
    assert (image.status, image.size, image.name) == ("active", disk.stat().st_size, "größe 1 ♫")
    shown = client.images.get(image.id)
    assert (shown.status, shown.min_ram, shown.protected, shown.is_public) == ("active", 64, True, False)
    # The client reads what is not ASCII in headers as if it were Latin-1; in lists it is right.
    assert shown.properties == {"city": "Zürich".encode().decode("latin-1"), "share": "100%"}
    [listed] = [one for one in client.images.list(is_public=None) if one.id == image.id]
    assert (listed.name, listed.properties) == ("größe 1 ♫", {"city": "Zürich", "share": "100%"})
    data = b"".join(client.images.data(image.id))
    assert hashlib.sha256(data).digest() == hashlib.sha256(disk.read_bytes()).digest()
    _refused(lambda: client.images.delete(image.id))
    client.images.update(image.id, protected=False)
    client.images.delete(image.id)
    _refused(lambda: client.images.get(image.id))


def reserve_and_upload(client: Client, disk: Path) -> None:
    image = client.images.create(name="later", disk_format="qcow2", container_format="bare")
    assert image.status == "queued"
    with disk.open("rb") as file:
        image = client.images.update(image.id, data=file)
    assert (image.status, image.size) == ("active", disk.stat().st_size)
    with disk.open("rb") as file:
        _refused(lambda: client.images.update(image.id, data=file))


def properties_are_purged(client: Client, disk: Path) -> None:
    image = client.images.create(name="p", properties={"a": "1", "b": "2"})
    image = client.images.update(image.id, properties={"c": "3"})
    assert image.properties == {"a": "1", "b": "2", "c": "3"}
    image = client.images.update(image.id, properties={"c": "3"}, purge_props=True)
    assert image.properties == {"c": "3"}


def list_in_pages(client: Client, disk: Path) -> None:
    made = {client.images.create(name=f"page {number}", properties={"set": "list"}).id for number in range(5)}
    query = {"is_public": None, "filters": {"property-set": "list"}}
    found = [image.id for image in client.images.list(page_size=2, **query)]
    assert (set(found), len(found)) == (made, 5)
    names = [image.name for image in client.images.list(sort_key="name", sort_dir="asc", **query)]
    assert names == [f"page {number}" for number in range(5)]


def share(client: Client, disk: Path) -> None:
    image = client.images.create(name="shared")
    client.image_members.create(image, "b")
    client.image_members.replace(image, [{"member_id": "c", "can_share": True}, {"member_id": "d"}])
    found = client.image_members.list(image=image)
    assert {one.member_id: one.can_share for one in found} == {"c": True, "d": False}
    client.image_members.delete(image.id, "d")
    shared = client.image_members.list(member="c")
    assert [(one.image_id, one.can_share) for one in shared] == [(image.id, True)]


def copy_from_a_forbidden_host(client: Client, disk: Path) -> None:
    _refused(
        lambda: client.images.create(
            name="x",
            disk_format="raw",
            container_format="bare",
            copy_from="http://169.254.169.254/latest?x=y",
        )
    )


def _refused(call: Any) -> None:
    try:
        call()
    except glanceclient.exc.HTTPException:
        return
    raise AssertionError("it was not refused")


if __name__ == "__main__":
    _, case, endpoint, disk = sys.argv
    globals()[case](glanceclient.Client("1", endpoint, token="any"), Path(disk))
