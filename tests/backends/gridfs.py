"""MongoDB's GridFS, on the server that `services/up gridfs` starts, and on servers of a test's own."""

import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from pymongo import MongoClient
from pymongo.errors import PyMongoError

from glimpse.stores.base import Store
from glimpse.stores.gridfs import GridFSStore
from tests.clients.keystone import service_address
from tests.server import free_port

DATABASE = "glimpse"
_PROGRAM = Path(__file__).parents[2] / "services" / "gridfs-server.py"
_NOT_RUNNING = "the server for GridFS is not running; start it with: services/up gridfs"


def options() -> str:
    """The store's options for the server of `services/up`; skips the test where it does not run."""
    url = service_address("GRIDFS_URL")
    if url is None or not _answers(url):
        pytest.skip(_NOT_RUNNING)
    return f"mongodb_store_uri = {url}\nmongodb_store_db = {DATABASE}\n"


class GridFSServer:
    """A server of a test's own: the databases of one are not apart from each other, and it may be killed."""

    def __init__(self, folder: Path) -> None:
        python = service_address("GRIDFS_PYTHON")
        if python is None or not Path(python).exists():
            pytest.skip(_NOT_RUNNING)
        self.port = free_port()
        self.url = f"mongodb://127.0.0.1:{self.port}/"
        self._command = [python, str(_PROGRAM), "--db", str(folder / "data.db"), "--host", "127.0.0.1"]
        self._command += [
            "-p",
            str(self.port),
            "--log-file",
            str(folder / "log"),
            "--pid-file",
            str(folder / "pid"),
        ]
        self.start()

    def start(self) -> None:
        """Start it on the data it had, and return when it answers."""
        self._process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            if _accepts(self.port):
                return
            time.sleep(0.05)
        raise AssertionError("the server for GridFS does not start")

    def kill(self) -> None:
        """End it without a farewell."""
        self._process.kill()
        self._process.wait()


class GridFSBackend:
    """A store on a server whose data no other test uses."""

    def __init__(self, server: GridFSServer) -> None:
        self._client: MongoClient[dict[str, Any]] = MongoClient(server.url)
        self.database = self._client[DATABASE]
        self._store = GridFSStore("gridfs", server.url, DATABASE)

    @property
    def store(self) -> Store:
        return self._store

    def full_store(self) -> Store:
        pytest.skip("the server for GridFS has no limit")

    def truncate(self, url: str, size: int) -> None:
        name = url.removeprefix("gridfs://")
        files, chunks = self.database["fs.files"], self.database["fs.chunks"]
        document = files.find_one({"_id": name}) or {}
        data = b"".join(chunk["data"] for chunk in chunks.find({"files_id": name}))[:size]
        chunks.delete_many({"files_id": name})
        files.delete_one({"_id": name})
        files.insert_one(document | {"length": size})
        chunks.insert_one({"files_id": name, "n": 0, "data": data})

    def leftovers(self) -> Sequence[str]:
        return [
            f"{name}: {found}"
            for name in ("fs.files", "fs.chunks", "glimpse_incoming")
            for found in self.database[name].find({}, ["_id"])
        ]

    def close(self) -> None:
        self._client.close()


def _answers(url: str) -> bool:
    try:
        with MongoClient[dict[str, Any]](url, serverSelectionTimeoutMS=2000) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def _accepts(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
