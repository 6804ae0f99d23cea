"""What python-glanceclient does. Run as: program, case, endpoint, password, file of an image."""

import contextlib
import hashlib
import io
import subprocess
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import glanceclient
import glanceclient.exc
from glanceclient.common.progressbar import VerboseFileWrapper
from keystoneauth1.http_basic import HTTPBasicAuth
from keystoneauth1.session import Session

Client = Any


def create_by_the_schema(client: Client, disk: Path) -> None:
    image = client.images.create(
        name="warlock ♫", disk_format="qcow2", container_format="bare", tags=["one"], colour="red", min_ram=64
    )
    assert (image.status, image.owner, image.colour) == ("queued", "admin", "red")
    # The model is made from the schema that the service serves, and refuses what the schema refuses.
    for wrong in ({"disk_format": "clay"}, {"min_ram": "much"}, {"visibility": "half"}, {"id": 7}):
        try:
            client.images.create(name="wrong", **wrong)
        except TypeError:
            continue
        raise AssertionError(f"the schema allows {wrong}")


def upload_with_progress(client: Client, disk: Path) -> None:
    image = _queued(client)
    shown = _Terminal()
    with disk.open("rb") as file, contextlib.redirect_stdout(shown):
        client.images.upload(image.id, VerboseFileWrapper(file, disk.stat().st_size))
    assert "100%" in shown.getvalue()
    described = client.images.get(image.id)
    assert (described.status, described.size) == ("active", disk.stat().st_size)
    assert described.virtual_size == 64 * 1024 * 1024


def upload_of_unknown_size(client: Client, disk: Path) -> None:
    image = _queued(client)
    with subprocess.Popen(["cat", disk], stdout=subprocess.PIPE) as pipe:
        client.images.upload(image.id, pipe.stdout)
    assert client.images.get(image.id).size == disk.stat().st_size


def download_with_hash_check(client: Client, disk: Path) -> None:
    image = _uploaded(client, disk)
    assert image.os_hash_algo == "sha512"
    body = client.images.data(image.id, do_checksum=True)
    data = b"".join(body)
    assert len(body) == len(data) == disk.stat().st_size
    assert data == disk.read_bytes()
    assert hashlib.md5(data, usedforsecurity=False).hexdigest() == image.checksum


def download_without_data(client: Client, disk: Path) -> None:
    assert client.images.data(_queued(client).id).wrapped is None


def update(client: Client, disk: Path) -> None:
    image = client.images.create(name="old", shape="round", colour="red")
    client.images.update(
        image.id, remove_props=["shape"], name="new", colour="blue", tags=["x"], taste="sweet"
    )
    shown = client.images.get(image.id)
    assert (shown.name, shown.colour, shown.taste, shown.tags) == ("new", "blue", "sweet", ["x"])
    assert "shape" not in shown


def image_tags(client: Client, disk: Path) -> None:
    image = client.images.create(name="tagged")
    client.image_tags.update(image.id, "first")
    client.image_tags.update(image.id, "second")
    client.image_tags.delete(image.id, "first")
    assert client.images.get(image.id).tags == ["second"]


def image_members(client: Client, disk: Path) -> None:
    image = client.images.create(name="shared")
    created = client.image_members.create(image.id, "somebody")
    assert (created.member_id, created.status) == ("somebody", "pending")
    assert client.image_members.update(image.id, "somebody", "accepted").status == "accepted"
    assert [m.member_id for m in client.image_members.list(image.id)] == ["somebody"]
    client.image_members.delete(image.id, "somebody")
    assert list(client.image_members.list(image.id)) == []


def listing(client: Client, disk: Path) -> None:
    word = uuid4().hex
    made = [client.images.create(name=f"{word}-{n:02}", tags=[word], colour=word).id for n in range(30)]
    by_tag = client.images.list(filters={"tag": [word]}, sort="name:asc", page_size=7)
    assert [image.id for image in by_tag] == made
    assert len(list(client.images.list(filters={"colour": word}, limit=11))) == 11
    by_name = client.images.list(filters={"name": f"{word}-03"})
    assert [image.id for image in by_name] == [made[3]]


def deactivate_and_reactivate(client: Client, disk: Path) -> None:
    image = _uploaded(client, disk)
    client.images.deactivate(image.id)
    assert client.images.get(image.id).status == "deactivated"
    client.images.reactivate(image.id)
    assert client.images.get(image.id).status == "active"


def delete(client: Client, disk: Path) -> None:
    image = _uploaded(client, disk)
    client.images.delete(image.id)
    try:
        client.images.get(image.id)
    except glanceclient.exc.HTTPNotFound:
        return
    raise AssertionError("an image was found that is deleted")


def schemas(client: Client, disk: Path) -> None:
    for name in ("image", "images", "member", "members"):
        schema = client.schemas.get(name)
        assert schema.name == name
        assert list(schema.properties)


class _Terminal(io.StringIO):
    """The progress bar is only drawn for somebody who can see it."""

    def isatty(self) -> bool:
        return True


def _queued(client: Client) -> Any:
    return client.images.create(name=f"image-{uuid4()}", disk_format="qcow2", container_format="bare")


def _uploaded(client: Client, disk: Path) -> Any:
    image = _queued(client)
    with disk.open("rb") as file:
        client.images.upload(image.id, file)
    return client.images.get(image.id)


if __name__ == "__main__":
    case, endpoint, password, disk_name = sys.argv[1:]
    auth = HTTPBasicAuth(endpoint=endpoint, username="admin", password=password)
    globals()[case](glanceclient.Client("2", session=Session(auth=auth)), Path(disk_name))
