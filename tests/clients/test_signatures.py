"""The `openstack` command signs an image, with a certificate in a real Barbican; our service verifies it."""

import json
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.barbican import Barbican
from tests.clients.client import Clients
from tests.clients.keystone import Keystone, unique, variables
from tests.clients.operated import in_the_catalog
from tests.clients.process import CHECKOUT, Running
from tests.keys import signer

pytestmark = [pytest.mark.clients, pytest.mark.services]

GLIMPSE = CHECKOUT / ".venv" / "bin" / "glimpse"
FORMATS = ("--disk-format", "raw", "--container-format", "bare")


@pytest.fixture(scope="module")
def server(
    barbican: Barbican, keystone: Keystone, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    options = {"barbican": {"auth_endpoint": keystone.url}}
    with in_the_catalog(keystone, tmp_path_factory.mktemp("glance"), options) as started:
        yield started


# The client's own way to sign. Its command asks for a password at a terminal, and in version 10.5 sends the
# signature as Python writes bytes, which no service can read.
SIGN = """
import base64, sys
from openstack.image.image_signer import ImageSigner
signer = ImageSigner()
signer.load_private_key(sys.argv[1])
with open(sys.argv[2], "rb") as file:
    print(base64.b64encode(signer.generate_signature(file)).decode())
"""


def test_signed_and_tampered(
    clients: Clients, server: Running, keystone: Keystone, barbican: Barbican, tmp_path: Path
) -> None:
    demo = variables(keystone, "demo", "demo")
    certificate = barbican.keep(keystone.token("demo", "demo"), signer().pem)
    key, image, other = (tmp_path / name for name in ("key.pem", "image", "other"))
    key.write_bytes(signer().key_pem)
    image.write_bytes(b"some data" * 1000)
    other.write_bytes(b"more data" * 1000)
    signature = clients.run(["python", "-c", SIGN, str(key), str(image)], {}).strip()
    theirs = [
        f"--property=img_signature={signature}",
        "--property=img_signature_hash_method=SHA-256",
        "--property=img_signature_key_type=RSA-PSS",
        f"--property=img_signature_certificate_uuid={certificate}",
    ]
    words = ["sign", "--flags", "--key", str(key), "--certificate", certificate, str(image)]
    ours = shlex.split(subprocess.check_output([GLIMPSE, "image", *words], text=True))
    create = ["openstack", "image", "create", *FORMATS, "-f", "json"]
    for flags in (theirs, ours):
        made = json.loads(clients.run([*create, *flags, "--file", str(image), unique("image")], demo))
        assert made["status"] == "active"
    clients.refused([*create, *ours, "--file", str(other), unique("image")], demo)
