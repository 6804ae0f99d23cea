"""`glance-control`: start, watch and stop the servers of this host."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from glimpse import __version__
from glimpse.cli import control
from glimpse.cli.control import Child, Plan
from glimpse.cli.pid_files import PidFile, find_pid_file, new_pid_file
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.config.commands import ControlSettings, read_control
from glimpse.config.files import find_source
from glimpse.config.settings import read_config
from glimpse.domain.errors import Invalid

API, REGISTRY, SCRUBBER = "glance-api", "glance-registry", "glance-scrubber"
SERVERS = (API, REGISTRY, SCRUBBER)
_RELOADABLE = (API, REGISTRY)


@dataclass(frozen=True, slots=True)
class Request:
    """Which servers are meant, by what configuration they start, and how."""

    servers: tuple[str, ...]
    config: Path | None
    settings: ControlSettings

    def pid_file(self, server: str) -> PidFile:
        """The PID file of a server that may run."""
        named = self.settings.pid_file
        return PidFile(named.absolute()) if named else find_pid_file(server)


def _start(request: Request, verb: str = "Start") -> int:
    settings = request.settings
    control.allow_many_files()
    started: list[Child] = []
    for server in request.servers:
        pid_file = request.pid_file(server)
        if settings.pid_file is None and not pid_file.path.exists():
            pid_file = new_pid_file(server)
        child = control.start(Plan(server, pid_file, request.config, settings.capture_output), verb)
        started += [child] if child else []
    if settings.respawn:
        return control.supervise(started)
    if settings.await_child:
        return max((control.await_end(child, settings.await_child) for child in started), default=0)
    return 0


def _stop(request: Request) -> int:
    return max(
        control.stop(server, request.pid_file(server), control.STOP_SECONDS, kill=True)
        for server in request.servers
    )


def _shutdown(request: Request) -> int:
    return max(
        control.stop(server, request.pid_file(server), control.SHUTDOWN_SECONDS) for server in request.servers
    )


def _restart(request: Request) -> int:
    return _stop(request) or _start(request, "Restart")


def _status(request: Request) -> int:
    return max(control.status(server, request.pid_file(server)) for server in request.servers)


def _reload(request: Request) -> int:
    """:raises Invalid: none of the servers can be reloaded."""
    servers = [server for server in request.servers if server in _RELOADABLE]
    if not servers:
        raise Invalid("server", f"Reload of {request.servers[0]} is not supported")
    return max(control.reload(server, request.pid_file(server)) for server in servers)


COMMANDS: Mapping[str, Callable[[Request], int]] = {
    "start": _start,
    "status": _status,
    "stop": _stop,
    "shutdown": _shutdown,
    "restart": _restart,
    "reload": _reload,
    "force-reload": _reload,
}
_NAMES = ("all", *(server.removeprefix("glance-") for server in SERVERS), *SERVERS)


@click.command("glance-control", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@click.option("--pid-file", metavar="PATH", help="The PID file. Default: /var/run/glance/SERVER.pid.")
@click.option(
    "--await-child",
    type=int,
    metavar="DELAY",
    help="Watch the server for so many seconds; if it ends, so does this, with its exit status.",
)
@click.option(
    "--capture-output/--nocapture-output",
    default=None,
    help="Send what the server prints to syslog, instead of nowhere.",
)
@click.option("--respawn/--norespawn", default=None, help="Stay, and start servers again that die.")
@click.argument("server", type=click.Choice(_NAMES))
@click.argument("command", type=click.Choice(tuple(COMMANDS)))
@click.argument("config", metavar="[CONFPATH]", required=False, type=click.Path(path_type=Path))
def glance_control(
    files: tuple[str, ...],
    dirs: tuple[str, ...],
    server: str,
    command: str,
    config: Path | None,
    **said: object,
) -> None:
    """Start, watch and stop servers of this host. CONFPATH is the configuration file to start them with.

    \b
      start         Start the server, in the background.
      status        Tell whether it runs. Exit status: 0 it does, 1 it died, 3 it does not.
      stop          End it within 15 s, by force if need be.
      shutdown      End it when what has begun is finished; 1 if that takes more than 45 s.
      restart       Stop it and start it.
      reload        Have it read its configuration anew: the API and the registry can.
      force-reload  As reload.

    `all` is the API, the scrubber, and the registry if this host has a glance-registry.conf. A process is
    left alone unless its PID file and its environment say that glance-control has started it.
    """
    settings = read_control(read_config(source_of("glance-control", files, dirs, **said)))
    servers = _servers(server)
    if settings.pid_file is not None and len(servers) > 1:
        raise Invalid("pid_file", "one server has one PID file: name the server")
    if config is not None and not config.is_file():
        raise Invalid("CONFPATH", f"{config} is no file")
    request = Request(servers, config.absolute() if config else None, settings)
    sys.exit(COMMANDS[command](request))


def _servers(name: str) -> tuple[str, ...]:
    if name != "all":
        return (name if name in SERVERS else f"glance-{name}",)
    configured = any(Path(file).name == f"{REGISTRY}.conf" for file in find_source(REGISTRY).files)
    with_registry = configured or find_pid_file(REGISTRY).path.exists()
    return tuple(server for server in SERVERS if server != REGISTRY or with_registry)


def main() -> None:
    """Run `glance-control`."""
    run(glance_control)
