"""A host of instances for tests: `glimpse compute` as a program, and its guests' serial consoles."""

import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server import Server

SECONDS = 90


@dataclass(frozen=True)
class Host:
    """`glimpse compute` with a state folder of its own, as the administrator of a server."""

    state: Path
    server: Server
    config: str = ""

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run one command."""
        file = self.state / "compute.conf"
        self.state.mkdir(exist_ok=True)
        file.write_text(f"[DEFAULT]\n{self.config}")
        return subprocess.run(
            self._command(*words), capture_output=True, text=True, env=self._environment(), timeout=SECONDS
        )

    def start(self, *words: str) -> "subprocess.Popen[str]":
        """Begin one command."""
        return subprocess.Popen(
            self._command(*words), stdout=subprocess.PIPE, text=True, env=self._environment()
        )

    def do(self, *words: str) -> str:
        """What a command prints; it must succeed."""
        done = self.run(*words)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def refused(self, *words: str) -> str:
        """What a command complains about; it must fail."""
        done = self.run(*words)
        assert done.returncode == 1, done.stdout
        return done.stderr

    def instances(self) -> list[dict[str, Any]]:
        """All of them."""
        found: list[dict[str, Any]] = json.loads(self.do("list", "--json"))
        return found

    def console(self, instance: str) -> "Console":
        """The serial port of an instance."""
        return Console(Path(json.loads(self.do("show", "--json", instance))["console"]))

    def _command(self, *words: str) -> list[str]:
        verb = 2 if words[0] in ("flavor", "image") else 1
        places = ["--state-dir", str(self.state), "--config-file", str(self.state / "compute.conf")]
        return [sys.executable, "-m", "glimpse", "compute", *words[:verb], *places, *words[verb:]]

    def _environment(self) -> Mapping[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return {
            **kept,
            "OS_AUTH_TYPE": "http_basic",
            "OS_ENDPOINT": f"{self.server.url}/v2",
            "OS_USERNAME": "admin",
            "OS_PASSWORD": self.server.password,
            "no_proxy": "127.0.0.1",
        }


class Console:
    """A guest's serial port: what it has printed is in the log, what is typed goes by the socket."""

    def __init__(self, path: Path) -> None:
        self._log = path.with_name("console.log")
        self._path = path

    def wait(self, pattern: str, after: int = 0) -> re.Match[str]:
        """What the guest prints that matches, from a place of the log on."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            with suppress(FileNotFoundError):
                if found := re.search(pattern, self._log.read_text(errors="replace")[after:]):
                    return found
            time.sleep(0.1)
        raise AssertionError(f"{pattern} does not come:\n{self._log.read_text(errors='replace')[-2000:]}")

    def type(self, command: str, answer: str) -> str:
        """What the shell of the guest answers to a command, as far as a pattern matches it."""
        before = len(self._log.read_text(errors="replace"))
        folder = os.open(self._path.parent, os.O_RDONLY)
        with socket.socket(socket.AF_UNIX) as port:
            port.connect(f"/proc/self/fd/{folder}/{self._path.name}")
            os.close(folder)
            port.sendall(f"{command}\n".encode())
            return self.wait(answer, before)[0]
