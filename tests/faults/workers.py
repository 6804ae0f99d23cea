"""Workers beside a server that does no jobs, and a source of images that waits in the middle."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.faults.promises import wait_until
from tests.server import Server
from tests.sources import DATA, TAG, Handler, Source, serving


@dataclass
class Workers:
    """`glimpse worker` processes with the configuration of a server."""

    server: Server
    processes: dict[int, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self) -> int:
        """Start one, and return its process id when it says that it works."""
        state = self.server.state
        config, output = state / f"{self.server.name}.conf", state / f"worker-{len(self.processes)}"
        command = [sys.executable, "-m", "glimpse", "worker", "--config-file", str(config)]
        with output.open("wb") as log:
            process = subprocess.Popen([*command, "--state-dir", str(state)], stdout=log, stderr=log)
        self.processes[process.pid] = process
        wait_until("the worker works", lambda: "is doing jobs" in output.read_text())
        return process.pid

    def end(self, process: int, number: signal.Signals) -> None:
        """Send a worker a signal."""
        os.kill(process, number)

    def status(self, process: int) -> int:
        """The exit status of a worker that ends."""
        return self.processes[process].wait(60)

    def close(self) -> None:
        """End all that are left."""
        for process in self.processes.values():
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait(60)


class Gate:
    """A page that sends some bytes, and the rest when it is opened."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def open(self) -> None:
        """Let all readers go on."""
        self._open.set()

    def __call__(self, handler: Handler) -> None:
        """Answer one request."""
        begin, end = handler.wanted()
        headers = {"Content-Length": str(end - begin), "ETag": TAG}
        if "Range" in handler.headers:
            handler.begin(206, Content_Range=f"bytes {begin}-{end - 1}/{len(DATA)}", **headers)
        else:
            handler.begin(200, **headers)
        if handler.command == "GET":
            middle = min(begin + 100_000, end)
            handler.wfile.write(DATA[begin:middle])
            self._open.wait(60)
            handler.wfile.write(DATA[middle:end])


@contextlib.contextmanager
def gated() -> Iterator[tuple[Source, Gate]]:
    """A source with a gate at `/gate`, which is open in the end."""
    gate = Gate()
    with serving() as source:
        source.pages["/gate"] = gate
        try:
            yield source, gate
        finally:
            gate.open()


def job(api: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job's document; empty if it has ended."""
    answer = api.get(f"/v2/jobs/{job_id}")
    assert answer.status_code in (200, 404), answer.text
    document: dict[str, Any] = answer.json() if answer.status_code == 200 else {}
    return document


def process_of(api: httpx.Client, job_id: str) -> int | None:
    """The process that does a job now."""
    found = job(api, job_id)
    return int(found["worker"].split(":")[-2]) if found.get("status") == "running" else None
