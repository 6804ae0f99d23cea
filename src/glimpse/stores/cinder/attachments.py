"""Who has which volume attached: attached for writing, or shared by the readers of this process.

An attachment outlives the process that asked for it. So each has a file in a folder of this machine, named by
the volume and the attachment, and locked for as long as its process lives. Who can lock the file of another
has found a dead process's attachment, and ends it.
"""

import fcntl
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import BinaryIO

from glimpse.domain.errors import GlimpseError, Unavailable
from glimpse.stores.cinder.devices import Brick, Connection, Device
from glimpse.stores.cinder.volumes import Refused, Volumes

_LONGEST_PAUSE = 10.0


class Attachments:
    """Attaches volumes to this machine.

    :param folder: the marks of all processes of this machine.
    :param attempts: how often it is tried while somebody else has the volume.
    """

    def __init__(self, volumes: Volumes, brick: Brick, folder: Path, attempts: int) -> None:
        self._volumes = volumes
        self._brick = brick
        self._folder = folder
        self._attempts = attempts

    def attach(self, volume_id: str, *, writable: bool) -> "Attachment":
        """Attach the volume and connect it.

        :raises VolumeMissing: there is none.
        :raises Unavailable: somebody else has it, or it cannot be connected.
        """
        properties = self._brick.properties()
        for attempt in range(self._attempts):
            self.end_dead(volume_id)
            try:
                attachment_id = self._volumes.reserve(volume_id, "rw" if writable else "ro")
                break
            except Refused as error:
                if attempt + 1 == self._attempts:
                    raise Unavailable(self._volumes.part, f"the volume cannot be attached: {error}") from None
            time.sleep(min(0.5 * 2**attempt, _LONGEST_PAUSE))
        return self._connect(volume_id, attachment_id, properties, writable=writable)

    def end_dead(self, volume_id: str) -> None:
        """End the attachments that dead processes of this machine left."""
        for path in self._folder.glob(f"{volume_id}.*"):
            with suppress(FileNotFoundError), path.open("rb") as mark:
                if _locked(mark):
                    self._volumes.detach(path.name.partition(".")[2])
                    path.unlink(missing_ok=True)

    def _connect(
        self, volume_id: str, attachment_id: str, properties: dict[str, object], *, writable: bool
    ) -> "Attachment":
        mark: Mark | None = None
        connection: Connection | None = None
        try:
            mark = Mark.put(self._folder, volume_id, attachment_id)
            info = self._volumes.export(attachment_id, properties)
            # Two processes may share a device of a volume that several may attach.
            with _alone(self._folder):
                connection = self._brick.connect(info, writable=writable)
            self._volumes.complete(attachment_id)
        except BaseException as error:
            if connection is not None:
                connection.close()
            with suppress(GlimpseError):
                self._volumes.detach(attachment_id)
            if mark is not None:
                mark.remove()
            if isinstance(error, Refused | OSError):
                raise Unavailable(self._volumes.part, f"the attachment was lost: {error}") from error
            raise
        return Attachment(self._volumes, self._folder, attachment_id, mark, connection)


@dataclass(frozen=True, slots=True)
class Attachment:
    """An attached volume."""

    volumes: Volumes
    folder: Path
    id: str
    mark: "Mark"
    connection: Connection

    @property
    def device(self) -> Device:
        """The volume's bytes."""
        return self.connection.device

    def close(self) -> None:
        """Disconnect and detach. :raises Unavailable: Cinder does not detach it; it is tried again later."""
        with _alone(self.folder):
            self.mark.release(self.connection)
        try:
            self.volumes.detach(self.id)
        except GlimpseError:
            # Nobody's any more: who comes next ends it.
            self.mark.file.close()
            raise
        self.mark.remove()


@dataclass(frozen=True, slots=True)
class Mark:
    """The file that says that the attachment's process lives."""

    path: Path
    file: BinaryIO

    @classmethod
    def put(cls, folder: Path, volume_id: str, attachment_id: str) -> "Mark":
        """Make the file; it has its name only when it is locked."""
        folder.mkdir(parents=True, exist_ok=True)
        path, new = folder / f"{volume_id}.{attachment_id}", folder / f".{attachment_id}"
        file = new.open("wb")
        fcntl.flock(file, fcntl.LOCK_EX)
        new.rename(path)
        return cls(path, file)

    def release(self, connection: Connection) -> None:
        """Disconnect, unless another living process has the same volume: then the device stays for it."""
        others = self.path.parent.glob(f"{self.path.name.partition('.')[0]}.*")
        if all(path == self.path for path in others):
            connection.close()
        else:
            connection.device.close()

    def remove(self) -> None:
        """The attachment has ended."""
        self.path.unlink(missing_ok=True)
        self.file.close()


@dataclass(slots=True)
class _Shared:
    lock: threading.Lock = field(default_factory=threading.Lock)
    readers: int = 0
    attachment: Attachment | None = None


class Readers:
    """The volumes that this process reads. All readers of a volume share one attachment."""

    def __init__(self, attachments: Attachments) -> None:
        self._attachments = attachments
        self._lock = threading.Lock()
        self._shared: dict[str, _Shared] = {}

    @contextmanager
    def reading(self, volume_id: str) -> Iterator[Device]:
        """The volume's bytes. Raises as `Attachments.attach`.

        Who leaves it early leaves the detaching to a thread: it may be the event loop that drops a reader.
        """
        with self._lock:
            shared = self._shared.setdefault(volume_id, _Shared())
            shared.readers += 1
        try:
            with shared.lock:
                if shared.attachment is None:
                    shared.attachment = self._attachments.attach(volume_id, writable=False)
            yield shared.attachment.device
        except GeneratorExit:
            work = partial(copy_context().run, self._leave, volume_id, shared)
            threading.Thread(target=work).start()
            raise
        except BaseException:
            self._leave(volume_id, shared)
            raise
        else:
            self._leave(volume_id, shared)

    def _leave(self, volume_id: str, shared: _Shared) -> None:
        with shared.lock:
            with self._lock:
                shared.readers -= 1
                attachment = None if shared.readers else shared.attachment
            if attachment is not None:
                shared.attachment = None
                # What Cinder does not detach now, whoever attaches it next does.
                with suppress(GlimpseError):
                    attachment.close()
            with self._lock:
                if not shared.readers and self._shared.get(volume_id) is shared:
                    del self._shared[volume_id]


def _locked(file: BinaryIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process of the machine at a time."""
    fd = os.open(folder / ".connecting", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
