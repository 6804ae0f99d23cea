"""The PID files of `glance-control`, and the servers that it has started by them.

A server carries the path of its PID file in its environment. So a process is taken for the server only if it
was started for this file, whatever other process has got its number since, and whoever wrote the file.
"""

import fcntl
import os
import select
import signal
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from glimpse.domain.errors import Forbidden, Unavailable

FOLDER = Path("/var/run/glance")
VARIABLE = "GLANCE_CONTROL_PID_FILE"


@dataclass(frozen=True, slots=True)
class PidFile:
    """A file with the number of the process that a server is."""

    path: Path

    @property
    def mark(self) -> str:
        """What the server has in its environment."""
        return str(self.path.parent.resolve() / self.path.name)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other commands from starting a server, or forgetting one, in the folder of this file.

        :raises Unavailable: the folder cannot be used.
        """
        try:
            descriptor = os.open(self.path.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise Unavailable(f"folder {self.path.parent}", error.strerror or "it cannot be opened") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def pid(self) -> int | None:
        """The number in the file; None: there is none. :raises Unavailable: it cannot be read."""
        try:
            return int(self.path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        except OSError as error:
            raise Unavailable(f"file {self.path}", error.strerror or "it cannot be read") from None

    @contextmanager
    def server(self) -> Iterator["Process | None"]:
        """The server; None: it does not run. :raises Forbidden: the process is of another user."""
        pid = self.pid()
        handle = None if pid is None else _open(pid)
        if pid is None or handle is None:
            yield None
            return
        try:
            process = Process(pid, handle)
            yield process if _is_marked(pid, self.mark) and not process.ended(0) else None
        finally:
            os.close(handle)

    def forget(self, pid: int) -> None:
        """Remove the file, if it is of this process. :raises Unavailable: it cannot be removed."""
        with self.held():
            if self.pid() == pid:
                self.remove()

    def remove(self) -> None:
        """Remove the file, if it is there. :raises Unavailable: it cannot be removed."""
        try:
            self.path.unlink(missing_ok=True)
        except OSError as error:
            raise Unavailable(f"file {self.path}", error.strerror or "it cannot be removed") from None


@dataclass(frozen=True, slots=True)
class Process:
    """A server that runs; `handle` is of this very process, and of no later one with its number."""

    pid: int
    handle: int

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it has not ended."""
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.handle, number)

    def kill(self) -> None:
        """Kill it and its workers."""
        # It leads a session of its own. While it has not been waited for, its number is nobody else's.
        if not self.ended(0):
            os.killpg(self.pid, signal.SIGKILL)

    def ended(self, seconds: float) -> bool:
        """Whether it ends within this time."""
        return bool(select.select([self.handle], [], [], seconds)[0])


def _open(pid: int) -> int | None:
    try:
        return os.pidfd_open(pid)
    except (OSError, OverflowError):
        return None


def _is_marked(pid: int, mark: str) -> bool:
    """Whether a process was started for a PID file. :raises Forbidden: it is of another user."""
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        # Its workers have the mark, too.
        return f"{VARIABLE}={mark}".encode() in environment and os.getpgid(pid) == pid
    except PermissionError:
        raise Forbidden(f"Process {pid} belongs to another user.") from None
    except (FileNotFoundError, ProcessLookupError):
        return False


def find_pid_file(server: str) -> PidFile:
    """The PID file of a server that was started without a name for it: the usual one, or this user's."""
    usual = PidFile(FOLDER / f"{server}.pid")
    return usual if usual.path.exists() else PidFile(_own_folder() / usual.path.name)


def new_pid_file(server: str) -> PidFile:
    """Where the PID file of a server is to be: in the usual folder if it can be, else in this user's.

    :raises Unavailable: neither can be used.
    """
    with suppress(OSError):
        FOLDER.mkdir(mode=0o755, parents=True, exist_ok=True)
    if os.access(FOLDER, os.W_OK):
        return PidFile(FOLDER / f"{server}.pid")
    folder = _own_folder()
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError as error:
        raise Unavailable(f"folder {folder}", error.strerror or "it cannot be made") from None
    # Others may write in its parent.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o022:
        raise Unavailable(f"folder {folder}", "it is not this user's alone")
    return PidFile(folder / f"{server}.pid")


def _own_folder() -> Path:
    return Path(tempfile.gettempdir()) / f"glance-{os.geteuid()}"
