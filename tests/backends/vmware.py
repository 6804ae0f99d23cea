"""A simulated vCenter: the one that `services/up vmware` starts, and ones of a test's own."""

import os
import shutil
import ssl
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pyVim.connect import Disconnect, SmartConnect

from glimpse.stores.base import Store
from glimpse.stores.vmware.places import Account, Datastore
from glimpse.stores.vmware.store import VmwareStore
from tests.clients.keystone import service_address
from tests.server import free_port

LARGE, SMALL, WITHOUT_RANGES, ELSEWHERE = (Datastore("DC0", f"LocalDS_{number}", 100) for number in range(4))
USER, PASSWORD = "administrator", "secret"


def _told(name: str) -> str:
    told = service_address(f"VMWARE_{name}")
    if told is None:
        pytest.skip("the simulated vCenter is not running; start it with: make services-all")
    return told


def options() -> str:
    """The store's options for the server of `services/up`; skips the test where it does not run."""
    return (
        f"vmware_server_host = {_told('HOST')}\n"
        f"vmware_server_username = {USER}\n"
        f"vmware_server_password = {PASSWORD}\n"
        f"vmware_ca_file = {_told('CA_FILE')}\n"
        f"vmware_datastores = {LARGE}:{LARGE.weight}\n"
        "vmware_task_poll_interval = 1\n"
    )


@dataclass(frozen=True)
class Vcenter:
    """A vCenter, and where the files of its datastores are."""

    account: Account
    folder: Path

    def end_sessions(self) -> None:
        """End everybody's session, as an administrator may."""
        with self._sessions() as (manager, others):
            if others:
                manager.TerminateSession([each.key for each in others])

    def calls(self) -> int:
        """How often the sessions that are alive were used."""
        with self._sessions() as (_, others):
            return sum(each.callCount for each in others)

    @contextmanager
    def _sessions(self) -> Iterator[tuple[Any, list[Any]]]:
        host, port = self.account.address()
        context = ssl.create_default_context(cafile=self.account.ca_file)
        service = SmartConnect(host=host, port=port, user=USER, pwd=PASSWORD, sslContext=context)
        manager = service.content.sessionManager
        yield manager, [each for each in manager.sessionList if each.key != manager.currentSession.key]
        Disconnect(service)


def running() -> Vcenter:
    """The one that all tests share."""
    account = Account(_told("HOST"), USER, PASSWORD, _told("CA_FILE"))
    return Vcenter(account, Path(_told("FOLDER")))


class OwnVcenter:
    """A simulator of a test's own, which may be killed."""

    def __init__(self, folder: Path) -> None:
        program = _told("PROGRAM")
        port = free_port()
        command = [program, "-listen", f"127.0.0.1:{port}", "-folder", str(folder), "-user", USER]
        command += ["-password", PASSWORD, "-certificate", _told("CERTIFICATE")]
        self._command = command
        account = Account(f"127.0.0.1:{port}", USER, PASSWORD, _told("CA_FILE"), retries=1)
        self.vcenter = Vcenter(account, folder)
        self.start()

    def start(self) -> None:
        """Start it on the files that it had, and return when it answers."""
        environment = {**os.environ, "TMPDIR": str(self.vcenter.folder)}
        self._process = subprocess.Popen(
            self._command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        url = f"https://{self.vcenter.account.host}/about"
        transport = httpx.HTTPTransport(
            verify=ssl.create_default_context(cafile=self.vcenter.account.ca_file), retries=10
        )
        with httpx.Client(transport=transport, trust_env=False) as client:
            client.get(url).raise_for_status()

    def kill(self) -> None:
        """End it without a farewell."""
        self._process.kill()
        self._process.wait()


class VmwareBackend:
    """Stores in a folder that no other test uses."""

    def __init__(self, vcenter: Vcenter, datastore: Datastore = LARGE) -> None:
        self.vcenter = vcenter
        self.folder = f"glimpse-{uuid4().hex}"
        self._store = self.open(datastore)

    def open(self, *datastores: Datastore, folder: str | None = None, **changes: Any) -> VmwareStore:
        """Another store in the same folder."""
        account = replace(self.vcenter.account, **changes)
        return VmwareStore("vmware", account, folder or self.folder, datastores)

    @property
    def store(self) -> Store:
        return self._store

    def full_store(self) -> Store:
        return self.open(SMALL)

    def path(self, url: str) -> Path:
        """The file of an image."""
        path, _, query = url.partition("/folder/")[2].partition("?")
        return self.vcenter.folder / query.rpartition("dsName=")[2] / path

    def truncate(self, url: str, size: int) -> None:
        os.truncate(self.path(url), size)

    def leftovers(self) -> Sequence[str]:
        folders = self.vcenter.folder.glob(f"*/{self.folder}")
        return [path.name for folder in folders for path in folder.iterdir()]

    def close(self) -> None:
        for folder in self.vcenter.folder.glob(f"*/{self.folder}"):
            shutil.rmtree(folder)
