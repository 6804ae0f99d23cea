"""The QEMU process of an instance: its command line, and its life."""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from glimpse.compute.accelerator import CPU
from glimpse.compute.bases import Base
from glimpse.compute.disks import Node, clone_node, raw_node, volume_node
from glimpse.compute.instances import Instance
from glimpse.compute.monitor import tell
from glimpse.compute.programs import SYSTEM
from glimpse.domain.errors import Conflict, Unavailable

# Sockets and logs, by names in the folder of the instance.
MONITOR, CONSOLE, CONSOLE_LOG = "monitor", "console", "console.log"
_PID, _LOG = "pid", "qemu.log"
ROOT = "root"
# How long QEMU may take to begin, and how often it is looked whether it has, in seconds.
_START_SECONDS = 60
_POLL_SECONDS = 0.05
# How long QEMU may take to end when it is told to, in seconds.
_END_SECONDS = 20


def start(instance: Instance, base: Base, accelerator: str) -> None:
    """Start an instance in the background; it stays when this process ends.

    :raises Conflict: it runs. :raises Unavailable: QEMU is not installed, or does not start; says why.
    """
    with _process(instance) as running:
        if running is not None:
            raise Conflict(f"The instance {instance.name} is running.")
    for name in (MONITOR, CONSOLE):
        (instance.folder / name).unlink(missing_ok=True)
    log = instance.folder / _LOG
    with log.open("wb") as output:
        try:
            process = subprocess.Popen(
                _command(instance, base, accelerator),
                cwd=instance.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise Unavailable(f"program {SYSTEM}", "it is not installed") from None
    if not _begins(process, instance):
        process.kill()
        process.wait()
        said = log.read_text(errors="replace").strip().splitlines()
        raise Unavailable("instance", said[-1] if said else f"{SYSTEM} ended with {process.returncode}")


def _begins(process: subprocess.Popen[bytes], instance: Instance) -> bool:
    """Whether QEMU has made the machine: then its monitor answers."""
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(Unavailable):
            tell(instance.folder / MONITOR, "query-status")
            return True
        time.sleep(_POLL_SECONDS)
    return False


def is_running(instance: Instance) -> bool:
    """Whether there is a process of an instance."""
    with _process(instance) as process:
        return process is not None


def stop(instance: Instance, patience: float) -> None:
    """Stop an instance: ask the guest to shut down, and end it when it has not after `patience` seconds.

    :raises Unavailable: the process does not end.
    """
    with _process(instance) as process:
        if process is None:
            return
        if patience > 0:
            with suppress(Unavailable):
                tell(instance.folder / MONITOR, "system_powerdown")
            if _ends(process, patience):
                return
        for number in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(process, number)
            if _ends(process, _END_SECONDS):
                return
    raise Unavailable("instance", f"the process of {instance.name} does not end")


@contextmanager
def _process(instance: Instance) -> Iterator[int | None]:
    """A descriptor of an instance's process: it stays that of this process when the pid is another's."""
    descriptor = _open_process(instance)
    try:
        yield descriptor
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _open_process(instance: Instance) -> int | None:
    try:
        pid = int((instance.folder / _PID).read_text())
        descriptor = os.pidfd_open(pid)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return None
    # The pid may have gone to another program since it was written down; one that has ended has no words.
    with suppress(OSError):
        if instance.id.encode() in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
            return descriptor
    os.close(descriptor)
    return None


def _ends(process: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(process, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def root_node(instance: Instance, base: Base) -> Node:
    """The root disk of an instance."""
    return clone_node(instance.root, base.data, base.image.disk_format or "")


def _command(instance: Instance, base: Base, accelerator: str) -> list[str]:
    flavor = instance.flavor
    command = [
        *(SYSTEM, "-uuid", instance.id, "-name", f"guest={instance.name}"),
        *("-pidfile", _PID),
        *("-nodefaults", "-no-user-config", "-display", "none"),
        # A guest that breaks out of QEMU finds little to do.
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-accel", accelerator, "-cpu", CPU, "-smp", str(flavor.vcpus), "-m", str(flavor.ram)),
        *("-device", "virtio-rng-pci"),
        *("-qmp", f"unix:{MONITOR},server=on,wait=off"),
        *(
            "-chardev",
            f"socket,id=serial,path={CONSOLE},server=on,wait=off,logfile={CONSOLE_LOG},logappend=on",
        ),
        *("-serial", "chardev:serial"),
        *_disk({"node-name": ROOT, **root_node(instance, base)}, ",bootindex=1"),
    ]
    if instance.ephemeral is not None:
        command += _disk({"node-name": "ephemeral", **raw_node(instance.ephemeral)})
    if instance.volume is not None:
        command += _disk({"node-name": "volume", **volume_node(instance.volume)})
    return command


def _disk(node: Node, options: str = "") -> list[str]:
    device = f"virtio-blk-pci,drive={node['node-name']}{options}"
    return ["-blockdev", json.dumps(node), "-device", device]
