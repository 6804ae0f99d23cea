"""`glance-api` as a real process, with files as an operator of Glance has them."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.server import START_SECONDS, free_port


@dataclass
class GlanceApi:
    """`glance-api` with the configuration file `glance-api.conf` in `folder`."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def config(self) -> Path:
        """The configuration file."""
        return self.folder / "glance-api.conf"

    @property
    def log(self) -> str:
        """What it has written."""
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def launch(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start the process."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    str(Path(sys.executable).with_name("glance-api")),
                    "--config-file",
                    str(self.config),
                    *arguments,
                ],
                stdout=log,
                stderr=log,
                env={**os.environ, "HOME": str(self.folder)},
                start_new_session=True,
            )
        return self.process

    def start(self, *arguments: str) -> None:
        """Start it, and return when it answers."""
        process = self.launch(*arguments)

        def answers() -> bool:
            assert process.poll() is None, self.log
            with contextlib.suppress(httpx.TransportError):
                return self.get("/healthcheck").status_code == 200
            return False

        self.wait(answers)

    def wait(self, happened: Callable[[], bool]) -> None:
        """Wait until something has happened."""
        deadline = time.monotonic() + START_SECONDS
        while not happened():
            assert time.monotonic() < deadline, self.log
            time.sleep(0.05)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What it answers."""
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=headers, trust_env=False, timeout=30)

    def stop(self) -> int | None:
        """Ask it to end; the exit status. Kill it if it does not, and what is left of its workers anyway."""
        if self.process is None:
            return None
        process, self.process = self.process, None
        process.terminate()
        try:
            return process.wait(30)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)
