"""Starting, watching and stopping the servers: what `glance-control` does."""

import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import click

from glimpse.cli.pid_files import VARIABLE, PidFile
from glimpse.domain.errors import Unavailable

# How long `stop` waits before it kills, and `shutdown` for what has begun: a server gives it 30 s.
STOP_SECONDS = 15
SHUTDOWN_SECONDS = 45
_KILL_SECONDS = 5

# A server that ends so soon after its start, so often in a row, is not started again.
BOUNCE_SECONDS = 60
BOUNCES = 3
_RESPAWN_WAIT = 1

_DESCRIPTORS = 32768
_BY_REQUEST = (0, -signal.SIGTERM)

# What the service scripts of Linux distributions answer (LSB).
RUNNING, DEAD, STOPPED = 0, 1, 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How a server is started, and whether syslog gets what it prints."""

    server: str
    pid_file: PidFile
    config: Path | None
    capture: bool


@dataclass(slots=True)
class Child:
    """A server that this process has started: since when it runs, and how often it ended soon before."""

    plan: Plan
    process: subprocess.Popen[bytes]
    since: float
    bounces: int = 0


def start(plan: Plan, verb: str = "Start") -> Child | None:
    """Start a server; None: it runs already.

    :raises Unavailable: its program or its PID file cannot be used. :raises Forbidden: as `PidFile.server`.
    """
    with plan.pid_file.held():
        with plan.pid_file.server() as running:
            if running is not None:
                click.echo(f"{plan.server} appears to already be running: {plan.pid_file.path}")
                return None
        if plan.pid_file.path.exists():
            click.echo(f"Removing stale pid file {plan.pid_file.path}")
            plan.pid_file.remove()
        click.echo(f"{verb}ing {plan.server}" + (f" with {plan.config}" if plan.config else ""))
        return Child(plan, _launch(plan), time.monotonic())


def _launch(plan: Plan) -> subprocess.Popen[bytes]:
    command = [_program(plan.server), *(("--config-file", str(plan.config)) if plan.config else ())]
    output = _syslog(plan.server) if plan.capture else None
    try:
        with plan.pid_file.path.open("wb", buffering=0) as file:
            # The process writes its number before it becomes the server: none runs without a PID file.
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output or subprocess.DEVNULL,
                stderr=output or subprocess.DEVNULL,
                env={**os.environ, VARIABLE: plan.pid_file.mark},
                start_new_session=True,
                preexec_fn=lambda: file.write(b"%d\n" % os.getpid()),
            )
    except (OSError, subprocess.SubprocessError) as error:
        plan.pid_file.remove()
        raise Unavailable(f"server {plan.server}", f"it cannot be started: {error}") from None
    finally:
        if output is not None:
            output.close()


def _program(server: str) -> str:
    beside = Path(sys.executable).with_name(server)
    found = str(beside) if beside.exists() else shutil.which(server)
    if found is None:
        raise Unavailable(f"server {server}", "there is no such program")
    return found


def _syslog(server: str) -> IO[bytes]:
    try:
        logger = subprocess.Popen(["logger", "-t", server], stdin=subprocess.PIPE, start_new_session=True)
    except OSError as error:
        raise Unavailable("program logger", error.strerror or "it cannot be started") from None
    assert logger.stdin is not None  # noqa: S101 - it is a pipe
    return logger.stdin


def allow_many_files() -> None:
    """Let the servers open many files, if this user may; up to a higher limit they do by themselves."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < _DESCRIPTORS:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (_DESCRIPTORS, _DESCRIPTORS))
        except (ValueError, OSError):
            click.echo(f"The limit of open files stays at {hard}.  Running as non-root?", err=True)


def await_end(child: Child, seconds: int) -> int:
    """Wait for a server to end: its exit status as shells have it; 0 if it does not within this time."""
    try:
        status = child.process.wait(seconds)
    except subprocess.TimeoutExpired:
        return 0
    child.plan.pid_file.forget(child.process.pid)
    click.echo(f"{child.plan.server} has ended with the status {status}", err=True)
    return status if status >= 0 else 128 - status


