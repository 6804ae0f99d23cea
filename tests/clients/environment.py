"""Environments of public programs: unmodified, at exact versions, apart from the service's own.

Each rests below `.cache` of the checkout, and is made again when its constraints have changed.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]

# What pip says when the fault is on the way to the registry and not in what it was asked for.
_NO_WAY = ("Retrying (Retry(", "Could not fetch URL", "ConnectionError", "Connection refused", "Network is")


class RegistryUnreachable(Exception):
    """The packages cannot be installed now."""


@dataclass(frozen=True)
class Environment:
    """Packages at the versions of a constraints file, in the folder `name` of the cache."""

    name: str
    packages: tuple[str, ...]
    constraints: Path

    @property
    def folder(self) -> Path:
        """Where it rests."""
        return CHECKOUT / ".cache" / self.name


CLIENTS = Environment(
    "clients",
    ("python-openstackclient", "openstacksdk", "python-glanceclient"),
    Path(__file__).with_name("constraints.txt"),
)
NOVA = Environment("nova", ("nova",), Path(__file__).with_name("nova-constraints.txt"))
TEMPEST = Environment("tempest", ("tempest",), Path(__file__).with_name("tempest-constraints.txt"))


def prepare(environment: Environment) -> Path:
    """The folder of its programs. :raises RegistryUnreachable: they are not here and cannot come."""
    folder = environment.folder
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / "installed.txt"
        wanted = f"{' '.join(environment.packages)}\n{environment.constraints.read_text()}"
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _install(environment)
            stamp.write_text(wanted)
    return folder / "environment" / "bin"


def _install(environment: Environment) -> None:
    place = environment.folder / "environment"
    shutil.rmtree(place, ignore_errors=True)
    done = subprocess.run(
        [CHECKOUT / "services" / "environment", place, environment.constraints, *environment.packages],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHON": sys.executable},
    )
    if done.returncode == 0:
        return
    for line in done.stderr.splitlines():
        if any(sign in line for sign in _NO_WAY):
            raise RegistryUnreachable(line)
    raise AssertionError(f"{', '.join(environment.packages)} cannot be installed:\n{done.stderr}")
