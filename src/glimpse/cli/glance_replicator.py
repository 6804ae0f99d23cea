"""`glance-replicator`: images from one service into another, or into a folder and back."""

import inspect
import logging
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from keystoneauth1.adapter import Adapter
from keystoneauth1.http_basic import HTTPBasicAuth
from keystoneauth1.plugin import BaseAuthPlugin
from keystoneauth1.session import Session
from keystoneauth1.token_endpoint import Token

from glimpse import __version__
from glimpse.cli.keystone import password_plugin
from glimpse.cli.programs import CONTEXT, common_options, run, source_of
from glimpse.compute.images import ImageService
from glimpse.config.commands import NOT_REPLICATED, ReplicatorSettings, read_replicator
from glimpse.config.logs import set_up_logs
from glimpse.config.settings import read_config, settings_of
from glimpse.domain.errors import Invalid
from glimpse.replication import verbs
from glimpse.replication.dump import Dump
from glimpse.replication.verbs import How, Outcome

LOG = logging.getLogger(__name__)

_SERVER = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[\w.-]+):(?P<port>\d{1,5})", re.ASCII)
_URL = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[\w.-]+)(:\d{1,5})?(/[\w./-]*)?", re.ASCII)
_UNITS = ("", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")


@dataclass(frozen=True, slots=True)
class Place:
    """How servers are reached: what the options say of the replication, and of the caller."""

    settings: ReplicatorSettings
    said: Mapping[str, Any]

    @property
    def how(self) -> How:
        """How images are replicated."""
        return How(self.settings.excluded, self.settings.metaonly, self.settings.chunksize)

    def source(self, server: str) -> ImageService:
        """The service that images come from. :raises Invalid: there can be none of this name."""
        return self._service(server, self.settings.sourcetoken)

    def target(self, server: str) -> ImageService:
        """The service that images go to. :raises Invalid: there can be none of this name."""
        return self._service(server, self.settings.targettoken)

    def only(self, server: str) -> ImageService:
        """The one service that is asked, by the token of either. :raises Invalid: there can be none such."""
        return self._service(server, self.settings.targettoken or self.settings.sourcetoken)

    def _service(self, server: str, token: str | None) -> ImageService:
        url, said = base_url(server), self.said
        # A service that sends its clients elsewhere does not get their tokens sent there.
        session = Session(
            self._plugin(url, token),
            verify=not said["insecure"] and (said["os_cacert"] or True),
            redirect=False,
        )
        return ImageService(Adapter(session, endpoint_override=f"{url}/v2"), self.settings.chunksize)

    def _plugin(self, url: str, token: str | None) -> BaseAuthPlugin | None:
        token = token or self.said["os_auth_token"]
        if token:
            return Token(url, token)
        if self.said["os_auth_url"]:
            return password_plugin(self.said)
        if self.said["os_username"]:
            return HTTPBasicAuth(url, self.said["os_username"], self.said["os_password"] or "")
        return None


def base_url(server: str) -> str:
    """The URL of a server as operators name it: `host:port`, or a URL. :raises Invalid: it is neither."""
    if _URL.fullmatch(server):
        return server.rstrip("/").removesuffix("/v2")
    if (found := _SERVER.fullmatch(server)) and 0 < int(found["port"]) < 2**16:
        return f"http://{found[0]}"
    raise Invalid("server", f"'{server}' is neither host:port nor a URL like https://image.example:9292")


def _size(place: Place, server: str) -> int:
    """Tell how large a dump of a service would be.

    server: where the service is, as host:port or as a URL.
    """
    total = verbs.size(place.only(server))
    click.echo(f"Total size is {total.size} bytes ({_readable(total.size)}) across {total.images} images")
    return 0


def _dump(place: Place, server: str, path: str) -> int:
    """Dump all images of a service into a folder. What is there already is not fetched again.

    server: where the service is, as host:port or as a URL.
    path: the folder; it is made if it is not there.
    """
    return _told(verbs.dump(place.source(server), Dump(Path(path)), place.how))


def _load(place: Place, server: str, path: str) -> int:
    """Load what was dumped into a service. Images that are there are changed if their fields differ.

    server: where the service is, as host:port or as a URL.
    path: the folder with the dump.
    """
    return _told(verbs.load(Dump(Path(path)), place.target(server), place.how))


def _livecopy(place: Place, source: str, target: str) -> int:
    """Copy all images of a service into another. Images that are there are changed if their fields differ.

    source: where the service is that has the images, as host:port or as a URL.
    target: where the service is that gets them.
    """
    return _told(verbs.livecopy(place.source(source), place.target(target), place.how))


def _compare(place: Place, source: str, target: str) -> int:
    """Tell which images of a service are missing on another, and which differ, by which fields.

    source: where the service is that has the images, as host:port or as a URL.
    target: where the service is that should have them.
    """
    found = verbs.compare(place.source(source), place.target(target), place.how)
    LOG.info(
        "same: %d, different: %d, missing: %d", len(found.same), len(found.different), len(found.missing)
    )
    return 1 if found.different or found.missing else 0


COMMANDS: Mapping[str, tuple[Callable[..., int], Sequence[str]]] = {
    "compare": (_compare, ("source", "target")),
    "dump": (_dump, ("server", "path")),
    "livecopy": (_livecopy, ("source", "target")),
    "load": (_load, ("server", "path")),
    "size": (_size, ("server",)),
}


def _told(tally: Counter[Outcome]) -> int:
    LOG.info("%s", ", ".join(f"{outcome.value}: {tally[outcome]}" for outcome in Outcome))
    return 1 if tally[Outcome.FAILED] else 0


def _readable(count: float) -> str:
    for unit in _UNITS[:-1]:
        if count < 1024:
            return f"{count:.1f} {unit}B"
        count /= 1024
    return f"{count:.1f} {_UNITS[-1]}B"


def _found(name: str) -> tuple[Callable[..., int], Sequence[str]]:
    if name not in COMMANDS:
        raise Invalid("command", f"there is none called '{name}'; there are help, {', '.join(COMMANDS)}")
    return COMMANDS[name]


def _help(context: click.Context, name: str | None) -> str:
    """What `help NAME` tells. :raises Invalid: there is no such command."""
    if name is None:
        return context.get_help()
    command, arguments = _found(name)
    usage = " ".join(f"<{argument}>" for argument in arguments)
    return f"Usage: glance-replicator [OPTIONS] {name} {usage}\n\n{inspect.getdoc(command)}"


_OPTIONS: tuple[Callable[..., Any], ...] = (
    click.option("-c", "--chunksize", type=int, help="Bytes that are read and sent at a time."),
    click.option(
        "-D",
        "--dontreplicate",
        metavar="FIELDS",
        help=f"Fields that are neither copied nor compared. Default: '{NOT_REPLICATED}'.",
    ),
    click.option("-m", "--metaonly/--nometaonly", default=None, help="Copy fields alone, and no data."),
    click.option("-t", "--token", help="The token for the source and for the target."),
    click.option("-M", "--sourcetoken", "--mastertoken", "sourcetoken", help="The token for the source."),
    click.option("-S", "--targettoken", "--slavetoken", "targettoken", help="The token for the target."),
    click.option("-k", "--insecure", is_flag=True, help="Do not look at certificates."),
    click.option(
        "--os-cacert", envvar="OS_CACERT", help="Who signs certificates (PEM); default: $OS_CACERT."
    ),
    click.option("--os-auth-token", envvar="OS_TOKEN", help="As --token; default: $OS_TOKEN."),
    click.option("--os-auth-url", envvar="OS_AUTH_URL", help="Keystone; without: HTTP basic."),
    click.option("--os-username", envvar="OS_USERNAME", help="Default: $OS_USERNAME."),
    click.option("--os-password", envvar="OS_PASSWORD", help="Default: $OS_PASSWORD."),
    click.option("--os-project-id", envvar="OS_PROJECT_ID", help="Default: $OS_PROJECT_ID."),
    click.option("--os-project-name", envvar="OS_PROJECT_NAME", help="Default: $OS_PROJECT_NAME."),
    click.option("--os-user-domain-id", envvar="OS_USER_DOMAIN_ID", help="Default: as --os-domain-id."),
    click.option("--os-project-domain-id", envvar="OS_PROJECT_DOMAIN_ID", help="Default: as --os-domain-id."),
    click.option("--os-domain-id", envvar="OS_DOMAIN_ID", default="default", help="Default: default."),
)
# The options that configuration files have, too.
_CONFIGURED = (
    *("debug", "log_file", "log_dir"),
    *("chunksize", "dontreplicate", "metaonly", "token", "sourcetoken", "targettoken"),
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.command("glance-replicator", context_settings=CONTEXT)
@click.version_option(__version__, message="%(version)s")
@common_options
@_options
@click.argument("command", required=False)
@click.argument("arguments", nargs=-1)
@click.pass_context
def glance_replicator(
    context: click.Context,
    /,
    files: tuple[str, ...],
    dirs: tuple[str, ...],
    command: str | None,
    arguments: tuple[str, ...],
    **said: Any,
) -> None:
    """Copy images between services by the Image API v2, with their ids.

    A service is host:port, or a URL such as https://image.example:9292. The commands:

    \b
      compare <source> <target>   What is missing on the target, or differs?
      dump <server> <path>        All images of a service into a folder.
      livecopy <source> <target>  All images of a service into another.
      load <server> <path>        What was dumped into a service.
      size <server>               How large would a dump be?
      help [command]              What a command does.

    What was interrupted goes on at the next run. All data is verified by its digests. The exit status is 1 if
    an image could not be done, while the others were, or if compare has found a difference.
    """
    if command is None or command == "help":
        click.echo(_help(context, arguments[0] if arguments else None))
        return
    function, names = _found(command)
    if len(arguments) != len(names):
        wanted = " ".join(f"<{name}>" for name in names)
        raise Invalid("arguments", f"{command} {wanted} is expected")
    source = source_of("glance-replicator", files, dirs, **{name: said[name] for name in _CONFIGURED})
    set_up_logs(settings_of(source))
    sys.exit(function(Place(read_replicator(read_config(source)), said), *arguments))


def main() -> None:
    """Run `glance-replicator`."""
    run(glance_replicator)