def supervise(started: Sequence[Child]) -> int:
    """Start servers again that die, until all were stopped on purpose; SIGTERM and Ctrl-C stop them, too.

    The exit status is 1 if one of them cannot live.
    """
    children, plans = {child.process.pid: child for child in started}, [child.plan for child in started]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    worst = 0
    try:
        while children:
            pid, status = os.wait()
            # Not every child is a server: some carry output to syslog.
            if pid in children:
                child = children.pop(pid)
                if _was_stopped(child, os.waitstatus_to_exitcode(status)):
                    click.echo(f"{child.plan.server} was stopped: it is not started again")
                elif successor := _respawned(child):
                    children[successor.process.pid] = successor
                else:
                    worst = 1
    except KeyboardInterrupt:
        for plan in plans:
            stop(plan.server, plan.pid_file, SHUTDOWN_SECONDS)
    return worst


def _was_stopped(child: Child, status: int) -> bool:
    """Whether a server has ended as it was asked to; then its PID file is removed."""
    if status not in _BY_REQUEST and child.plan.pid_file.pid() == child.process.pid:
        return False
    child.plan.pid_file.forget(child.process.pid)
    return True


def _respawned(child: Child) -> Child | None:
    """A new process of a server that died; None: it dies too often."""
    soon = time.monotonic() - child.since < BOUNCE_SECONDS
    bounces = child.bounces + 1 if soon else 0
    if bounces >= BOUNCES:
        click.echo(f"{child.plan.server} dies again and again: it is not started any more", err=True)
        child.plan.pid_file.forget(child.process.pid)
        return None
    time.sleep(_RESPAWN_WAIT)
    successor = start(child.plan, "Respawn")
    if successor is not None:
        successor.bounces = bounces
    return successor


def stop(server: str, pid_file: PidFile, seconds: int, *, kill: bool = False) -> int:
    """Ask a server to end, and wait; what has not ended then is killed, or left. 1: it still runs.

    :raises Forbidden: it is of another user.
    """
    with pid_file.server() as process:
        if process is None:
            return _already_stopped(server, pid_file)
        click.echo(f"Stopping {server} (pid {process.pid}) with signal({signal.SIGTERM:d})")
        process.signal(signal.SIGTERM)
        if not process.ended(seconds):
            if not kill:
                click.echo(f"Waited {seconds} seconds for pid {process.pid} to die; giving up", err=True)
                return 1
            click.echo(f"Waited {seconds} seconds for pid {process.pid} to die; killing it", err=True)
            # Without the file, nobody starts it again.
            pid_file.forget(process.pid)
            process.kill()
            process.ended(_KILL_SECONDS)
        pid_file.forget(process.pid)
        return 0


def _already_stopped(server: str, pid_file: PidFile) -> int:
    pid = pid_file.pid()
    if pid is not None and Path(f"/proc/{pid}").exists():
        click.echo(
            f"Process {pid} of {pid_file.path} is not a server of glance-control: it is left", err=True
        )
        return 1
    if pid is not None:
        pid_file.forget(pid)
    click.echo(f"{server} is already stopped")
    return 0


def status(server: str, pid_file: PidFile) -> int:
    """Tell whether a server runs. :raises Forbidden: it is of another user."""
    with pid_file.server() as process:
        if process is not None:
            click.echo(f"{server} (pid {process.pid}) is running...")
            return RUNNING
    if pid_file.path.exists():
        click.echo(f"{server} is dead, but {pid_file.path} is there")
        return DEAD
    click.echo(f"{server} is stopped")
    return STOPPED


def reload(server: str, pid_file: PidFile) -> int:
    """Have a server read its configuration anew; 1: it does not run. :raises Forbidden: as `status`."""
    with pid_file.server() as process:
        if process is None:
            click.echo(f"Server {server} is stopped", err=True)
            return 1
        click.echo(f"Reloading {server} (pid {process.pid}) with signal({signal.SIGHUP:d})")
        process.signal(signal.SIGHUP)
        return 0
