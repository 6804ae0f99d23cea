"""The `openstack` command signs an image, with a certificate in a real Barbican; our service verifies it."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.barbican import Barbican, find_barbican
from tests.clients.client import Clients
from tests.clients.keystone import Keystone, unique, variables
from tests.clients.operated import in_the_catalog
from tests.clients.process import Running
from tests.keys import signer

pytestmark = [pytest.mark.clients, pytest.mark.services]

FORMATS = ("--disk-format", "raw", "--container-format", "bare")


@pytest.fixture(scope="module")
def barbican() -> Barbican:
    found = find_barbican()
    if found is None:
        pytest.skip("Barbican is not running; start it with: make services-all")
    return found


@pytest.fixture(scope="module")
def server(
    barbican: Barbican, keystone: Keystone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    options = {"barbican": {"auth_endpoint": keystone.url}}
    with in_the_catalog(keystone, tmp_path_factory.mktemp("glance"), options) as started:
        yield started


def test_signed_and_tampered(
    clients: Clients, server: Running, keystone: Keystone, barbican: Barbican, tmp_path: Path
) -> None:
    demo = variables(keystone, "demo", "demo")
    certificate = barbican.keep(keystone.token("demo", "demo"), signer().pem)
    (tmp_path / "key.pem").write_bytes(signer().key_pem)
    (tmp_path / "image").write_bytes(b"some data" * 1000)
    (tmp_path / "other").write_bytes(b"other data" * 1000)
    create = ["openstack", "image", "create", *FORMATS, "-f", "json"]
    signing = ["--sign-key-path", str(tmp_path / "key.pem"), "--sign-cert-id", certificate]
    made = json.loads(
        clients.run([*create, *signing, "--file", str(tmp_path / "image"), unique("image")], demo)
    )
    assert made["status"] == "active"
    properties = made["properties"]
    assert properties["img_signature_certificate_uuid"] == certificate
    given = [f"--property={name}={properties[name]}" for name in properties if name.startswith("img_")]
    complaint = clients.refused([*create, *given, "--file", str(tmp_path / "other"), unique("image")], demo)
    assert "The signature is not that of this data" in complaint
