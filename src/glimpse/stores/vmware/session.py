"""vCenter's web services, as far as a store needs them: a session, datastores, and the file manager's tasks.

Every call renews a session that has ended. What can be asked twice is asked again when a connection breaks.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TypeVar
from xml.parsers.expat import ExpatError

from pyVmomi import SoapStubAdapter, vim, vmodl

from glimpse.domain.errors import Unavailable
from glimpse.stores.vmware.places import Account, Datastore, File

_Answer = TypeVar("_Answer")

# The API of vSphere 6.0: all later ones answer to it, and it has all that is asked for here.
_API = "vim.version.version10"

_CALL_SECONDS = 30
# A server may close a connection that has been idle for longer.
_IDLE_SECONDS = 30
_TASK_SECONDS = 600
_FIRST_LOOK = 0.02
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 5.0

_BROKEN = (OSError, http.client.HTTPException, ExpatError)


class FileMissing(Exception):
    """There is no such file in the datastore."""


class FileExists(Exception):
    """There is such a file in the datastore already."""


@dataclass(eq=False)
class Broken(Unavailable):
    """The connection failed: it may be of use to ask again."""


@dataclass(eq=False)
class Full(Unavailable):
    """The datastore has no room."""


@dataclass(eq=False)
class FileInUse(Unavailable):
    """Somebody has the file locked."""


@dataclass(frozen=True, slots=True)
class Space:
    """A datastore's bytes, and whether it takes files now."""

    capacity: int
    free: int
    open: bool


@dataclass(frozen=True, slots=True)
class _Session:
    """One login. `found` are datastores with their datacenters."""

    stub: SoapStubAdapter
    content: vim.ServiceInstanceContent
    found: dict[Datastore, tuple[vim.Datacenter, vim.Datastore]] = field(default_factory=dict)


