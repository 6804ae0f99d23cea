"""From a signed image to instances, and from an instance to the next image: with real guests."""

import hashlib
import json
from pathlib import Path

import httpx
import pytest

from tests.compute.host import Console, Host
from tests.keys import signer
from tests.server import Server

pytestmark = pytest.mark.services


def upload(api: httpx.Client, name: str, data: bytes, disk_format: str = "qcow2", **properties: str) -> str:
    """A new image; its id."""
    body = {"name": name, "disk_format": disk_format, "container_format": "bare", **properties}
    image_id: str = api.post("/v2/images", json=body).raise_for_status().json()["id"]
    headers = {"Content-Type": "application/octet-stream"}
    api.put(f"/v2/images/{image_id}/file", content=data, headers=headers).raise_for_status()
    return image_id


def ready(console: Console, note: str) -> None:
    """The guest has booted, and its disk says this."""
    assert console.wait(rf"guest note: {note}\r?\n(?s:.*)guest ready")
    assert console.type("echo sum-$((40 + 2))", "sum-42")


def test_two_instances_a_snapshot_and_an_instance_of_it(
    host: Host, api: httpx.Client, disk: Path, tmp_path: Path
) -> None:
    data = disk.read_bytes()
    image = upload(api, "guest", data, os_distro="debian", **signer("RSA-PSS").properties(data, "builder"))
    volume = tmp_path / "volume"
    volume.write_bytes(bytes(1024**2))
    host.do("flavor", "create", "--ram", "160", "--disk", "1", "--ephemeral", "1", "small")

    launched = host.run("launch", "--image", "guest", "--flavor", "small", "--volume", str(volume), "first")
    assert launched.returncode == 0, launched.stderr
    assert f"the signature of image {image} (guest) is verified: RSA-PSS with SHA-256" in launched.stderr
    assert "is verified" not in host.run("launch", "--image", image, "--flavor", "small", "second").stderr
    first, second = host.console("first"), host.console("second")
    ready(first, "as it was made")
    ready(second, "as it was made")
    sizes = first.type("echo sizes $(cat /sys/block/vd?/size) end", r"sizes [\d ]+ end").split()[1:-1]
    assert sizes == [str(2 * 1024**2), str(2 * 1024**2), "2048"]
    write = "printf changed-here | dd of=/dev/vda bs=512 seek=65536 conv=notrunc,sync,fsync 2>/dev/null"
    assert first.type(f"{write} && echo root-$((1 + 1))", "root-2")
    assert first.type("echo kept >/dev/vdc && sync && echo volume-$((1 + 1))", "volume-2")

    snapshot = host.do("snapshot", "first", "guest-2")
    described = api.get(f"/v2/images/{snapshot}").json()
    instance = json.loads(host.do("show", "--json", "first"))
    assert {
        "status": "active",
        "image_type": "snapshot",
        "base_image_ref": image,
        "instance_uuid": instance["id"],
        "min_disk": 1,
        "disk_format": "qcow2",
        "visibility": "private",
        "os_distro": "debian",
    }.items() <= described.items()
    assert "img_signature" not in described
    assert instance["status"] == "running"

    host.do("launch", "--no-verify-signatures", "--image", "guest-2", "--flavor", "small", "third")
    ready(host.console("third"), "changed-here")
    assert second.type("dd if=/dev/vda bs=512 skip=65536 count=1 2>/dev/null | tr -d '\\0'", "as it was made")

    host.do("stop", "--patience", "0", "first")
    assert [one["status"] for one in host.instances()] == ["stopped", "running", "running"]
    host.do("start", "first")
    ready(host.console("first"), "changed-here")
    folder = Path(instance["console"]).parent
    host.do("delete", "first")
    assert not folder.exists()
    assert volume.read_bytes().startswith(b"kept")
    assert api.get(f"/v2/images/{image}/file").content == data
    base = host.state / "compute" / "images" / instance["base_image"] / "data"
    assert hashlib.sha256(base.read_bytes()).digest() == hashlib.sha256(data).digest()
    assert "delete them first" in host.refused("image", "remove", "guest")


def test_what_is_not_verified_is_not_booted(host: Host, api: httpx.Client, server: Server) -> None:
    """Nothing here boots, which nobody gets to see."""
    data = bytes(3 * 1024**2)
    signed = signer("RSA-PSS").properties(data, "builder")
    launch = ("launch", "--flavor", "m1.nano", "name", "--image")

    unsigned = upload(api, "unsigned", data, "raw")
    said = host.refused(*launch, unsigned)
    assert f"ERROR glimpse.compute.launch [-] image {unsigned} (unsigned) is not used" in said
    assert "is not signed" in said

    others = signer("RSA-PSS", number=1).properties(data, "builder")
    bare = upload(api, "bare", data, "raw")
    addition = [{"op": "add", "path": f"/{name}", "value": value} for name, value in others.items()]
    patch = {"Content-Type": "application/openstack-images-v2.1-json-patch"}
    answer = api.patch(f"/v2/images/{bare}", content=json.dumps(addition), headers=patch)
    assert answer.status_code == 200, answer.text
    assert "signature is not that of this data" in host.refused(*launch, bare)

    changed = upload(api, "changed", data, "raw", **signed)
    (stored,) = [path for path in (server.state / "images").rglob(changed) if path.is_file()]
    stored.chmod(0o600)
    stored.write_bytes(b"other".ljust(len(data), b"\0"))
    assert f"of the data of image {changed} is" in host.refused(*launch, changed)

    assert host.instances() == []
    assert host.do("image", "list") == ""
