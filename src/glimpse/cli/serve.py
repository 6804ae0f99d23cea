"""`glimpse serve`: prepare the state folder, say how to reach the service, and run its workers."""

import functools
import logging
import multiprocessing
import os
import resource
import secrets
import shlex
import signal
import socket
import ssl
import stat
import sys
import threading
import time
from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path

import click
import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from glimpse.access.users import UserFiles
from glimpse.api.protocol import ZeroCopyProtocol
from glimpse.app import create_application, offer_metrics
from glimpse.checks import check_files
from glimpse.cli.listener import bind
from glimpse.config.files import Source, files_of
from glimpse.config.logs import set_up_logs
from glimpse.config.report import findings
from glimpse.config.settings import Settings, read_config, settings_of
from glimpse.domain.errors import GlimpseError, Invalid, Unavailable
from glimpse.records.schema import upgrade
from glimpse.registry.service import try_registry

ADMINISTRATOR = "admin"

# Thousands of slow readers wait to be accepted in a boot storm.
BACKLOG = 4096

# A drained worker may take this long to finish what it has begun, in seconds.
DRAIN_SECONDS = 30

# A worker that has not begun to answer after this time has failed to start.
START_SECONDS = 60

# How long a worker that cannot start waits before it ends: its parent starts the next one at once.
RESTART_SECONDS = 5

LOG = logging.getLogger(__name__)


def serve_forever(settings: Settings) -> None:
    """Serve until a signal ends it, and say how to reach the service.

    :raises Invalid: the state folder, the address or a file that the settings name cannot be used.
    :raises Unavailable: the database cannot be used.
    """
    prepare(settings)
    password = create_administrator(settings)
    create = functools.partial(create_application, settings)
    listener = bind(settings.bind_host, settings.bind_port)
    offer_metrics(settings, settings.metrics.port)
    click.echo(greeting(settings, _url(settings, listener), password))
    if settings.workers == 1:
        uvicorn.Server(_uvicorn_config(settings, create)).run(sockets=[listener])
    else:
        _serve_by_workers(settings, create, listener)


def create_application_from(source: Source) -> ASGIApp:
    """The application of one worker process, with the settings as they are in the files now.

    :raises Invalid: they will not do.
    """
    settings = settings_of(source)
    check_files(settings)
    return create_application(settings)


def serve_supervised(
    settings: Settings,
    create_from: Callable[[Source], ASGIApp] = create_application_from,
    check: Callable[[Settings], None] = check_files,
) -> None:
    """Serve until a signal ends it, with workers that read the settings anew at SIGHUP.

    `check` tries the settings, `create_from` makes the application of a worker. One that cannot start with
    them leaves the old ones in service.

    :raises Invalid: the state folder, the address or a file that the settings name cannot be used.
    :raises Unavailable: the database cannot be used.
    """
    prepare(settings, check)
    if create_administrator(settings):
        LOG.info("an administrator was created, with the password in %s", password_file(settings))
    create = functools.partial(create_from, settings.source)
    listener = bind(settings.bind_host, settings.bind_port)
    offer_metrics(settings, settings.metrics.port)
    LOG.info("listening on %s, workers: %d", _url(settings, listener), settings.workers)
    _serve_by_workers(settings, create, listener)


def prepare(settings: Settings, check: Callable[[Settings], None] = check_files) -> None:
    """Make all ready that a process of the service needs: logs, folders and the database.

    :raises Invalid: the state folder or a file that the settings name cannot be used.
    :raises Unavailable: the database cannot be used.
    """
    set_up_logs(settings)
    LOG.debug("configuration: %s", ", ".join(files_of(settings.source)))
    for finding in findings(settings.source, read_config(settings.source)):
        LOG.warning("%s", finding)
    check(settings)
    prepare_state(settings)
    _prepare_records(settings)
    _allow_many_connections()


def _prepare_records(settings: Settings) -> None:
    if settings.registry.link is None:
        upgrade(settings.database_url)
        return
    try:
        try_registry(settings, settings.registry.link)
    except Unavailable as error:
        # Until it is there, requests are answered with 503.
        LOG.warning("%s", error)


def _url(settings: Settings, listener: socket.socket) -> str:
    return f"{settings.base_url.rsplit(':', 1)[0]}:{listener.getsockname()[1]}"


def prepare_state(settings: Settings) -> None:
    """Make the folders that the service keeps. :raises Invalid: they cannot be made."""
    if _keeps_state(settings):
        make_folder("state_dir", settings.state_dir, 0o700)
    for folders in settings.image_folders:
        _make_one(folders)


def _keeps_state(settings: Settings) -> bool:
    """Whether anything is in the state folder: a configuration of Glance's names other places for all."""
    in_database = settings.registry.link is None
    in_state = in_database and settings.database_url.startswith(f"sqlite:///{settings.state_dir}/")
    users = settings.auth_strategy == "http_basic" and settings.htpasswd.is_relative_to(settings.state_dir)
    folders = chain.from_iterable(settings.image_folders)
    images = any(folder.is_relative_to(settings.state_dir) for folder in folders)
    return in_state or users or images


def _make_one(folders: Sequence[Path]) -> None:
    """Make the folders of a store, of which it can do without some."""
    failures: list[Invalid] = []
    for folder in folders:
        try:
            make_folder("filesystem_store_datadir", folder, 0o750)
        except Invalid as error:
            failures.append(error)
    if len(failures) == len(folders):
        raise failures[0]


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
    if settings.auth_strategy == "paste":
        return lines[0]
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


def _serve_by_workers(settings: Settings, create: Callable[[], ASGIApp], listener: socket.socket) -> None:
    config = _uvicorn_config(settings, functools.partial(_worker, create))
    _Supervisor(config, sockets=[listener]).run()


class _Supervisor(Multiprocess):
    """Also notices at once that a worker ends while it is asked whether it lives: else an answer would be
    waited for until `START_SECONDS` were over, and no signal be looked at meanwhile.
    """

    def keep_subprocess_alive(self) -> None:
        for process in self.processes:
            # The worker has its own; as long as this one is open, too, its end is not seen.
            process.child_conn.close()
        super().keep_subprocess_alive()


def _worker(create: Callable[[], ASGIApp]) -> ASGIApp:
    """The application of a worker. One that cannot start says why in a line, and ends without haste."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        return create()
    except GlimpseError as error:
        LOG.error("a worker cannot start: %s", error)
        time.sleep(RESTART_SECONDS)
        sys.exit(1)


def _end_with_parent() -> None:
    """End this worker, as SIGTERM does, when its parent has died: it would keep the address for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)


def _uvicorn_config(settings: Settings, factory: Callable[[], ASGIApp]) -> uvicorn.Config:
    return uvicorn.Config(
        factory,
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
        ssl_ca_certs=settings.client_ca_file,
        ssl_cert_reqs=ssl.CERT_REQUIRED if settings.client_ca_file else ssl.CERT_NONE,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        timeout_worker_healthcheck=START_SECONDS,
    )


def _allow_many_connections() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
