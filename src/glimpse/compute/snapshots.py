"""An instance as a new image: its root disk as it is at one moment, while it goes on running."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from glimpse.compute.checks import read_through, virtual_size
from glimpse.compute.disks import GIB, copy, make_target
from glimpse.compute.images import ImageService, RemoteImage
from glimpse.compute.instances import Host, Instance
from glimpse.compute.machine import MONITOR, ROOT, is_running, root_node
from glimpse.compute.monitor import connected, execute
from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.signing.properties import CURRENT, LIBERTY, MASK, SALT

if TYPE_CHECKING:
    from qemu.qmp import QMPClient

LOG = logging.getLogger(__name__)

# The job in QEMU and its target have one name; the instance's lock lets one of them be.
_JOB = "snapshot"
_POLL_SECONDS = 0.1
# What was true of the image alone: Nova leaves these out too.
_NOT_INHERITED = {*CURRENT, *LIBERTY, MASK, SALT, "cache_in_nova", "bittorrent"}


def snapshot(host: Host, instance: Instance, service: ImageService, name: str) -> RemoteImage:
    """Upload the root disk of an instance as a new image. Call it with the instance locked.

    The copy is of one moment, as if the power had failed then; the guest is not held up. Whatever is raised:
    no new image stays, as far as the service can be reached.

    :raises Unavailable: QEMU or the image service does not do its part.
    :raises Damaged: what the service has is not what was sent. :raises GlimpseError: the service refuses.
    """
    with _copied(host, instance) as file:
        image_id = service.create(_document(instance, name))
        try:
            image = service.upload(image_id, file)
            _compare(file, image)
        except BaseException:
            with suppress(GlimpseError):
                service.delete(image_id)
            raise
    LOG.info("instance %s (%s) is image %s (%s)", instance.id, instance.name, image.id, name)
    return image


@contextmanager
def _copied(host: Host, instance: Instance) -> Iterator[Path]:
    base = host.bases.checked(instance.base)
    file = instance.folder / "snapshot.qcow2"
    try:
        if is_running(instance):
            asyncio.run(_back_up(instance, file))
        else:
            file.unlink(missing_ok=True)
            copy(root_node(instance, base), file)
        yield file
    finally:
        file.unlink(missing_ok=True)


async def _back_up(instance: Instance, file: Path) -> None:
    async with connected(instance.folder / MONITOR) as client:
        # A command that was killed may have left its own.
        await _clear(client)
        file.unlink(missing_ok=True)
        make_target(file, instance.root_size)
        try:
            target = {"driver": "file", "filename": str(file)}
            await execute(client, "blockdev-add", driver="qcow2", node_name=_JOB, file=target)
            await execute(
                client,
                "blockdev-backup",
                **{"job_id": _JOB, "device": ROOT, "target": _JOB, "sync": "full", "auto_dismiss": False},
            )
            job = await _concluded(client)
        finally:
            await _clear(client)
    if "error" in job:
        raise Unavailable("disk of the instance", f"it cannot be copied: {job['error']}")


async def _concluded(client: "QMPClient") -> dict[str, Any]:
    while (job := await _job(client)) is None or job["status"] != "concluded":
        await asyncio.sleep(_POLL_SECONDS)
    return job


async def _clear(client: "QMPClient") -> None:
    if (job := await _job(client)) is not None:
        if job["status"] != "concluded":
            with suppress(Unavailable):
                await execute(client, "job-cancel", id=_JOB)
            await _concluded(client)
        await execute(client, "job-dismiss", id=_JOB)
    nodes = await execute(client, "query-named-block-nodes", flat=True)
    if any(node.get("node-name") == _JOB for node in nodes):
        await execute(client, "blockdev-del", node_name=_JOB)


async def _job(client: "QMPClient") -> dict[str, Any] | None:
    jobs: list[dict[str, Any]] = await execute(client, "query-jobs")
    return next((job for job in jobs if job["id"] == _JOB), None)


def _document(instance: Instance, name: str) -> dict[str, object]:
    """The new image as the Image API describes it, with the properties by which Nova knows a snapshot."""
    image = instance.image
    inherited = {
        key: value
        for key, value in image.properties.items()
        if key not in _NOT_INHERITED and not key.startswith("os_glance_")
    }
    return {
        **inherited,
        "name": name,
        "disk_format": "qcow2",
        "container_format": "bare",
        "visibility": "private",
        "min_disk": -(-instance.root_size // GIB),
        "min_ram": image.min_ram,
        "image_type": "snapshot",
        "base_image_ref": image.id,
        "instance_uuid": instance.id,
    }


def _compare(file: Path, image: RemoteImage) -> None:
    digest = image.digest
    virtual_size(image, read_through(file, () if digest is None else (digest[0],)))
