"""Running public clients, as their users do: as programs, with an environment and a home of their own."""

import ast
import json
import os
import pty
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.server import Server

PROGRAMS = Path(__file__).with_name("programs")

# Far more than any single command needs; a client that hangs fails its test.
DEADLINE_SECONDS = 120


@dataclass(frozen=True)
class Clients:
    """The programs in `folder`, for a user whose home is `home`.

    What is on the standard input is an image's data for them, and be it nothing, unless it is a terminal.
    """

    folder: Path
    home: Path
    at_terminal: bool = False

    def openstack(self, server: Server, *arguments: str) -> str:
        """What `openstack …` says, as the administrator of `server`; it must succeed."""
        return self.run(["openstack", *arguments], basic(server))

    def openstack_json(self, server: Server, *arguments: str) -> Any:
        """The same, parsed."""
        return json.loads(self.openstack(server, *arguments, "-f", "json"))

    def program(self, name: str, case: str, *arguments: str) -> None:
        """Run one function of one of `programs/`; it must succeed."""
        self.run(["python", str(PROGRAMS / f"{name}.py"), case, *arguments], {})

    def refused(self, command: list[str], variables: Mapping[str, str]) -> str:
        """What a command complains about; it must fail."""
        done = self._start(command, variables, self.home)
        assert done.returncode != 0, f"{' '.join(command)} succeeded:\n{done.stdout}"
        return done.stdout + done.stderr

    def shell(self, script: str, home: Path | None = None) -> str:
        """What a script says that somebody pastes into a shell; every line must succeed."""
        return self.run(["bash", "-euc", script], {}, home)

    def run(self, command: list[str], variables: Mapping[str, str], home: Path | None = None) -> str:
        """What a command says; it must succeed. It starts in `home`."""
        done = self._start(command, variables, home or self.home)
        assert done.returncode == 0, f"{' '.join(command)} failed:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _start(
        self, command: list[str], variables: Mapping[str, str], place: Path
    ) -> subprocess.CompletedProcess[str]:
        with _terminal() if self.at_terminal else nullcontext(subprocess.DEVNULL) as stdin:
            return subprocess.run(
                command,
                cwd=place,
                env=self._environment(variables),
                stdin=stdin,
                capture_output=True,
                text=True,
                timeout=DEADLINE_SECONDS,
            )

    def _environment(self, variables: Mapping[str, str]) -> dict[str, str]:
        # Nothing of the developer's own cloud may take part.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OS_", "PYTHON"))}
        path = f"{self.folder}{os.pathsep}{kept.get('PATH', os.defpath)}"
        return {**kept, "PATH": path, "HOME": str(self.home), "no_proxy": "127.0.0.1", **variables}


@contextmanager
def _terminal() -> Iterator[int]:
    """The descriptor of a terminal at which nobody types."""
    ours, theirs = pty.openpty()
    try:
        yield theirs
    finally:
        os.close(ours)
        os.close(theirs)


def basic(server: Server) -> dict[str, str]:
    """The variables by which the openstack clients find `server` with HTTP basic authentication."""
    return {
        "OS_AUTH_TYPE": "http_basic",
        "OS_ENDPOINT": f"{server.url}/v2",
        "OS_USERNAME": "admin",
        "OS_PASSWORD": server.password,
    }


def cases(program: str) -> list[str]:
    """The names of the public functions of one of `programs/`."""
    tree = ast.parse((PROGRAMS / f"{program}.py").read_text())
    functions = (node.name for node in tree.body if isinstance(node, ast.FunctionDef))
    return [name for name in functions if not name.startswith("_")]
