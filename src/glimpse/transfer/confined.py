"""Programs that touch foreign data: with limits, without network, and never left behind.

The limits are set by a shell between fork and program, because code of ours must not run there in a process
with threads. Nothing of a client's gets into the shell's text: it only passes its arguments on.
"""

import asyncio
import functools
import logging
import os
import resource
import shutil
import signal
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from glimpse.domain.errors import Unavailable
from glimpse.transfer.threads import to_the_end

LOG = logging.getLogger(__name__)

_READ = 4096
# The end of what a program complains of.
_KEPT = 8192
_LIMITED = """
ulimit -c 0 && ulimit -n 256 && ulimit -v "$1" && ulimit -t "$2" && ulimit -f "$3" && shift 3 && exec "$@"
"""
# Kinder to everybody who is waiting for an answer.
_KIND = (("nice", ("-n", "10")), ("ionice", ("-c", "3")))
_CUT_OFF = (("unshare", "--net"), ("unshare", "--map-root-user", "--net"))


@dataclass(frozen=True, slots=True)
class Limits:
    """What a program may use: bytes of address space, seconds of CPU, bytes of each file, seconds in all."""

    memory: int
    cpu: int | None
    file: int
    wall: float | None


@dataclass(frozen=True, slots=True)
class Ended:
    """How a program ended: its status or, negative, the signal that killed it; the end of its complaints."""

    status: int
    complaint: str


async def run_confined(command: list[str], limits: Limits, heed: Callable[[bytes], None]) -> Ended:
    """Run a program, and hand what it prints to `heed` in pieces.

    Whatever is raised, also when this task is cancelled: the program is not running any more.

    :raises Unavailable: the program is not installed.
    :raises TimeoutError: it took longer than `limits.wall`.
    """
    if shutil.which(command[0]) is None:
        raise Unavailable(f"program {command[0]}", "it is not installed")
    around = await asyncio.to_thread(_surroundings)
    process = await asyncio.create_subprocess_exec(
        *_limiting(limits),
        *around,
        *command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
        cwd="/",
        start_new_session=True,
    )
    complaint = bytearray()

    def keep(piece: bytes) -> None:
        complaint.extend(piece)
        del complaint[:-_KEPT]

    try:
        async with asyncio.timeout(limits.wall):
            await asyncio.gather(_pass_on(process.stdout, heed), _pass_on(process.stderr, keep))
            status = await process.wait()
    finally:
        await to_the_end(_end(process))
    return Ended(status, complaint.decode("utf-8", "replace"))


def _limiting(limits: Limits) -> list[str]:
    memory = _allowed(resource.RLIMIT_AS, limits.memory)
    cpu = "unlimited" if limits.cpu is None else str(_allowed(resource.RLIMIT_CPU, limits.cpu))
    blocks = -(-_allowed(resource.RLIMIT_FSIZE, limits.file) // 512)
    return ["sh", "-c", _LIMITED, "sh", str(memory // 1024), cpu, str(blocks)]


def _allowed(kind: int, wanted: int) -> int:
    """No limit can be raised above the one of this process."""
    hard = resource.getrlimit(kind)[1]
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)


@functools.cache
def _surroundings() -> list[str]:
    """What stands before a program, as far as this host has it and allows it."""
    around = [word for name, options in _KIND if shutil.which(name) for word in (name, *options)]
    for cut in _CUT_OFF:
        with suppress(OSError, subprocess.SubprocessError):
            subprocess.run([*cut, "true"], check=True, capture_output=True, timeout=10)
            return [*around, *cut]
    LOG.debug("programs that touch foreign data keep their network: this host does not let it be taken")
    return around


async def _pass_on(stream: asyncio.StreamReader | None, heed: Callable[[bytes], None]) -> None:
    while stream is not None and (piece := await stream.read(_READ)):
        heed(piece)


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    await process.wait()
