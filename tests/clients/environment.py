"""The environment of the public clients: unmodified, at exact versions, apart from the service's own.

It rests in `.cache/clients` of the checkout, and is made again when `constraints.txt` has changed.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("python-openstackclient", "openstacksdk", "python-glanceclient")

FOLDER = Path(__file__).resolve().parents[2] / ".cache" / "clients"
CONSTRAINTS = Path(__file__).with_name("constraints.txt")

# What pip says when the fault is on the way to the registry and not in what it was asked for.
_NO_WAY = ("Retrying (Retry(", "Could not fetch URL", "ConnectionError", "Connection refused", "Network is")


class RegistryUnreachable(Exception):
    """The clients cannot be installed now."""


def prepare() -> Path:
    """The folder of the clients' programs. :raises RegistryUnreachable: they are not here and cannot come."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = FOLDER / "installed.txt"
        wanted = f"{' '.join(PACKAGES)}\n{CONSTRAINTS.read_text()}"
        if not stamp.exists() or stamp.read_text() != wanted:
            stamp.unlink(missing_ok=True)
            _install()
            stamp.write_text(wanted)
    return FOLDER / "environment" / "bin"


def _install() -> None:
    environment = FOLDER / "environment"
    shutil.rmtree(environment, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    command: list[str | Path] = [
        environment / "bin" / "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
    ]
    done = subprocess.run(
        [*command, "--retries", "1", "-c", CONSTRAINTS, *PACKAGES],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PIP_NO_INPUT": "1"},
    )
    if done.returncode == 0:
        return
    for line in done.stderr.splitlines():
        if any(sign in line for sign in _NO_WAY):
            raise RegistryUnreachable(line)
    raise AssertionError(f"the clients cannot be installed:\n{done.stderr}")


if __name__ == "__main__":
    prepare()
