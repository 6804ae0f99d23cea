"""Images for tests of the compute side."""

import hashlib

from glimpse.compute.images import RemoteImage


def image_of(data: bytes, image_id: str = "9b8f3f3e-0000-4000-8000-000000000001") -> RemoteImage:
    """A raw image as its service would describe it."""
    return RemoteImage(
        id=image_id,
        status="active",
        name="disk",
        size=len(data),
        disk_format="raw",
        container_format="bare",
        os_hash_algo="sha512",
        os_hash_value=hashlib.sha512(data).hexdigest(),
    )