class VcenterSession:
    """One user's calls to a vCenter, from any thread. `part` is what errors call it."""

    def __init__(self, account: Account, part: str) -> None:
        self._account = account
        self._part = part
        self._lock = threading.Lock()
        self._session: _Session | None = None
        self._last_call = time.monotonic()
        self.context = ssl.create_default_context(cafile=account.ca_file)
        if account.insecure and not account.ca_file:
            self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def cookie(self) -> str:
        """The session, as the datastore browser wants to see it."""
        name_and_value: str = self._retrying(lambda: self._current().stub.cookie)
        return name_and_value.partition(";")[0]

    def renew(self, cookie: str) -> None:
        """Forget the session of that cookie, which was refused; the next call logs in."""
        session = self._session
        if session is not None and str(session.stub.cookie).partition(";")[0] == cookie:
            self._forget(session)

    def keep_alive(self) -> None:
        """Show that the session is in use, if it looks idle."""
        if time.monotonic() - self._last_call >= self._account.keep_alive:
            self._call(lambda session: vim.ServiceInstance("ServiceInstance", session.stub).CurrentTime())

    def space(self, datastore: Datastore) -> Space:
        """How much is left of a datastore."""
        summary = self._call(lambda session: self._find(session, datastore)[1].summary)
        usable = summary.accessible and summary.maintenanceMode in (None, "normal")
        return Space(summary.capacity, summary.freeSpace, usable)

    def make_folder(self, folder: File) -> None:
        """Make a folder and those that it is in, unless it is there."""

        def make(session: _Session) -> None:
            center, _ = self._find(session, folder.datastore)
            session.content.fileManager.MakeDirectory(str(folder), center, createParentDirectories=True)

        with suppress(FileExists):
            self._call(make)

    def move(self, source: File, target: File) -> None:
        """Give a file another name.

        :raises FileMissing: it is not there. :raises FileExists: the name is taken; nothing was changed.
        """

        def move(session: _Session) -> vim.Task:
            center, _ = self._find(session, source.datastore)
            return session.content.fileManager.MoveDatastoreFile_Task(
                str(source), center, str(target), center, force=False
            )

        # Not again: when an answer is lost, nobody could tell its own success from somebody else's.
        self._finish(self._call(move, again=False))

    def remove(self, file: File) -> None:
        """:raises FileMissing: it is not there. :raises FileInUse: somebody has it locked; call again."""

        def remove(session: _Session) -> vim.Task:
            center, _ = self._find(session, file.datastore)
            return session.content.fileManager.DeleteDatastoreFile_Task(str(file), center)

        self._finish(self._call(remove))

    def _finish(self, task: vim.Task) -> None:
        """Wait for a task. Looks are close together at first, since most tasks are quick."""
        key, pause, until = task._GetMoId(), _FIRST_LOOK, time.monotonic() + _TASK_SECONDS
        while True:
            info = self._call(lambda session: vim.Task(key, session.stub).info)
            if info.state == vim.TaskInfo.State.success:
                return
            if info.state == vim.TaskInfo.State.error:
                with self._telling():
                    raise info.error
            if time.monotonic() > until:
                raise Unavailable(self._part, "a task of vCenter does not end")
            time.sleep(min(pause, self._account.look_every))
            pause *= 2

    def _call(self, ask: Callable[[_Session], _Answer], *, again: bool = True) -> _Answer:
        """The answer to what `ask` asks in the session, or in a new one if that has ended."""

        def once() -> _Answer:
            session = self._current()
            try:
                return ask(session)
            except vim.fault.NotAuthenticated:
                self._forget(session)
                return ask(self._current())
            except vmodl.fault.ManagedObjectNotFound:
                session.found.clear()
                raise

        if not again:
            # At least the session is known to be good.
            self._retrying(self._current)
        answer = self._retrying(once, self._account.retries if again else 0)
        self._last_call = time.monotonic()
        return answer

    def _retrying(self, ask: Callable[[], _Answer], retries: int | None = None) -> _Answer:
        left = pauses(self._account.retries if retries is None else retries)
        while True:
            try:
                with self._telling():
                    return ask()
            except Broken:
                pause = next(left, None)
                if pause is None:
                    raise
            time.sleep(pause)

    def _current(self) -> _Session:
        session = self._session
        if session is not None:
            return session
        # Who waits for somebody else's login waits no longer than for his own.
        if not self._lock.acquire(timeout=_CALL_SECONDS):
            raise Unavailable(self._part, "vCenter does not answer in time")
        try:
            if self._session is None:
                self._session = self._log_in()
            return self._session
        finally:
            self._lock.release()

    def _log_in(self) -> _Session:
        host, port = self._account.address()
        stub = SoapStubAdapter(
            host=host,
            port=port,
            version=_API,
            sslContext=self.context,
            httpConnectionTimeout=_CALL_SECONDS,
            connectionPoolTimeout=_IDLE_SECONDS,
        )
        content = vim.ServiceInstance("ServiceInstance", stub).RetrieveContent()
        content.sessionManager.Login(self._account.user, self._account.password)
        return _Session(stub, content)

    def _forget(self, session: _Session) -> None:
        with self._lock:
            if self._session is session:
                self._session = None

    def _find(self, session: _Session, datastore: Datastore) -> tuple[vim.Datacenter, vim.Datastore]:
        found = session.found.get(datastore)
        if found is None:
            found = session.found[datastore] = self._look_up(session, datastore)
        return found

    def _look_up(self, session: _Session, datastore: Datastore) -> tuple[vim.Datacenter, vim.Datastore]:
        center = session.content.searchIndex.FindByInventoryPath(datastore.datacenter)
        if not isinstance(center, vim.Datacenter):
            raise Unavailable(self._part, f"the datacenter '{datastore.datacenter}' does not exist")
        for each in center.datastore:
            if each.name == datastore.name:
                return center, each
        raise Unavailable(self._part, f"the datastore '{datastore}' does not exist")

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Faults of vCenter, and of the way to it, as errors of ours."""
        try:
            yield
        except vim.fault.FileNotFound:
            raise FileMissing from None
        except vim.fault.FileAlreadyExists:
            raise FileExists from None
        except vim.fault.FileLocked:
            raise FileInUse(self._part, "vCenter has the file locked") from None
        except vim.fault.NoDiskSpace:
            raise Full(self._part, "the datastore is full") from None
        except vmodl.MethodFault as fault:
            raise Unavailable(self._part, _reason(fault)) from None
        except ssl.SSLCertVerificationError as error:
            raise Unavailable(self._part, f"vCenter's certificate: {error.verify_message}") from None
        except TimeoutError:
            raise Broken(self._part, "vCenter does not answer in time") from None
        except _BROKEN as error:
            reason = f"the connection to vCenter failed ({type(error).__name__})"
            raise Broken(self._part, reason) from None


def pauses(retries: int) -> Iterator[float]:
    """How many seconds to wait before each time that something is tried again."""
    for failures in range(retries):
        yield min(_FIRST_PAUSE * 4**failures, _LONGEST_PAUSE)


def _reason(fault: vmodl.MethodFault) -> str:
    if isinstance(fault, vim.fault.InvalidLogin):
        return "vCenter refuses the user name or the password"
    if isinstance(fault, vim.fault.NotAuthenticated):
        return "vCenter ends the session at once"
    if isinstance(fault, vim.fault.NoPermission):
        return f"the user of vCenter lacks the privilege {fault.privilegeId}"
    return f"vCenter answers {type(fault).__name__.rpartition('.')[2]}"
