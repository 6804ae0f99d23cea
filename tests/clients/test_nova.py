"""Nova's own code fetches a signed image, and verifies it by a certificate in a real Barbican."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.clients.barbican import Barbican
from tests.clients.client import PROGRAMS, Clients
from tests.clients.environment import NOVA, RegistryUnreachable, prepare
from tests.clients.keystone import Keystone
from tests.clients.process import Options, behind, glance_api, merged
from tests.keys import signer
from tests.server import free_port

pytestmark = [pytest.mark.clients, pytest.mark.services]

DATA = b"the data of an image" * 5000


@dataclass
class Cloud:
    """Our service with its folder, and Nova as a member of the project demo has it call that service."""

    url: str
    folder: Path
    token: str
    nova: Clients
    words: list[str]

    def create(self, **properties: str) -> str:
        """The id of a new image with the data."""
        headers = {"X-Auth-Token": self.token}
        with httpx.Client(base_url=f"{self.url}/v2", headers=headers, trust_env=False) as client:
            document = {"disk_format": "raw", "container_format": "bare", **properties}
            image = str(client.post("/images", json=document, timeout=60).raise_for_status().json()["id"])
            media = {"Content-Type": "application/octet-stream"}
            client.put(f"/images/{image}/file", content=DATA, headers=media, timeout=60).raise_for_status()
        return image

    def add(self, image: str, properties: dict[str, str]) -> None:
        """Give an image properties, when it has its data already."""
        additions = [{"op": "add", "path": f"/{name}", "value": value} for name, value in properties.items()]
        media = "application/openstack-images-v2.1-json-patch"
        httpx.patch(
            f"{self.url}/v2/images/{image}",
            content=json.dumps(additions),
            headers={"X-Auth-Token": self.token, "Content-Type": media},
            trust_env=False,
            timeout=60,
        ).raise_for_status()

    def fetch(self, image: str, file: Path) -> list[str]:
        """The command by which Nova fetches an image."""
        return ["python", str(PROGRAMS / "nova_download.py"), *self.words, image, str(file)]


@pytest.fixture(scope="module")
def cloud(
    barbican: Barbican, keystone: Keystone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cloud]:
    try:
        programs = prepare(NOVA)
    except RegistryUnreachable as error:
        pytest.skip(f"Nova cannot be installed: {error}")
    folder = tmp_path_factory.mktemp("glance")
    keys: Options = {
        "barbican": {"auth_endpoint": keystone.url},
        "database": {"connection": f"sqlite:///{folder / 'glance.db'}"},
        "glance_store": {"filesystem_store_datadir": str(folder / "images")},
    }
    with glance_api(folder, free_port(), merged(behind(keystone.url), keys), [["db_sync"]]) as running:
        configuration = folder / "nova.conf"
        configuration.write_text(
            f"[glance]\nendpoint_override = {running.url}\nverify_glance_signatures = true\n"
            "[key_manager]\nbackend = barbican\n"
            f"[barbican]\nauth_endpoint = {keystone.url}\nbarbican_endpoint = {barbican.url}\n"
        )
        token = keystone.token("demo", "demo")
        who = [token, keystone.user_id("demo"), keystone.project_id("demo")]
        nova = Clients(programs, tmp_path_factory.mktemp("nova"))
        yield Cloud(running.url, folder, token, nova, [str(configuration), *who])


def test_what_was_signed_comes_and_what_was_changed_does_not(
    cloud: Cloud, barbican: Barbican, tmp_path: Path
) -> None:
    signed = signer().properties(DATA, barbican.keep(cloud.token, signer().pem))
    image, file = cloud.create(**signed), tmp_path / "disk"
    cloud.nova.run(cloud.fetch(image, file), {})
    assert file.read_bytes() == DATA

    (stored,) = (cloud.folder / "images").glob(image)
    stored.chmod(0o600)
    stored.write_bytes(DATA.replace(b"image", b"ghost", 1))
    cloud.nova.refused(cloud.fetch(image, tmp_path / "changed"), {})

    bare = cloud.create()
    assert "SignatureVerificationError" in cloud.nova.refused(cloud.fetch(bare, tmp_path / "none"), {})
    cloud.add(bare, signer().properties(DATA * 2, signed["img_signature_certificate_uuid"]))
    assert "InvalidSignature" in cloud.nova.refused(cloud.fetch(bare, tmp_path / "other"), {})
