"""Volumes as this machine sees them, connected by os-brick."""

import errno
import os
import socket
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from glimpse.domain.errors import LimitExceeded, Unavailable

# A prompt for a password would wait for ever: without the right to be root, "sudo -n" fails at once.
_ROOT_HELPER = "sudo -n"


class Device(Protocol):
    """The bytes of a volume. Reading and writing raise OSError."""

    blank: bool
    """Whether a new volume surely holds zeros."""

    def read_at(self, offset: int, length: int) -> bytes:
        """At most so many bytes; none at the end."""

    def write_at(self, offset: int, data: bytes) -> None:
        """Write all of it."""

    def flush(self) -> None:
        """Make what was written durable."""

    def close(self) -> None:
        """Let go of it."""


class PathDevice:
    """A volume that is a block device, or a file on a network filesystem."""

    def __init__(self, path: str, *, writable: bool) -> None:
        self._fd = os.open(path, os.O_RDWR if writable else os.O_RDONLY)
        self.blank = not stat.S_ISBLK(os.fstat(self._fd).st_mode)

    def read_at(self, offset: int, length: int) -> bytes:
        """As the protocol says."""
        return os.pread(self._fd, length, offset)

    def write_at(self, offset: int, data: bytes) -> None:
        """As the protocol says."""
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, offset)
            view, offset = view[written:], offset + written

    def flush(self) -> None:
        """As the protocol says."""
        os.fsync(self._fd)

    def close(self) -> None:
        """As the protocol says."""
        os.close(self._fd)


class HandleDevice:
    """A volume that os-brick itself reads and writes, as Ceph's. The handle has one position for all."""

    blank = True

    def __init__(self, handle: Any) -> None:
        self._handle = handle
        self._lock = threading.Lock()

    def read_at(self, offset: int, length: int) -> bytes:
        """As the protocol says."""
        with self._lock, _as_oserror():
            self._handle.seek(offset)
            return bytes(self._handle.read(length))

    def write_at(self, offset: int, data: bytes) -> None:
        """As the protocol says."""
        with self._lock, _as_oserror():
            self._handle.seek(offset)
            self._handle.write(data)

    def flush(self) -> None:
        """As the protocol says."""
        with self._lock, _as_oserror():
            self._handle.flush()

    def close(self) -> None:
        """Nothing: the connector closes it."""


@dataclass(frozen=True, slots=True)
class Connection:
    """A connected volume, with what is needed to disconnect it."""

    device: Device
    connector: Any
    info: dict[str, Any]
    found: dict[str, Any]

    def extend(self) -> None:
        """See that the volume has grown."""
        if isinstance(self.device, PathDevice) and not self.device.blank:
            self.connector.extend_volume(self.info)

    def close(self) -> None:
        """Disconnect. What fails leaves a device behind, and is no reason to keep the attachment."""
        with suppress(OSError):
            self.device.close()
        with suppress(Exception):
            self.connector.disconnect_volume(self.info, self.found, force=True, ignore_errors=True)


class Brick:
    """os-brick, set up once in the process.

    :param folder: for its locks, and for what it mounts.
    """

    def __init__(
        self,
        part: str,
        folder: Path,
        mounts: Path,
        *,
        multipath: bool = False,
        enforce_multipath: bool = False,
    ) -> None:
        self._part = part
        self._folder = folder
        self._mounts = mounts
        self._multipath = multipath
        self._enforce_multipath = enforce_multipath
        self._lock = threading.Lock()
        self._properties: dict[str, Any] | None = None

    def properties(self) -> dict[str, Any]:
        """What Cinder must know of this machine. :raises Unavailable: os-brick or root's help is missing."""
        with self._lock, self._judging():
            if self._properties is None:
                self._properties = self._set_up()
            return self._properties

    def connect(self, info: dict[str, Any], *, writable: bool) -> Connection:
        """Connect what an attachment tells of. :raises Unavailable: it cannot be connected."""
        kind = str(info["driver_volume_type"]).lower()
        if kind == "nfs" and (info.get("encrypted") or info.get("format", "raw") != "raw"):
            raise Unavailable(self._part, "volumes on NFS must be neither encrypted nor of the format qcow2")
        with self._judging():
            connector = self._connector(info)
            found = connector.connect_volume(info)
            try:
                path = found["path"]
                if not isinstance(path, str | bytes):
                    return Connection(HandleDevice(path), connector, info, found)
                device = PathDevice(self._accessible(os.fsdecode(path), writable=writable), writable=writable)
                return Connection(device, connector, info, found)
            except BaseException:
                connector.disconnect_volume(info, found, force=True, ignore_errors=True)
                raise

    def _set_up(self) -> dict[str, Any]:
        import os_brick
        from os_brick.initiator import connector
        from os_brick.privileged import default
        from oslo_concurrency import lockutils
        from oslo_config import cfg
        from oslo_privsep import priv_context

        # In this order: os-brick takes over the folder of locks that oslo.concurrency has.
        lockutils.set_defaults(str(self._folder))
        os_brick.setup(cfg.CONF)
        priv_context.init(root_helper=_ROOT_HELPER.split())
        if os.geteuid() == 0:
            default.set_client_mode(False)
        name = socket.gethostname()
        address = _address_of(name)
        properties = connector.get_connector_properties(
            _ROOT_HELPER, address, self._multipath, self._enforce_multipath, host=name
        )
        return dict(properties)

    def _connector(self, info: dict[str, Any]) -> Any:
        from os_brick.initiator.connector import InitiatorConnector

        return InitiatorConnector.factory(
            info["driver_volume_type"],
            _ROOT_HELPER,
            use_multipath=self._multipath,
            nfs_mount_point_base=str(self._mounts / "nfs"),
            conn=info,
        )

    def _accessible(self, path: str, *, writable: bool) -> str:
        """The path, which is made this process's own if it cannot be opened."""
        if not os.access(path, os.R_OK | (os.W_OK if writable else 0)):
            from os_brick.privileged import rootwrap

            rootwrap.execute("chown", str(os.geteuid()), path, run_as_root=True, root_helper=_ROOT_HELPER)
        return path

    @contextmanager
    def _judging(self) -> Iterator[None]:
        # os-brick raises whatever its tools, its helper and its libraries raise.
        try:
            yield
        except Unavailable:
            raise
        except ImportError as error:
            raise Unavailable(self._part, f"{error.name} is not installed on this machine") from error
        except Exception as error:
            raise Unavailable(
                self._part, f"the volume cannot be connected to this machine ({type(error).__name__})"
            ) from error


@contextmanager
def device_errors(part: str, fitted: int, size: int | None) -> Iterator[None]:
    """Failures of a device: it is full after `fitted` of `size` bytes, or out of order."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise LimitExceeded("store capacity", fitted, size, "bytes") from error
        reason = os.strerror(error.errno) if error.errno else "input/output error"
        raise Unavailable(part, f"the volume fails: {reason}") from error


@contextmanager
def _as_oserror() -> Iterator[None]:
    # librbd has a tree of errors of its own, whose members know their errno.
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        raise OSError(getattr(error, "errno", None) or errno.EIO, type(error).__name__) from error


def _address_of(name: str) -> str:
    try:
        return str(socket.getaddrinfo(name, None)[0][4][0])
    except OSError:
        return "127.0.0.1"
