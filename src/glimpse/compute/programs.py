"""QEMU's programs: called without a shell, for a limited time."""

import subprocess
from pathlib import Path

from glimpse.domain.errors import Unavailable

IMG = "qemu-img"
SYSTEM = "qemu-system-x86_64"


def run(command: list[str], *, folder: Path | None = None, seconds: float | None = 60) -> None:
    """Run a program in a folder until it ends.

    :raises Unavailable: it is not installed, fails, or takes longer.
    """
    part = f"program {command[0]}"
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise Unavailable(part, "it is not installed") from None
    except subprocess.TimeoutExpired:
        raise Unavailable(part, f"it has not ended after {seconds:g} s") from None
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise Unavailable(part, said[-1] if said else f"it ended with status {done.returncode}")
