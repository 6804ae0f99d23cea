"""`glimpse serve`: prepare the state folder, say how to reach the service, and run its workers."""

import functools
import logging
import os
import resource
import secrets
import shlex
import socket
import stat
from pathlib import Path

import click
import uvicorn
from uvicorn.supervisors import Multiprocess

from glimpse.access.users import UserFiles
from glimpse.api.protocol import ZeroCopyProtocol
from glimpse.app import create_application
from glimpse.config.settings import Settings
from glimpse.domain.errors import Invalid, Unavailable
from glimpse.records.schema import upgrade

ADMINISTRATOR = "admin"

# Thousands of slow readers wait to be accepted in a boot storm.
BACKLOG = 4096

# A drained worker may take this long to finish what it has begun, in seconds.
DRAIN_SECONDS = 30


def serve_forever(settings: Settings) -> None:
    """Serve until a signal ends it.

    :raises Invalid: the state folder or the address cannot be used.
    :raises Unavailable: the database cannot be used.
    """
    prepare_state(settings)
    upgrade(settings.database_url)
    password = create_administrator(settings)
    _allow_many_connections()
    config = _uvicorn_config(settings)
    listener = _bind(config, settings)
    port = listener.getsockname()[1]
    click.echo(greeting(settings, f"{settings.base_url.rsplit(':', 1)[0]}:{port}", password))
    server = uvicorn.Server(config)
    if settings.workers == 1:
        server.run(sockets=[listener])
    else:
        Multiprocess(config, sockets=[listener]).run()


def prepare_state(settings: Settings) -> None:
    """Make the folders that the service keeps. :raises Invalid: they cannot be made."""
    make_folder("state_dir", settings.state_dir, 0o700)
    make_folder("filesystem_store_datadir", settings.image_folder, 0o750)


def make_folder(option: str, path: Path, mode: int) -> None:
    """Make a folder and those above it, if they are missing. :raises Invalid: it cannot be made."""
    try:
        path.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as error:
        raise Invalid(option, f"{path}: {error.strerror}") from None


def create_administrator(settings: Settings) -> str | None:
    """Make the first user of a new service, and return the password; None if there is one already.

    The password is also kept in a file that only the service's user can read.
    """
    if settings.auth_strategy != "http_basic" or settings.htpasswd.exists():
        return None
    password = secrets.token_urlsafe(16)
    kept = password_file(settings)
    descriptor = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, stat.S_IRUSR | stat.S_IWUSR)
    os.fchmod(descriptor, stat.S_IRUSR | stat.S_IWUSR)
    with os.fdopen(descriptor, "w") as file:
        file.write(f"{password}\n")
    UserFiles(settings.htpasswd).add(ADMINISTRATOR, password, ["admin"], ADMINISTRATOR)
    return password


def password_file(settings: Settings) -> Path:
    """Where the first administrator's password is kept until its owner removes it."""
    return settings.htpasswd.with_name("admin-password")


def greeting(settings: Settings, url: str, password: str | None) -> str:
    """What a person reads when the service starts: where it is, and lines to paste."""
    lines = [f"Glimpse is listening on {url}   (state in {settings.state_dir})"]
    if settings.auth_strategy == "noauth":
        lines += [
            "",
            "Everybody who reaches it is administrator:",
            f"  export OS_AUTH_TYPE=none OS_ENDPOINT={url}",
        ]
        return "\n".join([*lines, "  openstack image list", ""])
    if password is not None:
        lines.append(f"An administrator was created: {ADMINISTRATOR}, password {password}")
    shown = password or f'"$(cat {shlex.quote(str(password_file(settings)))})"'
    if password is None and not password_file(settings).exists():
        shown = "..."
    in_python = repr(password) if password else "..."
    return "\n".join(
        [
            *lines,
            "",
            "For the openstack client:",
            f"  export OS_AUTH_TYPE=http_basic OS_ENDPOINT={url}/v2",
            f"  export OS_USERNAME={ADMINISTRATOR} OS_PASSWORD={shown}",
            "  openstack image create --disk-format qcow2 --container-format bare --file disk.qcow2 my-image",
            "For the SDK:",
            f"  openstack.connect(auth_type='http_basic', auth=dict(endpoint={url + '/v2'!r}, "
            f"username={ADMINISTRATOR!r}, password={in_python}))",
            "For curl:",
            f"  curl -u {ADMINISTRATOR}:{shown} {url}/v2/images",
            f"The API is described at {url}/docs",
            "",
        ]
    )


def _uvicorn_config(settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        functools.partial(create_application, settings),
        factory=True,
        host=settings.bind_host,
        port=settings.bind_port,
        workers=settings.workers,
        http=ZeroCopyProtocol,
        # uvloop has no sendfile; see docs/decisions/001-server.md.
        loop="asyncio",
        ws="none",
        lifespan="on",
        backlog=BACKLOG,
        access_log=False,
        log_config=None,
        log_level=logging.WARNING,
        server_header=False,
        date_header=True,
        proxy_headers=False,
        ssl_certfile=settings.cert_file,
        ssl_keyfile=settings.key_file,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )


def _bind(config: uvicorn.Config, settings: Settings) -> socket.socket:
    family = socket.AF_INET6 if ":" in settings.bind_host else socket.AF_INET
    # With the protocol said, asyncio finds out that it is TCP and switches Nagle's delay off; otherwise the
    # second packet of each answer waits 40 ms for the client's acknowledgement of the first.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        address = f"{config.host}:{config.port}"
        raise Unavailable(f"address {address}", error.strerror or "it cannot be bound") from None
    listener.set_inheritable(True)
    return listener


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
