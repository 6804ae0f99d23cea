"""python -m benchmarks.signatures: what the verification of a signature adds to an upload's processor time.

Uploads of the same data in one process, into memory where there is a file system for it: without a signature,
and with one by each hash.
"""

import asyncio
import hashlib
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from benchmarks import settings
from benchmarks.settings import GIB, MIB
from glimpse.api.service import Service
from glimpse.app import make_service
from glimpse.catalog.images import Draft, create, delete
from glimpse.config.settings import read_settings
from glimpse.domain.caller import Caller
from glimpse.records.schema import upgrade
from glimpse.signing.properties import HASHES
from glimpse.signing.sign import sign
from glimpse.transfer.removal import remove
from glimpse.transfer.upload import upload

BLOCK = os.urandom(64 * 1024)
SIZE = 256 * MIB
ROUNDS = 6
ROOT = Caller("root", "admin", frozenset({"admin", "member", "reader"}), is_admin=True)


async def main() -> None:
    """Print the medians."""
    around = settings.default_stores(settings.CHECKOUT)
    with tempfile.TemporaryDirectory(prefix="glimpse-bench-", dir=around) as name:
        signed = sign_data(Path(name) / "certificates")
        service = open_service(Path(name))
        taken: dict[str, list[float]] = {method: [] for method in signed}
        for _ in range(ROUNDS):
            for method, properties in signed.items():
                taken[method].append(await measure(service, properties))
    plain = statistics.median(taken["none"])
    for method, seconds in taken.items():
        middle = statistics.median(seconds)
        print(f"{method:>8}  {middle * GIB / SIZE:.2f} CPU s/GiB  {middle / plain - 1:+.1%}")


def sign_data(folder: Path) -> Mapping[str, Mapping[str, str]]:
    """Properties by what is signed; the certificate goes into the folder."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "benchmark")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + timedelta(days=1))
    folder.mkdir()
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    (folder / "id.pem").write_bytes(certificate)
    signed: dict[str, Mapping[str, str]] = {"none": {}}
    for method, algorithm in HASHES.items():
        digest = hashlib.new(algorithm)
        for _ in range(SIZE // len(BLOCK)):
            digest.update(BLOCK)
        signed[method] = sign(key, digest.digest(), method, "id")
    return signed


def open_service(folder: Path) -> Service:
    """A service that keeps everything in the folder."""
    (folder / "images").mkdir()
    config = folder / "glimpse.conf"
    config.write_text(f"[glimpse]\ncertificate_folder = {folder / 'certificates'}\nauth_strategy = noauth\n")
    chosen = read_settings([str(config)], state_dir=folder)
    upgrade(chosen.database_url)
    return make_service(chosen)


async def measure(service: Service, properties: Mapping[str, str]) -> float:
    """The processor time of one upload, in seconds."""
    formats = {"disk_format": "raw", "container_format": "bare"}
    image = create(service.catalog, ROOT, Draft(formats, properties))
    begun = time.process_time()
    await upload(service.transfer, ROOT, image.id, data(), size=SIZE)
    seconds = time.process_time() - begun
    await remove(service.transfer, delete(service.catalog, service.transfer.worker, ROOT, image.id))
    return seconds


async def data() -> AsyncIterator[bytes]:
    """What is uploaded."""
    for _ in range(SIZE // len(BLOCK)):
        yield BLOCK


if __name__ == "__main__":
    asyncio.run(main())
