"""Published attacks by what is inside an image."""

from collections.abc import AsyncIterator

import pytest

from tests.api.fixtures import MakeWorld
from tests.api.world import ALICE, Client, World, without
from tests.museum.exhibits import qcow2, qed, vmdk, vmdk_descriptor

STRICT = ""
TOLERANT = "[image_format]\nrequire_image_format_match = False\n"

PASSWD = 'RW 2048 FLAT "/etc/passwd" 0'


def refused(client: Client, data: bytes, disk_format: str) -> None:
    """The upload fails, and neither image nor folder has anything of it."""
    image = client.create(disk_format=disk_format)
    response = client.upload(image["id"], data)
    assert response.status_code == 415
    after = client.show(image["id"])
    assert without(after, "updated_at") == without(image, "updated_at")
    assert client.world.files() == []
    assert client.data(image["id"]).status_code == 204
    assert client.delete(f"/v2/images/{image['id']}").status_code == 204


@pytest.fixture(params=[STRICT, TOLERANT], ids=["strict", "tolerant"])
def client(request: pytest.FixtureRequest, make_world: MakeWorld) -> Client:
    """Somebody on a service that insists on formats, and on one that does not."""
    return make_world(request.param).client(ALICE)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
@pytest.mark.parametrize("name", [b"/etc/passwd", b"json:{}", b"nbd://169.254.169.254/", b"x" * 1023])
def test_cve_2015_5163_backing_file(client: Client, name: bytes, disk_format: str) -> None:
    """A qcow2 says that what it lacks is in another file; whoever converts it reads that file of the host."""
    refused(client, qcow2(backing=name), disk_format)


@pytest.mark.parametrize("version", [2, 3])
def test_cve_2015_5163_backing_file_in_either_version(client: Client, version: int) -> None:
    """The same in the older and the newer layout of the header."""
    refused(client, qcow2(backing=b"/etc/passwd", version=version), "qcow2")


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_cve_2024_32498_data_file(client: Client, disk_format: str) -> None:
    """A qcow2 keeps its data in another file, and names one of the host's; said to be raw, too."""
    refused(client, qcow2(data_file=b"/etc/shadow"), disk_format)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw"])
def test_cve_2024_32498_data_file_that_only_the_feature_bit_tells(client: Client, disk_format: str) -> None:
    """The name may come later, but the bit that announces it is in the header."""
    refused(client, qcow2(features=4), disk_format)


@pytest.mark.parametrize("disk_format", ["qcow2", "raw", "vmdk", "iso"])
def test_cve_2024_32498_declared_as_anything(client: Client, disk_format: str) -> None:
    """What the owner says the data is does not decide what the hypervisor takes it for."""
    refused(client, qcow2(backing=b"/etc/passwd"), disk_format)


def test_cve_2024_32498_unknown_features(client: Client) -> None:
    """Features that the inspection does not know may be the next way out of the file."""
    refused(client, qcow2(features=1 << 40), "qcow2")


@pytest.mark.parametrize("disk_format", ["raw", "qcow2"])
def test_cve_2024_32498_qed(client: Client, disk_format: str) -> None:
    """An old format with backing files that inspection cannot judge."""
    refused(client, qed(), disk_format)


@pytest.mark.parametrize("size", [1, 3, 100, 511])
def test_cve_2024_32498_byte_by_byte(world: World, size: int) -> None:
    """The dangerous header comes in pieces so small that no single one looks like anything."""
    data = qcow2(backing=b"/etc/passwd")
    client = world.client(ALICE)
    image = client.create(disk_format="raw")

    async def crumbs() -> AsyncIterator[bytes]:
        for at in range(0, 1024, size):
            yield data[at : min(at + size, 1024)]
        yield data[1024:]

    assert client.upload(image["id"], crumbs()).status_code == 415
    assert world.files() == []


def test_harmless_qcow2_is_welcome(client: Client) -> None:
    """What refuses the attacks lets the same file pass without them."""
    image = client.active(qcow2(), disk_format="qcow2")
    assert (image["status"], image["virtual_size"]) == ("active", 2**30)


@pytest.mark.parametrize("disk_format", ["vmdk", "raw"])
@pytest.mark.parametrize("create_type", ["monolithicFlat", "twoGbMaxExtentFlat", "vmfs", "custom"])
def test_cve_2022_47951_flat_extents(client: Client, create_type: str, disk_format: str) -> None:
    """A VMDK's descriptor names the files that hold the disk: one of the host's."""
    refused(client, vmdk(create_type, PASSWD), disk_format)


@pytest.mark.parametrize("disk_format", ["vmdk", "raw"])
@pytest.mark.parametrize("create_type", ["monolithicSparse", "streamOptimized"])
@pytest.mark.parametrize("extent", [PASSWD, 'RW 2048 SPARSE "/etc/passwd"', 'RW 1 SPARSE "../../secret"'])
def test_cve_2022_47951_paths_in_permitted_types(
    client: Client, extent: str, create_type: str, disk_format: str
) -> None:
    """The type is one of the two that are safe, and the extent points elsewhere all the same."""
    refused(client, vmdk(create_type, extent), disk_format)


@pytest.mark.parametrize("disk_format", ["vmdk", "raw"])
def test_cve_2022_47951_descriptor_alone(client: Client, disk_format: str) -> None:
    """The file is nothing but a descriptor."""
    refused(client, vmdk_descriptor("monolithicFlat", PASSWD), disk_format)


@pytest.mark.parametrize("extents", [(), ("surprise",), ('RW 1 SPARSE "a.vmdk"', PASSWD)])
def test_cve_2022_47951_descriptors_that_hide_something(client: Client, extents: tuple[str, ...]) -> None:
    """No extent, something that is no extent, or a harmless one before the harmful one."""
    refused(client, vmdk("monolithicSparse", *extents), "vmdk")


def test_harmless_vmdk_is_welcome(client: Client) -> None:
    """What refuses the attacks lets the same file pass without them."""
    image = client.active(vmdk("streamOptimized", 'RW 2048 SPARSE "disk.vmdk"'), disk_format="vmdk")
    assert (image["status"], image["virtual_size"]) == ("active", 2048 * 512)
