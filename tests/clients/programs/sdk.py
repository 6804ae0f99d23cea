"""What openstacksdk does with a service. Run as: program, case, endpoint, password, file of an image."""

import hashlib
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import openstack
import openstack.exceptions

Connection = Any


def create_from_file(connection: Connection, disk: Path) -> None:
    data = disk.read_bytes()
    md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"file-{uuid4()}"
    image = connection.create_image(
        name,
        filename=str(disk),
        disk_format="qcow2",
        container_format="bare",
        tags=["made"],
        md5=md5,
        sha256=sha256,
        validate_checksum=True,
        wait=True,
        os_distro="debian",
    )
    assert image.status == "active"
    assert image.size == len(data)
    assert image.virtual_size == 64 * 1024 * 1024
    assert image.checksum == md5
    assert image.hash_algo == "sha512"
    assert image.hash_value == hashlib.sha512(data).hexdigest()
    assert image.tags == ["made"]
    assert image.properties["owner_specified.openstack.md5"] == md5
    assert image.properties["owner_specified.openstack.sha256"] == sha256
    assert image.os_distro == "debian"
    # The same file once more is recognised by these properties, and not sent again.
    again = connection.create_image(name, filename=str(disk), md5=md5, sha256=sha256, wait=True)
    assert again.id == image.id


def download_whole_with_hash_check(connection: Connection, disk: Path) -> None:
    image = _uploaded(connection, disk)
    response = connection.image.download_image(image)
    assert response.content == disk.read_bytes()


def download_to_a_file_with_hash_check(connection: Connection, disk: Path) -> None:
    image = _uploaded(connection, disk)
    copy = Path.cwd() / f"copy-{uuid4()}"
    connection.image.download_image(image, output=str(copy), chunk_size=100_000)
    assert copy.read_bytes() == disk.read_bytes()
    connection.download_image(image.id, output_path=str(copy))
    assert copy.read_bytes() == disk.read_bytes()


def download_in_chunks(connection: Connection, disk: Path) -> None:
    image = _uploaded(connection, disk)
    response = connection.image.download_image(image, stream=True)
    digest = hashlib.new(image.hash_algo)
    size = 0
    for chunk in response.iter_content(chunk_size=77_777):
        size += len(chunk)
        digest.update(chunk)
    assert size == disk.stat().st_size
    assert digest.hexdigest() == image.hash_value
    assert response.headers["Content-MD5"] == image.checksum


def upload_to_a_queued_image(connection: Connection, disk: Path) -> None:
    image = connection.image.create_image(
        f"queued-{uuid4()}", disk_format="qcow2", container_format="bare", allow_duplicates=True
    )
    assert image.status == "queued"
    with disk.open("rb") as file:
        image.data = file
        image.upload(connection.image)
    shown = connection.image.get_image(image.id)
    assert (shown.status, shown.size) == ("active", disk.stat().st_size)


def upload_image(connection: Connection, disk: Path) -> None:
    image = connection.image.upload_image("bare", "qcow2", disk.read_bytes(), name=f"upload-{uuid4()}")
    assert connection.image.get_image(image.id).status == "active"


def images_by_filters(connection: Connection, disk: Path) -> None:
    word = uuid4().hex
    here = [_queued(connection, f"{word}-{n}", tags=[word]) for n in range(3)]
    everything = {image.id for image in here}
    assert {i.id for i in connection.image.images(tag=word)} == everything
    assert [i.id for i in connection.image.images(name=f"{word}-1")] == [here[1].id]
    assert {i.id for i in connection.image.images(tag=[word], status="queued")} == everything
    assert list(connection.image.images(tag=word, status="active")) == []
    assert {i.id for i in connection.image.images(tag=word, visibility="shared")} == everything
    named = [i.name for i in connection.image.images(tag=word, sort="name:desc")]
    assert named == [f"{word}-{n}" for n in (2, 1, 0)]


