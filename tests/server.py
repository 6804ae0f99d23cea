"""A running service for tests: a real process with a state folder of its own."""

import base64
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

START_SECONDS = 30.0


@dataclass
class Server:
    """`glimpse serve` on a free port of the loopback. `extra` is added to its configuration file.

    Several servers may share one state folder; each needs a `name` of its own. With `certificate` (which
    `extra` must name too) it is reached by TLS. With a `token` of Keystone, its client shows that.
    """

    state: Path
    extra: str = ""
    name: str = "glimpse"
    certificate: Path | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    environment: dict[str, str] = field(default_factory=dict)
    token: str = ""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.certificate else 'http'}://127.0.0.1:{self.port}"

    @property
    def password(self) -> str:
        """The first administrator's password."""
        return (self.state / "admin-password").read_text().strip()

    @property
    def authorization(self) -> dict[str, str]:
        """The administrator's header."""
        if self.token:
            return {"X-Auth-Token": self.token}
        pair = base64.b64encode(f"admin:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def start(self) -> None:
        """Start it, and return when it answers."""
        self.state.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        config = self.state / f"{self.name}.conf"
        config.write_text(f"[DEFAULT]\nbind_port = {self.port}\n{self.extra}")
        command = [sys.executable, "-m", "glimpse", "serve", "--config-file", str(config)]
        with (self.state / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--state-dir", str(self.state)],
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.process is not None
            if self.process.poll() is not None:
                break
            with contextlib.suppress(httpx.TransportError), self._transport() as client:
                # Not the health check, which wants the database: some tests start without it.
                if client.get("/versions").status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError(f"the service did not start:\n{self.log()}")

    def kill(self) -> None:
        """End it, and all its workers, without a chance to clean up."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to end."""
        self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(30)
        self.process = None

    def log(self) -> str:
        """What it has written."""
        return (self.state / "log").read_text(errors="replace")

    def client(self) -> httpx.Client:
        """An HTTP client that is the administrator."""
        client = self._transport()
        client.headers.update(self.authorization)
        return client

    def _transport(self) -> httpx.Client:
        trust = ssl.create_default_context(cafile=self.certificate) if self.certificate else False
        return httpx.Client(base_url=self.url, verify=trust, timeout=60, trust_env=False)


@contextlib.contextmanager
def running(state: Path, extra: str = "", token: str = "") -> Iterator[Server]:
    """A server for the length of a block."""
    server = Server(state, extra, token=token)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