def find(connection: Connection, disk: Path) -> None:
    image = _queued(connection, f"found-{uuid4()}")
    assert connection.image.find_image(image.name).id == image.id
    assert connection.image.find_image(image.id).id == image.id
    assert connection.get_image(image.name).id == image.id
    assert connection.image.find_image("there is none") is None
    try:
        connection.image.get_image(str(uuid4()))
    except openstack.exceptions.NotFoundException:
        return
    raise AssertionError("an image was found that is not there")


def update(connection: Connection, disk: Path) -> None:
    image = _queued(connection, f"before-{uuid4()}", shape="round", colour="red")
    # This client removes the properties that it is not told about.
    connection.image.update_image(image, name="after", min_ram=64, colour="blue", is_protected=True)
    shown = connection.image.get_image(image.id)
    assert (shown.name, shown.min_ram, shown.is_protected) == ("after", 64, True)
    assert shown.properties == {"colour": "blue"}
    connection.image.update_image_properties(shown, taste="sweet")
    assert connection.image.get_image(image.id).properties == {"colour": "blue", "taste": "sweet"}


def tags(connection: Connection, disk: Path) -> None:
    image = _queued(connection, f"tagged-{uuid4()}", tags=["one"])
    connection.image.add_tag(image, "two ♫")
    connection.image.remove_tag(image, "one")
    assert connection.image.get_image(image.id).tags == ["two ♫"]


def members(connection: Connection, disk: Path) -> None:
    image = _queued(connection, f"shared-{uuid4()}")
    connection.image.add_member(image, member="first")
    connection.image.add_member(image, member_id="second")
    assert [m.member_id for m in connection.image.members(image)] == ["first", "second"]
    connection.image.update_member("first", image, status="accepted")
    assert connection.image.get_member("first", image).status == "accepted"
    connection.image.remove_member("second", image, ignore_missing=False)
    assert [m.member_id for m in connection.image.members(image)] == ["first"]


def deactivate_and_reactivate(connection: Connection, disk: Path) -> None:
    image = _uploaded(connection, disk)
    connection.image.deactivate_image(image)
    assert connection.image.get_image(image.id).status == "deactivated"
    connection.image.reactivate_image(image)
    assert connection.image.get_image(image.id).status == "active"


def delete(connection: Connection, disk: Path) -> None:
    image = _uploaded(connection, disk)
    connection.image.delete_image(image, ignore_missing=False)
    assert connection.image.find_image(image.id) is None
    assert connection.delete_image(_queued(connection, f"doomed-{uuid4()}").name)


def paging(connection: Connection, disk: Path) -> None:
    word = uuid4().hex
    made = [_queued(connection, f"{word}-{n:02}", tags=[word]).id for n in range(60)]
    # More than the 25 of a page when nothing is said, and pages of a size that does not divide them.
    assert sorted(i.id for i in connection.image.images(tag=word)) == sorted(made)
    assert [i.id for i in connection.image.images(tag=word, limit=7, sort="name:asc")] == made
    assert len(list(connection.image.images(tag=word, limit=7, paginated=False))) == 7


def schemas(connection: Connection, disk: Path) -> None:
    for schema in (
        connection.image.get_image_schema(),
        connection.image.get_images_schema(),
        connection.image.get_member_schema(),
        connection.image.get_members_schema(),
    ):
        assert schema.properties


def _queued(connection: Connection, name: str, **attributes: object) -> Any:
    return connection.image.create_image(
        name, disk_format="qcow2", container_format="bare", allow_duplicates=True, **attributes
    )


def _uploaded(connection: Connection, disk: Path) -> Any:
    image = _queued(connection, f"uploaded-{uuid4()}")
    with disk.open("rb") as file:
        image.data = file
        image.upload(connection.image)
    return connection.image.get_image(image.id)


if __name__ == "__main__":
    case, endpoint, password, disk_name = sys.argv[1:]
    auth = {"endpoint": endpoint, "username": "admin", "password": password}
    globals()[case](openstack.connect(auth_type="http_basic", auth=auth), Path(disk_name))
